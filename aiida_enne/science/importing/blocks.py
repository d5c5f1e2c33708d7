"""Which frames are relatives: trajectory blocks from keys, or from files and domains."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.data.relatives import relatives
from aiida_enne.science.fields import Integers
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.frame import Frame
from aiida_enne.science.structures.domains import in_order

#: Longest whole number that is surely an int64.
_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Located:
    """A frame that passed, with its file and its index in it."""

    path: Path
    index: int
    frame: Frame


def number_blocks(taken: Sequence[Located], choices: ImportChoices) -> Integers:
    """Number the trajectory blocks, shape (n,).

    - With `block_key`, equal values are one block, across files too.
    - Without, the key `block`, which this package's export writes, tells apart the blocks of a
      file in which every frame has it (unless `block_size` is given).
    - Else the frames of one file and domain are one block: the frames of a trajectory are
      relatives, and parts that share relatives are no test. `block_size` cuts it in pieces.

    Whole numbers are kept as they are unless two files could both use one.
    """
    if choices.block_key is not None:
        return _keep_or_number([(_own(item.frame),) for item in taken])
    keyed: set[Path] = set()
    if choices.block_size is None:
        without = {item.path for item in taken if item.frame.block is None}
        keyed = {item.path for item in taken} - without
    if len({item.path for item in taken}) == 1 and keyed:
        return _keep_or_number([(_own(item.frame),) for item in taken])
    size, lengths = choices.block_size or len(taken), dict[tuple[str, str], int]()
    tokens: list[tuple[str, ...]] = []
    for item in taken:
        if item.path in keyed:
            tokens.append((str(item.path), _own(item.frame)))
            continue
        trajectory = (str(item.path), item.frame.domain)
        place = lengths.get(trajectory, 0)
        lengths[trajectory] = place + 1
        tokens.append((*trajectory, str(place // size)))
    return _by_first(tokens)


def join_copies(
    taken: Sequence[Located], choices: ImportChoices, configurations: Configurations
) -> tuple[Integers, list[str]]:
    """Return blocks of which single frames that are copies of one structure share one, shape (n,).

    Single are frames alone of their domain in their file, as the files of static calculations hold
    them, of which neither a key nor `block_size` says the block.

    Args:
        taken: Frames in the order of files and frames.
        choices: Of the import.
        configurations: The same frames, with the blocks of `number_blocks`.

    Returns:
        The blocks, and one sentence on each domain where some were joined.
    """
    blocks, notes = configurations.blocks.copy(), list[str]()
    if choices.block_key is not None or choices.block_size is not None:
        return blocks, notes
    single = np.array([item.frame.block is None for item in taken])
    place, counts = np.unique(blocks, return_inverse=True, return_counts=True)[1:]
    single &= counts[place.reshape(-1)] == 1
    for domain in in_order(configurations.domains[single].tolist()):
        own = np.flatnonzero(single & (configurations.domains == domain))
        group = relatives(configurations, own)
        first = np.unique(group, return_index=True)[1]
        blocks[own] = blocks[own[first[group]]]
        copies = np.bincount(group)
        if joined := int(copies[copies > 1].sum()):
            count = int((copies > 1).sum())
            several = 'one structure' if count == 1 else f'{count} structures'
            notes.append(
                f'{joined} single frames of {domain} are copies of {several} but for a strain or '
                'small displacements: copies of one structure are one block (`block_size` of 1 '
                'keeps them apart)'
            )
    return blocks, notes


def _own(frame: Frame) -> str:
    return '' if frame.block is None else frame.block


def _keep_or_number(tokens: Sequence[tuple[str, ...]]) -> Integers:
    values = [value for (value,) in tokens]
    if all(v.isascii() and v.isdigit() and len(v) <= _DIGITS for v in values):
        return np.array([int(value) for value in values], dtype=np.int64)
    return _by_first(tokens)


def _by_first(tokens: Sequence[tuple[str, ...]]) -> Integers:
    """Number by the order of first occurrence."""
    order: dict[tuple[str, ...], int] = {}
    return np.array([order.setdefault(token, len(order)) for token in tokens], dtype=np.int64)
