"""Outputs of others as ASE frames: what `dataset import` reads of FHI-aims."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixCartesian
from ase.io.formats import open_with_compression

from aiida_enne.codes.aims.output import AimsOutput, Frame, Verdict, read_output
from aiida_enne.codes.aims.reader import LEAVE
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.formats import UNREADABLE
from aiida_enne.science.importing.problems import BrokenFileError
from aiida_enne.science.importing.reading import OwnFile

#: Its name among the formats of ASE.
FORMAT = 'aims-output'


def read_frames(path: Path, choices: ImportChoices) -> OwnFile:
    """Read single points, relaxations and trajectories from an output of FHI-aims.

    The calculator's `free_energy` is the electronic free energy, whose derivative the forces are,
    `energy` the total energy without the entropy of the electrons; both stand in info too, with
    `step`, and `time` in ps and `temperature` in K where the output has them.

    Raises:
        BrokenFileError: If it is not readable, not whole and not allowed to be, or holds no step.
    """
    try:
        with open_with_compression(os.fspath(path.resolve()), 'rb') as handle:
            text = handle.read().decode(errors='replace')
    except UNREADABLE as exception:
        raise BrokenFileError(f'cannot read the file: {exception}') from exception
    output = read_output(text)
    ended = any(line.strip() == LEAVE for line in text.splitlines())
    if not ended and not choices.allow_incomplete:
        raise BrokenFileError(
            f'as {FORMAT} the file lacks its regular end ({LEAVE!r}): {output.verdict}, '
            f'{output.reason} (`allow_incomplete` takes the whole steps before)'
        )
    if not output.frames:
        reasons = '; '.join([output.reason, *output.disagreements])
        raise BrokenFileError(f'as {FORMAT} the file holds no whole step: {reasons}')
    return OwnFile(
        [_atoms(frame, step) for step, frame in enumerate(output.frames)],
        doubts=tuple(_doubts(output)) if ended else (),
        questions=output.disagreements,
    )


def _doubts(output: AimsOutput) -> list[str]:
    doubts = []
    if output.verdict is Verdict.SCF_NOT_CONVERGED:
        doubts.append(f'the step after the last whole one: {output.reason}')
    elif output.verdict is Verdict.TRUNCATED or (output.unfinished and output.unfinished.scf):
        doubts.append('the last step is not whole')
    if output.left_out:
        doubts.append(f'{output.left_out} steps that are not whole, with whole ones after them')
    return doubts


def _atoms(frame: Frame, step: int) -> Atoms:
    results: dict[str, Any] = {
        'energy': frame.energies.uncorrected,
        'free_energy': frame.energies.free,
    }
    info: dict[str, Any] = {
        'step': step,
        'energy_uncorrected': frame.energies.uncorrected,
        'energy_corrected': frame.energies.corrected,
    }
    results |= {name: getattr(frame, name) for name in ('forces', 'stress')}
    info |= {name: getattr(frame, name) for name in ('time', 'temperature')}
    atoms = Atoms(
        frame.symbols,
        positions=frame.positions,
        cell=frame.cell,
        pbc=frame.cell is not None,
        info={name: value for name, value in info.items() if value is not None},
    )
    atoms.calc = SinglePointCalculator(
        atoms, **{name: value for name, value in results.items() if value is not None}
    )
    if frame.fixed is not None:
        atoms.set_constraint([FixCartesian([i], mask) for i, mask in enumerate(frame.fixed)])
    return atoms
