"""What a study trains on: production frames of the densities, in an order of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from aiida_enne.science.checks import count, distinct, text
from aiida_enne.science.data.configurations import Configurations, concatenate
from aiida_enne.science.data.splits import Split
from aiida_enne.science.fields import Integers
from aiida_enne.science.options import Options, option
from aiida_enne.science.structures.domains import Domain, kinds_of

#: Numbers that training frames keep; the others depend on how they were computed.
KEPT_INFO = ('time', 'temperature')


@dataclass(frozen=True, kw_only=True)
class Draw(Options):
    """How a training set is drawn from the training part of a split, see `thin`.

    Attributes:
        size: Size of the set.
        seed: Seed of the draw.
        index: Number of the set among those of one seed.
        within: Domains to draw from; all of the pool's by default.
    """

    size: int = option(count)
    seed: int = option(partial(count, minimum=0), 1)
    index: int = option(partial(count, minimum=0), 0)
    within: tuple[str, ...] | None = option(partial(distinct, check=text), None)


def order_liquids(kinds: Mapping[str, Domain]) -> list[str]:
    """Return domains of liquids by density, then temperature.

    Args:
        kinds: What every domain is.

    Raises:
        ValueError: If there is none, or one is not a liquid.
    """
    if others := sorted(name for name, one in kinds.items() if one.family != 'liquid'):
        raise ValueError(f'only liquids are trained on, got {others}')
    if not kinds:
        raise ValueError('there is no liquid to train on')
    return sorted(
        kinds, key=lambda name: (kinds[name].density or 0.0, kinds[name].temperature or 0.0)
    )


def production_indices(configurations: Configurations, domains: Sequence[str]) -> Integers:
    """Return the frames of the domains: by density, and within each in order of time.

    Raises:
        ValueError: If a domain has no frames.
    """
    chosen = []
    for name in order_liquids(kinds_of(domains, configurations.roles)):
        frames = np.flatnonzero(configurations.domains == name)
        if not len(frames):
            raise ValueError(f'there are no frames of {name!r}')
        chosen.append(frames)
    return np.concatenate(chosen).astype(np.int64)


def take_production(configurations: Configurations, domains: Sequence[str]) -> Configurations:
    """Return the frames of the domains as they would be, had nothing else ever been computed.

    Order, block numbers and further numbers depend on these frames alone, so that a model that
    was trained on them is known again when the series has grown by other temperatures.

    Raises:
        ValueError: If a domain has no frames.
    """
    parts = []
    for name in order_liquids(kinds_of(domains, configurations.roles)):
        part = configurations.select(production_indices(configurations, [name]))
        stresses = part.stresses
        if stresses is not None and not np.isfinite(stresses).any():
            stresses = None
        parts.append(
            replace(
                part,
                blocks=np.unique(part.blocks, return_inverse=True)[1].reshape(-1).astype(np.int64),
                stresses=stresses,
                info={key: part.info[key] for key in KEPT_INFO if key in part.info},
            )
        )
    return concatenate(parts)


def map_split(whole: Configurations, domains: Sequence[str], split: Split) -> Split:
    """Return a split of the production frames as one of all that they were taken from.

    Other liquids, which nothing was trained on, join the test; melts are left out.

    Args:
        whole: What `take_production` was given.
        domains: What `take_production` was given.
        split: Of what `take_production` returned.
    """
    indices = production_indices(whole, domains)
    known = set(domains)
    others = [
        name for name, kind in whole.kinds.items() if name not in known and kind.family == 'liquid'
    ]
    test = np.concatenate(
        [indices[split.test], np.flatnonzero(np.isin(whole.domains, others)).astype(np.int64)]
    )
    return Split(indices[split.train], indices[split.validation], test)


def thin(
    domains: Sequence[str] | np.ndarray,
    split: Split,
    size: int,
    *,
    seed: int,
    index: int = 0,
    within: Sequence[str] | None = None,
) -> Split:
    """Draw one random training set of a size from the training part of a split.

    Smaller sets of one seed and index are parts of larger ones.

    Args:
        domains: Domain of every configuration, shape (n,).
        split: Its `train` is the pool; validation and test are untouched.
        size: Size of the set; the same number from every domain, what does not divide is left out.
        seed: Seed of the draw.
        index: Number of the set among those of one seed.
        within: Domains to draw from, all of the pool's by default.

    Raises:
        ValueError: If the pool is too small, or a domain is not in it.
    """
    labels = np.asarray(domains)
    pool = sorted(set(labels[split.train].tolist()))
    chosen = pool if within is None else sorted(within)
    if missing := sorted(set(chosen) - set(pool)):
        raise ValueError(f'nothing to train on in {missing}; the pool has {pool}')
    each = size // len(chosen)
    drawn = []
    rng = np.random.default_rng([seed, index])
    for name in pool:  # every domain takes its numbers, so that leaving one out changes no other
        members = rng.permutation(split.train[labels[split.train] == name])
        if name not in chosen:
            continue
        if not 0 < each <= len(members):
            raise ValueError(
                f'{name}: cannot draw {each} of {len(members)} configurations for a training set '
                f'of {size} from {len(chosen)} domains'
            )
        drawn.append(members[:each])
    return Split(np.concatenate(drawn), split.validation, split.test)
