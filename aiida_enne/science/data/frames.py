"""Configurations to and from ASE frames and extended XYZ text."""

import itertools
import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.extxyz import key_val_str_to_dict

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import NO_DOMAIN, Floats


def from_atoms(
    frames: Sequence[Atoms],
    *,
    domains: Sequence[str] | None = None,
    blocks: Sequence[int] | None = None,
    info: Iterable[str] = (),
) -> Configurations:
    """Gather ASE frames; labels are taken if every frame has energy and forces.

    Args:
        frames: One or more structures, with or without results of a calculator.
        domains: Label per frame; by default `atoms.info['domain']`, else 'unlabelled'.
        blocks: Trajectory block per frame; by default `atoms.info['block']`, else its index.
        info: Further keys of `atoms.info` to keep as numbers, NaN where a frame lacks one.

    Raises:
        ValueError: If there are no frames or only some of them are labelled.
    """
    if not frames:
        raise ValueError('there are no configurations')
    if domains is None:
        domains = [str(atoms.info.get('domain', NO_DOMAIN)) for atoms in frames]
    if blocks is None:
        blocks = [int(atoms.info.get('block', index)) for index, atoms in enumerate(frames)]
    energies = [result(atoms, 'energy') for atoms in frames]
    forces = [result(atoms, 'forces') for atoms in frames]
    known = [e is not None and f is not None for e, f in zip(energies, forces, strict=True)]
    if any(known) and not all(known):
        raise ValueError(f'frame {known.index(False)} carries no energy or no forces')
    stresses = np.array([_stress(atoms) for atoms in frames])
    labelled = all(known)
    return Configurations(
        n_atoms=np.array([len(atoms) for atoms in frames], dtype=np.int64),
        numbers=np.concatenate([atoms.numbers for atoms in frames]).astype(np.int64),
        positions=np.concatenate([atoms.positions for atoms in frames]),
        cells=np.array([atoms.cell.array for atoms in frames]),
        pbc=np.array([atoms.pbc for atoms in frames]),
        domains=np.array(domains, dtype=np.str_),
        blocks=np.array(blocks, dtype=np.int64),
        energies=np.array(energies, dtype=np.float64) if labelled else None,
        forces=np.concatenate(forces).astype(np.float64) if labelled else None,
        stresses=stresses if labelled and np.isfinite(stresses).any() else None,
        info={
            key: np.array([float(atoms.info.get(key, np.nan)) for atoms in frames]) for key in info
        },
    )


def to_atoms(configurations: Configurations) -> list[Atoms]:
    """Return ASE frames, labels in a `SinglePointCalculator`, the rest in `info`."""
    frames, data = [], configurations
    for index, (first, last) in enumerate(itertools.pairwise(data.offsets)):
        atoms = Atoms(
            data.numbers[first:last],
            positions=data.positions[first:last],
            cell=data.cells[index],
            pbc=data.pbc[index],
        )
        atoms.info = {'domain': str(data.domains[index]), 'block': int(data.blocks[index])}
        atoms.info |= {name: float(value[index]) for name, value in data.info.items()}
        if data.energies is not None and data.forces is not None:
            results: dict[str, Any] = {
                'energy': float(data.energies[index]),
                'forces': data.forces[first:last],
            }
            if data.stresses is not None and np.isfinite(data.stresses[index]).all():
                results['stress'] = data.stresses[index]
            atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    return frames


def to_extxyz(configurations: Configurations) -> str:
    """Write extended XYZ text in which every number keeps all its digits.

    ASE's own writer rounds to eight decimals, too few for a round trip. Components of forces that a
    constraint hides are NaN, and `move_mask` says which, where there are any.
    """
    lines, data = [], configurations
    columns = 'species:S:1:pos:R:3' + (':forces:R:3' if data.is_labelled else '')
    known = data.known_forces
    masked = data.is_labelled and not known.all()
    columns += ':move_mask:L:3' if masked else ''
    for index, atoms in enumerate(to_atoms(data)):
        comment = {
            'Lattice': f'"{_row(atoms.cell.array)}"',
            'Properties': columns,
            'pbc': '"' + ' '.join('T' if periodic else 'F' for periodic in atoms.pbc) + '"',
            'domain': _quoted(str(data.domains[index])),
            'block': str(data.blocks[index]),
        }
        comment |= {name: repr(float(value[index])) for name, value in data.info.items()}
        rows = atoms.positions
        if atoms.calc is not None:
            comment['energy'] = repr(atoms.calc.results['energy'])
            rows = np.hstack([rows, atoms.calc.results['forces']])
            if 'stress' in atoms.calc.results:
                comment['stress'] = f'"{_row(atoms.calc.results["stress"])}"'
        lines.append(str(len(atoms)))
        lines.append(' '.join(f'{key}={value}' for key, value in comment.items()))
        texts = [f'{s} {_row(row)}' for s, row in zip(atoms.symbols, rows, strict=True)]
        if masked:
            moves = known[data.atom_index([index])]
            texts = [
                f'{t} {" ".join("FT"[int(m)] for m in row)}'
                for t, row in zip(texts, moves, strict=True)
            ]
        lines += texts
    return '\n'.join(lines) + '\n'


def result(atoms: Atoms, name: str) -> Any:
    """Return a stored result of the frame's calculator, or None; nothing is calculated."""
    try:
        return None if atoms.calc is None else atoms.calc.get_property(name, atoms, False)
    except PropertyNotImplementedError:
        return None


def _quoted(label: str) -> str:
    """Quote a label so that it is read back as it is, even if it looks like numbers or 'T'."""
    plain = f'"{label}"'
    read = key_val_str_to_dict(f'domain={plain}')
    if label.isprintable() and [repr(value) for value in read.values()] == [repr(label)]:
        return plain
    text = json.dumps(label).replace('\\', '\\\\').replace('"', '\\"')
    return f'"_JSON {text}"'


def _row(values: Any) -> str:
    return ' '.join(map(repr, np.asarray(values, dtype=np.float64).ravel().tolist()))


def _stress(atoms: Atoms) -> Floats:
    stress = result(atoms, 'stress')
    if stress is None:
        return np.full((3, 3), np.nan)
    if np.shape(stress) == (6,):
        xx, yy, zz, yz, xz, xy = stress
        return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]], dtype=np.float64)
    return np.asarray(stress, dtype=np.float64)
