"""A split is indices into a dataset, never copies of it; each recipe says what it keeps apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Integers, Strings
from aiida_enne.science.structures.domains import in_order

PARTS = ('train', 'validation', 'test')


@dataclass(frozen=True, slots=True)
class Split:
    """Indices of the training, validation and test configurations, each in increasing order.

    Raises:
        ValueError: If training or validation is empty, an index repeats or stands in two parts.
    """

    train: Integers
    validation: Integers
    test: Integers

    def __post_init__(self) -> None:
        for part in PARTS:
            object.__setattr__(self, part, np.sort(np.asarray(getattr(self, part), dtype=np.int64)))
        for part in PARTS[:2]:
            if not len(getattr(self, part)):
                raise ValueError(f'the part `{part}` of the split is empty')
        together = np.concatenate([self.train, self.validation, self.test])
        if together.min() < 0:
            raise ValueError(f'indices must not be negative, got {together.min()}')
        values, counts = np.unique(together, return_counts=True)
        if (counts > 1).any():
            raise ValueError(
                f'configurations {values[counts > 1][:5].tolist()} stand in more than one place '
                'of the split: the parts must be disjoint'
            )

    def as_arrays(self) -> dict[str, Integers]:
        """Return the parts by name."""
        return {part: getattr(self, part) for part in PARTS}


def split_by_domain(domains: Strings, parts: Mapping[str, Sequence[str]]) -> Split:
    """Give whole domains to the parts, e.g. `{'train': ['liquid'], 'test': ['bcc', 'fcc']}`.

    Raises:
        ValueError: If a domain does not exist, is given twice, or a needed part is empty.
    """
    known = set(np.unique(domains).tolist())
    given = [label for labels in parts.values() for label in labels]
    if unknown := in_order(set(given) - known):
        raise ValueError(f'no configurations in the domains {unknown}; there are {in_order(known)}')
    if twice := in_order({label for label in given if given.count(label) > 1}):
        raise ValueError(f'the domains {twice} are given to more than one part')
    return Split(*(np.flatnonzero(np.isin(domains, list(parts.get(p, ())))) for p in PARTS))


def split_random(n: int, sizes: Sequence[int], *, seed: int) -> Split:
    """Draw the parts at random, whatever their blocks: relatives may fall on both sides.

    Args:
        n: Number of configurations to draw from.
        sizes: Sizes of training, validation and test.
        seed: The same arguments always give the same split.

    Raises:
        ValueError: If more configurations are asked for than there are.
    """
    _check_sizes(n, sizes)
    order = np.random.default_rng(seed).permutation(n)
    return _cut(order, sizes)


def split_by_blocks(
    domains: Strings,
    blocks: Integers,
    fractions: Sequence[float],
    *,
    gap: int = 0,
    whole: bool = False,
) -> Split:
    """Cut every trajectory into three contiguous stretches, `gap` configurations left out between.

    Frames a femtosecond apart are nearly copies of each other: only distance in time keeps the
    test honest (the first pitfall of every such study).

    Args:
        domains: Domain per configuration, shape (n,).
        blocks: Trajectory block per configuration, shape (n,); frames in order of time.
        fractions: Shares of training, validation and test, summing to at most 1.
        gap: Configurations dropped at each of the two cuts.
        whole: Deal out whole trajectories instead, see `split_whole_blocks`.

    Raises:
        ValueError: If a trajectory is too short for three stretches and two gaps.
    """
    shares = _check_fractions(fractions)
    if whole:
        if gap:
            raise ValueError(f'whole trajectories have no cut for a `gap`, got {gap}')
        return split_whole_blocks(domains, blocks, fractions)
    if gap < 0:
        raise ValueError(f'`gap` must not be negative, got {gap}')
    parts: list[list[NDArray[np.int64]]] = [[], [], []]
    for frames in _groups(domains, blocks):
        usable = len(frames) - gap * (sum(share > 0 for share in shares) - 1)
        counts = [int(share * usable) for share in shares]
        if any(share > 0 and not count for share, count in zip(shares, counts, strict=True)):
            raise ValueError(
                f'a block of {len(frames)} configurations cannot be cut by {list(fractions)} '
                f'with a gap of {gap}'
            )
        start = 0
        for part, count in zip(parts, counts, strict=True):
            part.append(frames[start : start + count])
            start += count + gap * bool(count)
    return Split(*(np.concatenate(part) for part in parts))


def split_whole_blocks(domains: Strings, blocks: Integers, fractions: Sequence[float]) -> Split:
    """Deal out whole trajectories, so that no part knows a relative of another part's frames.

    The longest comes first, each goes where most configurations are still missing, and every part
    with a share gets one. Each domain is dealt out by itself if all have enough trajectories of
    their own, else all together.

    Args:
        domains: Domain per configuration, shape (n,).
        blocks: Trajectory block per configuration, shape (n,).
        fractions: Shares of training, validation and test, summing to at most 1; what is left of
            1 is left out.

    Raises:
        ValueError: If there are fewer trajectories than parts with a share.
    """
    shares = np.array([*(found := _check_fractions(fractions)), max(1 - sum(found), 0)])
    wanted = int(sum(share > 0 for share in fractions))
    groups: dict[str, dict[int, list[int]]] = {}
    homes: dict[int, set[str]] = {}
    for index, (domain, block) in enumerate(zip(domains.tolist(), blocks.tolist(), strict=True)):
        groups.setdefault(domain, {}).setdefault(block, []).append(index)
        homes.setdefault(block, set()).add(domain)
    apart = all(len(home) == 1 for home in homes.values())
    if not apart or min(len(group) for group in groups.values()) < wanted:
        every = {block: np.flatnonzero(blocks == block).tolist() for block in homes}
        groups = {'all': every}
    parts: list[list[int]] = [[] for _ in shares]
    for group in groups.values():
        if len(group) < wanted:
            raise ValueError(
                f'{len(group)} trajectories cannot fill {wanted} parts as a whole: give a part the '
                'share 0 (`fractions`), or cut within trajectories (`shared_blocks`, with a `gap`)'
            )
        dealt = _deal(list(group.values()), shares, wanted)
        parts = [part + members for part, members in zip(parts, dealt, strict=True)]
    return Split(*(np.array(part, dtype=np.int64) for part in parts[: len(PARTS)]))


def _deal(
    trajectories: list[list[int]], shares: NDArray[np.float64], wanted: int
) -> list[list[int]]:
    """Deal trajectories out to three parts and to what is left out."""
    total = sum(map(len, trajectories))
    parts: list[list[int]] = [[] for _ in shares]
    order = sorted(trajectories, key=lambda members: (-len(members), members[0]))
    for number, members in enumerate(order):
        missing = shares * total - np.array([len(part) for part in parts])
        empty = [p for p in range(len(PARTS)) if shares[p] > 0 and not parts[p]]
        if len(order) - number <= len(empty):
            missing[[p for p in range(len(parts)) if p not in empty]] = -np.inf
        parts[int(np.argmax(missing))] += members
    return parts


def split_per_domain(domains: Strings, sizes: Sequence[int], *, seed: int) -> Split:
    """Draw the same number from every domain: the paper's split (D3), a density being a domain.

    Args:
        domains: Domain per configuration, shape (n,).
        sizes: Sizes of training, validation and test over all domains, each a multiple of
            their number.
        seed: The same arguments always give the same split.

    Raises:
        ValueError: If a size is not a multiple of the number of domains or a domain is too small.
    """
    labels = np.unique(domains)
    if any(size % len(labels) for size in sizes):
        raise ValueError(f'sizes {list(sizes)} must be multiples of the {len(labels)} domains')
    each = [size // len(labels) for size in sizes]
    rng = np.random.default_rng(seed)
    cuts = []
    for label in labels:
        members = np.flatnonzero(domains == label)
        _check_sizes(len(members), each, f'domain {label!s}: ')
        cuts.append(_cut(rng.permutation(members), each))
    return Split(*(np.concatenate([getattr(cut, part) for cut in cuts]) for part in PARTS))


def draw(configurations: Configurations, *, method: str, **options: Any) -> Split:
    """Split by a method's name: 'domain', 'blocks', 'random' or 'per_domain'.

    Args:
        configurations: What is split.
        method: Which of the functions of this module draws.
        **options: Its `seed`, `sizes`, `fractions`, `gap`, `whole` or `parts`; `within` restricts
            every method to the domains that it lists, `rest_to_test` tests on all others.

    Raises:
        ValueError: If the method or an option is unknown, or the method refuses.
    """
    within, rest = options.pop('within', None), bool(options.pop('rest_to_test', False))
    pool = np.arange(len(configurations))
    if within is not None:
        pool = np.flatnonzero(np.isin(configurations.domains, list(within)))
        if missing := sorted(set(within) - set(configurations.domains.tolist())):
            there = sorted(set(configurations.domains.tolist()))
            raise ValueError(f'no configurations in the domains {missing}; there are {there}')
    domains, blocks = configurations.domains[pool], configurations.blocks[pool]
    methods: dict[str, Callable[..., Split]] = {
        'domain': partial(split_by_domain, domains),
        'blocks': partial(split_by_blocks, domains, blocks),
        'random': partial(split_random, len(pool)),
        'per_domain': partial(split_per_domain, domains),
    }
    if method not in methods:
        raise ValueError(f'no method `{method}` to split by; choose from {sorted(methods)}')
    _check_options(method, methods[method], options)
    split = methods[method](**options)
    train, validation, test = (pool[getattr(split, part)] for part in PARTS)
    others = np.setdiff1d(np.arange(len(configurations)), pool)
    return Split(train, validation, np.concatenate([test, others]) if rest else test)


def _check_options(method: str, function: Callable[..., Split], given: Mapping[str, Any]) -> None:
    """Refuse options that a method does not take, and the lack of those that it needs."""
    known = signature(function).parameters
    if unknown := [name for name in given if name not in known]:
        takes = ', '.join(f'`{name}`' for name in known)
        raise ValueError(f'`method` {method} does not take `{unknown[0]}`; it takes {takes}')
    needed = [name for name, one in known.items() if one.default is one.empty]
    if missing := [name for name in needed if name not in given]:
        raise ValueError(f'`method` {method} needs `{missing[0]}`')


def spread_evenly(domains: Strings, most: int) -> Integers:
    """Return at most so many frames of each domain, evenly spread over those that there are.

    Args:
        domains: Domain of each frame, shape (n,).
        most: Frames of a domain at most, 1 or more.
    """
    chosen: list[int] = []
    for name in np.unique(domains).tolist():
        own = np.flatnonzero(domains == name)
        at = np.linspace(0, len(own) - 1, min(most, len(own)))
        chosen += own[np.round(at).astype(int)].tolist()
    return np.array(sorted(chosen), dtype=np.int64)


def shared_blocks(split: Split, blocks: Integers) -> list[int]:
    """Return the trajectory blocks that have configurations in more than one part."""
    parts = [set(blocks[getattr(split, part)].tolist()) for part in PARTS]
    return sorted((parts[0] & parts[1]) | (parts[0] & parts[2]) | (parts[1] & parts[2]))


def _groups(domains: Strings, blocks: Integers) -> list[NDArray[np.int64]]:
    pairs = np.unique(np.stack([domains, blocks.astype(str)], axis=1), axis=0)
    return [np.flatnonzero((domains == d) & (blocks.astype(str) == b)) for d, b in pairs]


def _cut(order: NDArray[np.int64], sizes: Sequence[int]) -> Split:
    bounds = np.cumsum(sizes)
    return Split(order[: bounds[0]], order[bounds[0] : bounds[1]], order[bounds[1] : bounds[2]])


def _check_sizes(n: int, sizes: Sequence[int], where: str = '') -> None:
    if min(sizes) < 0 or sum(sizes) > n:
        raise ValueError(f'{where}cannot draw {list(sizes)} from {n} configurations')


def _check_fractions(fractions: Sequence[float]) -> Sequence[float]:
    if len(fractions) != len(PARTS) or min(fractions) < 0 or sum(fractions) > 1 + 1e-12:
        raise ValueError(f'expected three shares that sum to at most 1, got {list(fractions)}')
    return fractions
