"""Is it a label? Cycles that did not converge, and forces that a constraint set to zero."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

import numpy as np
from ase.io.formats import open_with_compression
from numpy.typing import NDArray

from aiida_enne.science.importing.formats import UNREADABLE
from aiida_enne.science.importing.frame import Frame
from aiida_enne.science.importing.plausibility import neighbours

#: Surroundings of an atom that decide whether symmetry explains that its force is zero, in Å.
SURROUNDINGS, WIDTHS = 6.0, (1.5, 3.0)
#: They are symmetric if the mean of the directions to the neighbours is shorter.
SYMMETRIC = 1e-3
#: In a frame whose largest force in eV/Å is below this, rounding may have made the zeros.
LOUD = 0.05


def unconverged(path: Path, name: str) -> dict[int, str]:
    """Return the frames of a file whose electronic cycle did not converge, with the reason.

    Known of VASP (vasprun.xml, OUTCAR) and pw.x; other formats that ASE reads do not say it.
    """
    scan = SCANS.get(name)
    if scan is None:
        return {}
    try:
        with open_with_compression(os.fspath(path.resolve()), 'rb') as handle:
            return scan(handle)
    except UNREADABLE:
        return {}  # whoever reads the frames says it


def _vasprun(handle: IO[bytes]) -> dict[int, str]:
    """NELM reached, and the last change of the energy above EDIFF."""
    found: dict[int, str] = {}
    limit, accuracy, frame = None, 0.0, 0
    energies: list[float] = []
    try:
        for _, element in ElementTree.iterparse(handle):
            if element.tag == 'i' and element.get('name') == 'NELM':
                limit = int(element.text or 0)
            elif element.tag == 'i' and element.get('name') == 'EDIFF':
                accuracy = float(element.text or 0)
            elif element.tag == 'scstep':
                last = element.find('energy/i[@name="e_fr_energy"]')
                energies.append(np.nan if last is None else float(last.text or np.nan))
                element.clear()
            elif element.tag == 'calculation':
                change = abs(np.diff(energies[-2:])[0]) if len(energies) > 1 else np.inf
                if limit is not None and len(energies) >= limit and not change < accuracy:
                    found[frame] = f'its electronic cycle ended at NELM = {limit} steps'
                energies, frame = [], frame + 1
                element.clear()
    except (ElementTree.ParseError, ValueError):
        pass  # a file that is cut or damaged: its reader says it
    return found


def _outcar(handle: IO[bytes]) -> dict[int, str]:
    """No line that the cycle has reached EDIFF before the energies of an ionic step."""
    found: dict[int, str] = {}
    frame, reached, steps, limit = 0, False, 0, None
    for line in handle:
        if b'aborting loop because EDIFF is reached' in line:
            reached = True
        elif match := re.search(rb'Iteration\s+\d+\(\s*(\d+)\)', line):
            steps = int(match[1])
        elif match := re.match(rb'\s*NELM\s*=\s*(\d+)', line):
            limit = int(match[1])
        elif b'FREE ENERGIE OF THE ION-ELECTRON SYSTEM' in line:
            if not reached and steps:
                what = f' (NELM = {limit})' if limit is not None else ''
                found[frame] = f'its electronic cycle ended after {steps} steps{what}'
            frame, reached, steps = frame + 1, False, 0
    return found


def _pwscf(handle: IO[bytes]) -> dict[int, str]:
    """`convergence NOT achieved`, where every cycle ends with a word on its convergence."""
    found: dict[int, str] = {}
    frame = 0
    for line in handle:
        if b'convergence NOT achieved' in line:
            found[frame] = f'its electronic cycle says {line.decode(errors="replace").strip()!r}'
            frame += 1
        elif b'convergence has been achieved' in line:
            frame += 1
    return found


#: What to look for, by the name of the format.
SCANS: Mapping[str, Callable[[IO[bytes]], dict[int, str]]] = {
    'vasp-xml': _vasprun,
    'vasp-out': _outcar,
    'espresso-out': _pwscf,
}


def hide_constrained(frame: Frame) -> Frame:
    """Return the frame with NaN for the forces that a declared constraint has set to zero.

    A force that is exactly zero is a label where the surroundings of the atom are symmetric.
    """
    if frame.zeroed is None:
        return frame
    hidden = (frame.forces == 0) & frame.zeroed
    if not hidden.any():
        return frame
    hidden &= (hidden & _asymmetric(frame)).any(axis=1, keepdims=True)
    return replace(frame, forces=np.where(hidden, np.nan, frame.forces))


def zeroed_forces(frame: Frame) -> str | None:
    """Say which atoms have forces of exactly zero that are no labels, or None.

    A force that is exactly zero is a label where the surroundings of the atom are symmetric. Else
    a constraint that nobody declares has set it to zero, or nobody has computed it.

    Args:
        frame: What was read, see `hide_constrained`.
    """
    zero = (frame.forces == 0).all(axis=1)
    strongest = float(np.nanmax(np.abs(frame.forces)))
    if not zero.any() or 0 < strongest <= LOUD:
        return None
    atoms = np.flatnonzero(zero & _asymmetric(frame).any(axis=1)).tolist()
    if not atoms:
        return None
    more = f' and {len(atoms) - 5} more' if len(atoms) > 5 else ''
    return (
        f'forces on atoms {", ".join(map(str, atoms[:5]))}{more} are exactly zero although their '
        'surroundings are not symmetric: a constraint, or nobody computed them'
    )


def _asymmetric(frame: Frame) -> NDArray[np.bool_]:
    """Return the components along which no symmetry forbids a force, shape (N, 3)."""
    first, second, vectors = neighbours('ijD', frame, SURROUNDINGS)
    lengths = np.linalg.norm(vectors, axis=1)
    found = np.zeros((len(frame.numbers), 3), dtype=bool)
    if not len(lengths) or not lengths.min() > 0:
        return found
    for width in WIDTHS:
        smooth = np.exp(-((lengths / width) ** 2)) * (1 - (lengths / SURROUNDINGS) ** 2) ** 2
        weights = smooth * frame.numbers[second]
        total = np.bincount(first, weights, minlength=len(found))
        for axis in range(3):
            mean = np.bincount(first, weights * vectors[:, axis] / lengths, minlength=len(found))
            found[:, axis] |= np.abs(mean) > SYMMETRIC * np.maximum(total, 1e-300)
    return found
