"""Points of error over spread from any number of datasets (F7, S9) and what they say by domain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats, Strings
from aiida_enne.science.properties.curves import check_energies
from aiida_enne.science.properties.formation import Formation
from aiida_enne.science.structures.domains import Domain, Family, in_order
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.alignment import Offsets
from aiida_enne.science.uncertainty.audit import Audit
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF
from aiida_enne.science.uncertainty.exchange import Exchange, exchange_widths
from aiida_enne.science.uncertainty.scores import Scalars, calibration, finite
from aiida_enne.science.uncertainty.thresholds import flag_errors

#: Unit of energies of whole configurations.
PER_ATOM = 'eV/atom'

#: What a scatter holds of every point.
_ARRAYS = ('spread', 'error', 'domain', 'families', 'unit', 'marked', 'errors')


@dataclass(frozen=True, slots=True)
class Scatter:
    """Spread and error of n energies.

    Attributes:
        spread: σ, shape (n,).
        error: ε, signed, shape (n,).
        domain: Domain of each point, shape (n,).
        families: Family of each point's domain; the domain itself where it has none, shape (n,).
        unit: Unit of each point, shape (n,): 'eV/atom', 'eV' or 'eV per surface atom'.
        marked: Where the ensemble has the lowest energy of a phase, shape (n,).
        n_members: M.
        ddof: See `ensemble.spread`.
        width: How the values of another estimator than σ of the ensemble are called.
        errors: Errors of the members, shape (n, M); NaN where they are not known.
    """

    spread: Floats
    error: Floats
    domain: Strings
    families: Strings
    unit: Strings
    marked: NDArray[np.bool_]
    n_members: int
    ddof: int
    width: str = ''
    errors: Floats = field(default_factory=lambda: np.empty((0, 0)))

    def __post_init__(self) -> None:
        if not self.errors.size:
            unknown = np.full((len(self.spread), self.n_members), np.nan)
            object.__setattr__(self, 'errors', unknown)

    def __len__(self) -> int:
        return len(self.spread)

    def select(self, chosen: NDArray[np.bool_]) -> Scatter:
        """Return the chosen points, `chosen` of shape (n,)."""
        return replace(self, **{name: getattr(self, name)[chosen] for name in _ARRAYS})

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Whether both σ and |ε| have a logarithm, shape (n,)."""
        return np.asarray((self.spread > 0) & (self.error != 0))

    def of(self, families: Sequence[str]) -> Scatter:
        """Return the points of some families, e.g. ('liquid',) for F7a."""
        return self.select(np.isin(self.families, families))


def of_energies(
    configurations: Configurations,
    energies: Floats,
    *,
    ddof: int = PAPER_DDOF,
    offsets: Offsets | None = None,
) -> Scatter:
    """Return one point per labelled configuration: energies per atom.

    Args:
        configurations: Labelled configurations, n of them.
        energies: Total energies of the M members in eV, shape (M, n).
        ddof: See `ensemble.spread`.
        offsets: Own zeros of the reference and the members, taken off where given.

    Raises:
        ValueError: If labels are missing or shapes disagree.
    """
    check_energies(configurations, energies)
    if configurations.energies is None:
        raise ValueError('errors need labelled configurations')
    reference = configurations.energies / configurations.n_atoms
    members = energies.astype(np.float64) / configurations.n_atoms
    if offsets is not None:
        reference = reference - offsets.reference
        members = members - offsets.members[:, None]
    mean = ensemble.mean(members)
    marked = np.zeros(len(mean), dtype=bool)
    kinds = configurations.kinds
    for name, kind in kinds.items():
        if kind.family == 'phase':
            own = np.flatnonzero(configurations.domains == name)
            marked[own[int(mean[own].argmin())]] = True
    return Scatter(
        ensemble.spread(members, ddof=ddof),
        mean - reference,
        configurations.domains,
        np.array([_family(kinds[name]) for name in configurations.domains.tolist()]),
        np.full(len(mean), PER_ATOM),
        marked,
        len(energies),
        ddof,
        errors=(members - reference).T,
    )


def of_audit(audit: Audit, *, aligned: bool = False) -> Scatter:
    """Return one point per configuration of an audit, with the values of its estimator.

    Args:
        audit: Result of an audit.
        aligned: Whether each one's own zero is taken off.

    Raises:
        ValueError: If this is asked of an audit without alignment.
    """
    prefix, arrays = 'aligned' if aligned else 'energy', audit.arrays
    if f'{prefix}_spread' not in arrays:
        raise ValueError('this audit was not aligned: it has no domain to take the zeros from')
    names = arrays['domain_names'][arrays['domain_index']]
    return Scatter(
        arrays[f'{prefix}_spread'],
        arrays[f'{prefix}_mean'] - arrays[f'{prefix}_reference'],
        names,
        names,
        np.full(len(names), PER_ATOM),
        np.zeros(len(names), dtype=bool),
        int(audit.pooled['n_members'] or 0),
        audit.parameters['ddof'],
        audit.width_label,
    )


def of_formations(formations: Iterable[Formation]) -> Scatter:
    """Return one point per step of every path that has a reference.

    Raises:
        ValueError: If there is no such path, or members or `ddof` differ.
    """
    points = [
        Scatter(
            item.spread,
            item.error,
            np.full(len(item.steps), item.domain),
            np.full(len(item.steps), _family(item.kind)),
            np.full(len(item.steps), item.unit),
            np.zeros(len(item.steps), dtype=bool),
            len(item.members),
            item.ddof,
            errors=(item.members - item.reference).T,
        )
        for item in formations
        if np.isfinite(item.reference).all()
    ]
    return join(points)


def _family(kind: Domain) -> str:
    if kind.family != 'other':
        return kind.family
    # free text may be the name of a family: it is not one
    return f'"{kind.name}"' if kind.name in get_args(Family) else kind.name


def join(scatters: Sequence[Scatter]) -> Scatter:
    """Put the points of several datasets together.

    Raises:
        ValueError: If there is nothing to join, or the numbers of members or `ddof` differ.
    """
    kinds = {(one.n_members, one.ddof) for one in scatters}
    if len(kinds) != 1:
        raise ValueError(f'points of one ensemble with one `ddof` can be joined, got {kinds}')
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(one, name) for one in scatters]) for name in _ARRAYS
    }
    return replace(scatters[0], **arrays)


def agreement(
    scatter: Scatter, *, by: Literal['domain', 'family'] = 'domain'
) -> dict[str, Scalars]:
    """Return how well σ follows |ε|, by domain or by family of domains.

    Returns:
        Of each group: `n`, `mae`, `rmse`, `error_max` (of |ε|), `spread_rms`, `spread_max`,
        `rmse_over_spread`, `ratio_max` (largest |ε|/σ), `cone_coverage`, `rank_correlation`, and by
        the exact test (`uncertainty.exchange`) `rank_correlation_honest`, the median with a member
        as the truth, and `rank_correlation_p_low`; None where undefined.

    Raises:
        ValueError: If points of different units fall into one group.
    """
    labels = scatter.domain if by == 'domain' else scatter.families
    return {
        name: _agreement(scatter.select(labels == name)) for name in sorted(set(labels.tolist()))
    }


def exchange_points(points: Scatter, measure: Callable[[Floats, Floats], float]) -> Exchange | None:
    """Return the exact test of a measure of ε and σ; None where members are not known.

    Args:
        points: n points.
        measure: Of ε (n,) and σ (n,).
    """
    if not len(points) or points.n_members < 3 or not np.isfinite(points.errors).all():
        return None

    def width(members: Floats) -> Floats:
        return ensemble.spread(members, ddof=points.ddof)

    return exchange_widths(points.errors.T, width, {'measure': measure})['measure']


def flags(scatter: Scatter, training_domains: Sequence[str]) -> dict[str, Scalars]:
    """Apply the threshold rule of 'Disc' to energies per atom, by domain.

    Args:
        scatter: Points of the training domains and of all others, in eV/atom.
        training_domains: Those whose largest σ is the threshold.

    Returns:
        What `thresholds.flag` returns and the number of points `n`, by domain.

    Raises:
        ValueError: If a point is not an energy per atom, or none is of the training domains.
    """
    if (scatter.unit != PER_ATOM).any():
        raise ValueError(f'the threshold rule compares energies in {PER_ATOM} only')
    known = np.isin(scatter.domain, training_domains)
    if not known.any():
        raise ValueError(f'no point of the training domains {list(training_domains)}')
    found: dict[str, Scalars] = {}
    for name in in_order(scatter.domain.tolist()):
        inside = scatter.domain == name
        found[name] = flag_errors(scatter.error, scatter.spread, inside, known)
        found[name]['n'] = int(inside.sum())
    return found


def _agreement(points: Scatter) -> Scalars:
    if len(units := set(points.unit.tolist())) > 1:
        raise ValueError(f'{in_order(points.domain.tolist())} mix the units {sorted(units)}')
    error, spread = points.error, points.spread
    rmse, rms_spread = (float(np.sqrt(np.mean(values**2))) for values in (error, spread))
    known = spread > 0
    honest = exchange_points(points, calibration.rank_correlation)
    values: Scalars = {
        'n': len(points),
        'mae': float(np.abs(error).mean()),
        'rmse': rmse,
        'error_max': float(np.abs(error).max()),
        'spread_rms': rms_spread,
        'spread_max': float(spread.max()),
        'rmse_over_spread': rmse / rms_spread if rms_spread > 0 else None,
        'ratio_max': float((np.abs(error[known]) / spread[known]).max()) if known.any() else None,
        'cone_coverage': calibration.cone_coverage(error, spread),
        'rank_correlation': calibration.rank_correlation(error, spread),
        'rank_correlation_honest': None if honest is None else honest.median,
        'rank_correlation_p_low': None if honest is None else honest.p_low,
    }
    return {name: finite(value) for name, value in values.items()}


def is_logarithmic(scatter: Scatter, scale: str) -> bool:
    """Return whether points are shown on logarithmic axes.

    Args:
        scatter: The points.
        scale: 'log', 'linear', or 'auto': logarithmic where all σ and |ε| have a logarithm.
    """
    return scale == 'log' or (scale == 'auto' and bool(scatter.positive.all()))
