"""Frames of one engine that another one labels: which, and joined with their labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.data.labelling import ORIGIN
from aiida_enne.science.fields import Integers


def thin(frames: Configurations, n: int | None = None) -> Configurations:
    """Return frames without labels, at most n of each domain of each trajectory or path.

    They are evenly spread in their order. The last one is always among them: a relaxation ends
    with it, and another trajectory may start from it.

    Args:
        frames: `info['configuration']` says which trajectory or path a frame is of.
        n: At least 1; None for all.

    Raises:
        ValueError: If n is below 1, or the frames do not tell what they are of.
    """
    if n is not None and n < 1:
        raise ValueError(f'`frames` must be at least 1, got {n}')
    kept = np.arange(len(frames))
    if n is not None:
        kept = np.sort(np.concatenate([_spread(some, n) for some in _paths(frames)]))
    return frames.unlabelled().select(kept)


def _paths(frames: Configurations) -> list[Integers]:
    """Return the frames of every domain of every trajectory or path."""
    if ORIGIN not in frames.info:
        raise ValueError(f'the frames do not tell their `{ORIGIN}`')
    origin = frames.info[ORIGIN].astype(np.int64)
    pairs = dict.fromkeys(zip(origin.tolist(), frames.domains.tolist(), strict=True))
    return [
        np.flatnonzero((origin == one) & (frames.domains == domain)).astype(np.int64)
        for one, domain in pairs
    ]


def _spread(indices: Integers, n: int) -> Integers:
    """Return n of some indices, evenly spread, the last one among them."""
    last = len(indices) - 1
    # counted from the end: of one frame it is the last
    back = np.round(np.linspace(0, last, min(n, last + 1))).astype(np.int64)
    chosen: Integers = indices[last - back]
    return chosen


def take_ends(frames: Configurations, n: int) -> Configurations:
    """Return the last frame of each of n paths, without labels and numbers of the path.

    Raises:
        ValueError: If a path has no frame.
    """
    origin = frames.info[ORIGIN].astype(np.int64)
    last = {int(one): index for index, one in enumerate(origin)}
    if missing := [one for one in range(n) if one not in last]:
        raise ValueError(f'nothing goes on from the configurations {missing}: they have no frame')
    ends = frames.unlabelled().select([last[one] for one in range(n)])
    return replace(ends, info={})


def restore(frames: Configurations, labelled: Configurations) -> Configurations:
    """Return labels with what the frames that they belong to tell: time, step, converged, origin.

    Args:
        frames: What was labelled.
        labelled: `info['configuration']` is the index of the frame.

    Raises:
        ValueError: If a label belongs to no frame.
    """
    index = labelled.info[ORIGIN].astype(np.int64)
    if len(index) and not (index.min() >= 0 and index.max() < len(frames)):
        raise ValueError(f'there are {len(frames)} frames, labels belong to {index.tolist()}')
    return replace(
        labelled, info=labelled.info | {name: one[index] for name, one in frames.info.items()}
    )
