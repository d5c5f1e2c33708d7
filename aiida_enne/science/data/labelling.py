"""Many configurations cut into pieces that are labelled apart, and joined as if never cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from aiida_enne.science.data.configurations import Configurations, concatenate

#: Name of the number that says which configuration of the input a frame belongs to.
ORIGIN = 'configuration'


def cut(configurations: Configurations, size: int) -> list[Configurations]:
    """Cut configurations into pieces of at most `size`, in their order.

    Raises:
        ValueError: If the size is not positive.
    """
    if size < 1:
        raise ValueError(f'a piece must hold at least 1 configuration, got {size}')
    n = len(configurations)
    return [
        configurations.select(np.arange(first, min(first + size, n))) for first in range(0, n, size)
    ]


def join(
    whole: Configurations, pieces: Mapping[int, Configurations], size: int
) -> Configurations | None:
    """Join labelled pieces in the order of the whole, each frame with its own block and domain.

    Pieces are labelled apart, so that relatives in two pieces no longer know of each other: blocks
    are taken from the whole, lest a split parts what belongs together.

    Args:
        whole: What `cut` was given.
        pieces: Labelled frames by number of the piece; `info['configuration']` is the index within
            the piece.
        size: What `cut` was given.

    Returns:
        All labelled frames, `info['configuration']` the index in the whole; None if there are none.

    Raises:
        ValueError: If a frame does not tell its origin, or does not fit it.
    """
    if not pieces:
        return None
    for number, piece in pieces.items():
        if ORIGIN not in piece.info:
            raise ValueError(f'the frames of piece {number} do not tell their `{ORIGIN}`')
    numbers = sorted(pieces)
    joined = concatenate([pieces[number] for number in numbers])
    origin = np.concatenate(
        [pieces[number].info[ORIGIN].astype(np.int64) + number * size for number in numbers]
    )
    if len(np.unique(origin)) < len(origin):
        raise ValueError('a configuration has been labelled twice')
    order = np.argsort(origin)
    joined, origin = joined.select(order), origin[order]
    expected = whole.select(origin)
    if not np.array_equal(joined.n_atoms, expected.n_atoms) or not np.array_equal(
        joined.numbers, expected.numbers
    ):
        raise ValueError('the labelled frames have other atoms than the configurations')
    return replace(
        joined,
        blocks=expected.blocks,
        domains=expected.domains,
        roles=expected.roles,
        info={**joined.info, ORIGIN: origin.astype(np.float64)},
    )


def list_failures(
    whole: Configurations, joined: Configurations | None, reasons: Mapping[int, str]
) -> list[dict[str, object]]:
    """Return index, domain and reason of every configuration that has no label.

    Args:
        whole: All configurations.
        joined: The labelled ones, as `join` gives them.
        reasons: By index in the whole.
    """
    done = set() if joined is None else set(joined.info[ORIGIN].astype(int).tolist())
    return [
        {
            'configuration': index,
            'domain': str(whole.domains[index]),
            'message': reasons.get(index, 'no reason was given'),
        }
        for index in range(len(whole))
        if index not in done
    ]
