"""Files to configurations: all of them pass, or all that is wrong is said and none is taken."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.importing.blocks import Located, number_blocks
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.frame import BadFrameError, check_frame
from aiida_enne.science.importing.problems import BrokenFileError, ImportRefusedError, Problem
from aiida_enne.science.importing.reading import (
    check_complete,
    file_format,
    file_sha256,
    iterate_frames,
)
from aiida_enne.science.structures.domains import imported_roles

#: Wraps the frames of a file to show progress: frames, name of the file, their number if known.
Progress = Callable[[Iterable[Atoms], str, int | None], Iterable[Atoms]]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """Where configurations came from: the file's bare name, digest, format and frames."""

    name: str
    sha256: str
    format: str
    n_frames: int


def _silent(frames: Iterable[Atoms], name: str, total: int | None) -> Iterable[Atoms]:
    return frames


def import_files(
    paths: Sequence[Path], choices: ImportChoices, progress: Progress = _silent
) -> tuple[Configurations, list[SourceFile]]:
    """Read every frame of every file and check it.

    Trajectory blocks are those of `blocks.number_blocks`.

    Args:
        paths: Files in any format that ASE reads, or `.npz` files of this package.
        choices: Keys, units, labels and permissions.
        progress: Called once per file.

    Returns:
        The labelled configurations in eV and Å, in the order of files and frames; the files.

    Raises:
        ImportRefusedError: If anything is wrong anywhere; it lists all of it.
    """
    if not paths:
        raise ValueError('there are no files to import')
    problems: list[Problem] = []
    taken: list[Located] = []
    sources: list[SourceFile] = []
    for path in paths:
        sources += _read_file(path, choices, progress, taken, problems)
    if not choices.allow_duplicates:
        problems += _duplicates(taken)
    if not choices.elements:
        problems += _mixed_elements(taken)
    problems += _absent_info(taken, choices)
    roles: dict[str, str] = {}
    try:
        roles = imported_roles((item.frame.domain for item in taken), choices.roles)
    except ValueError as exception:
        problems.append(Problem('all files', None, str(exception)))
    if problems:
        raise ImportRefusedError(problems)
    return replace(_assemble(taken, choices), roles=roles), sources


def _read_file(
    path: Path,
    choices: ImportChoices,
    progress: Progress,
    taken: list[Located],
    problems: list[Problem],
) -> list[SourceFile]:
    """Add the good frames and the problems of one file to the lists."""
    count = 0
    try:
        name = file_format(path, choices)
        total = check_complete(path, name, choices)
        for index, atoms in enumerate(progress(iterate_frames(path, name), path.name, total)):
            count += 1
            try:
                taken.append(Located(path, index, check_frame(atoms, choices)))
            except BadFrameError as exception:
                problems += [Problem(str(path), index, reason) for reason in exception.reasons]
        if not count:
            raise BrokenFileError('the file holds no frames')
        return [SourceFile(path.name, file_sha256(path), name, count)]
    except BrokenFileError as exception:
        problems.append(Problem(str(path), exception.frame, str(exception)))
        return []


def _duplicates(taken: Sequence[Located]) -> list[Problem]:
    """Find equal atoms, positions and cells, whatever their labels."""
    seen: dict[bytes, Located] = {}
    problems = []
    for item in taken:
        frame = item.frame
        key = hashlib.sha256(frame.numbers.tobytes() + frame.pbc.tobytes())
        for array in (frame.positions, frame.cell):
            key.update((array + 0.0).tobytes())
        first = seen.setdefault(key.digest(), item)
        if first is not item:
            text = f'is a copy of frame {first.index} of {first.path} (`allow_duplicates`)'
            problems.append(Problem(str(item.path), item.index, text))
    return problems


def _mixed_elements(taken: Sequence[Located]) -> list[Problem]:
    """Name the first frame that brings a second element."""
    known: set[str] = set()
    where: Located | None = None
    for item in taken:
        here = {chemical_symbols[number] for number in np.unique(item.frame.numbers)}
        if where is None and len(known | here) > 1:
            where = item
        known |= here
    if where is None:
        return []
    text = f'more than one element from here on; declare `elements`: {",".join(sorted(known))}'
    return [Problem(str(where.path), where.index, text)]


def _absent_info(taken: Sequence[Located], choices: ImportChoices) -> list[Problem]:
    return [
        Problem('all files', None, f'no frame has a number under the key `{key}`')
        for key in choices.info
        if taken and all(np.isnan(item.frame.info[key]) for item in taken)
    ]


def _assemble(taken: Sequence[Located], choices: ImportChoices) -> Configurations:
    frames = [item.frame for item in taken]
    stresses = np.array([frame.stress for frame in frames])
    return Configurations(
        n_atoms=np.array([len(frame.numbers) for frame in frames], dtype=np.int64),
        numbers=np.concatenate([frame.numbers for frame in frames]),
        positions=np.concatenate([frame.positions for frame in frames]),
        cells=np.array([frame.cell for frame in frames]),
        pbc=np.array([frame.pbc for frame in frames]),
        domains=np.array([frame.domain for frame in frames], dtype=np.str_),
        blocks=number_blocks(taken, choices),
        energies=np.array([frame.energy for frame in frames]),
        forces=np.concatenate([frame.forces for frame in frames]),
        stresses=stresses if np.isfinite(stresses).any() else None,
        info={key: np.array([frame.info[key] for frame in frames]) for key in choices.info},
    )
