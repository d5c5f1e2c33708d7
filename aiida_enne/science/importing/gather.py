"""Files to configurations: all of them pass, or all that is wrong is said and none is taken."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ase import Atoms

from aiida_enne.science.importing.checking import Found, Imported, conclude, doubt, take
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.formats import NAME_IT, file_format
from aiida_enne.science.importing.labels import unconverged
from aiida_enne.science.importing.problems import BrokenFileError, Problem
from aiida_enne.science.importing.reading import (
    MISREAD,
    Readers,
    check_complete,
    file_sha256,
    iterate_frames,
)

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
    paths: Sequence[Path],
    choices: ImportChoices,
    progress: Progress = _silent,
    readers: Readers | None = None,
) -> Imported:
    """Read every frame of every file and check it.

    Trajectory blocks are those of `blocks.number_blocks` and `blocks.join_copies`.

    Args:
        paths: Files in any format that ASE reads, or `.npz` files of this package.
        choices: Keys, units, labels and permissions.
        progress: Called once per file.
        readers: Own readers by the name of the format.

    Returns:
        Configurations, files and what there is to say.

    Raises:
        ImportRefusedError: If anything is wrong anywhere; it lists all of it.
    """
    if not paths:
        raise ValueError('there are no files to import')
    found = Found()
    for path in paths:
        _read_file(path, choices, progress, readers or {}, found)
    return conclude(found, choices)


def _read_file(
    path: Path, choices: ImportChoices, progress: Progress, readers: Readers, found: Found
) -> None:
    """Add the good frames and the problems of one file."""
    count, file = 0, str(path)
    try:
        name = file_format(path, choices)
        if name in MISREAD and name not in readers:
            raise BrokenFileError(f'as {name} it can be read by `aiida-enne dataset import` only')
        if name in readers:
            own = readers[name](path, choices)
            total: int | None = len(own.frames)
            frames, doubts = iter(own.frames), dict[int, str]()
            doubt([Problem(file, None, text) for text in own.doubts], choices, found)
            if not choices.allow_implausible:
                found.problems += [Problem(file, None, text) for text in own.questions]
        else:
            total = check_complete(path, name, choices)
            frames, doubts = iterate_frames(path, name), unconverged(path, name)
        for index, atoms in enumerate(progress(frames, path.name, total)):
            count += 1
            if index in doubts:
                doubt([Problem(file, index, doubts[index])], choices, found)
            else:
                take(path, index, atoms, choices, found)
        if not count:
            text = f'as {name} the file holds no frames; if it is something else, {NAME_IT}'
            raise BrokenFileError(text)
        found.sources.append(SourceFile(path.name, file_sha256(path), name, count))
    except BrokenFileError as exception:
        found.problems.append(Problem(file, exception.frame, str(exception)))
