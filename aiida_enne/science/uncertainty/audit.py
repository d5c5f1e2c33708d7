"""The audit: what an ensemble claims to know, beside what it knows, domain by domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.data.neighbours import hold_lone_atom
from aiida_enne.science.fields import Floats
from aiida_enne.science.npz import Arrays
from aiida_enne.science.structures.domains import in_order
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.alignment import Offsets
from aiida_enne.science.uncertainty.beside import Beside
from aiida_enne.science.uncertainty.cautions import limits
from aiida_enne.science.uncertainty.confidence import confidence_arrays
from aiida_enne.science.uncertainty.estimators import DEFAULT, Asked
from aiida_enne.science.uncertainty.gates import Gate
from aiida_enne.science.uncertainty.histograms import force_histograms
from aiida_enne.science.uncertainty.judging import find_novelty, judge_samples
from aiida_enne.science.uncertainty.local import local_arrays
from aiida_enne.science.uncertainty.options import AuditOptions, width_label
from aiida_enne.science.uncertainty.reasons import why_undefined
from aiida_enne.science.uncertainty.rule import Row
from aiida_enne.science.uncertainty.samples import Samples, gather
from aiida_enne.science.uncertainty.scores import Scalars
from aiida_enne.science.uncertainty.scores.correlations import correlation_matrix
from aiida_enne.science.uncertainty.summary import Judge, expectations, spread_growth
from aiida_enne.science.uncertainty.thresholds import flag


@dataclass(frozen=True, slots=True)
class Audit:
    """Result of an audit of M members on n configurations in D domains.

    Names begin with `energy_` for energies per atom (eV/atom), `aligned_` for the same less each
    one's own zero, `force_` for force components (eV/Å), `stress_` for stress components (GPa),
    where labels and predictions have them.

    Attributes:
        domains: Scalars by name, by domain in natural order; None where one is not defined.
        pooled: The same over all domains together: to be read beside the others only.
        arrays: What figures draw. `domain_names` (D,), in the order of every axis D.
            Per configuration: `domain_index`, `block` (independent), `volume_per_atom` (Å³),
            and for `energy_` and `aligned_`: `reference`, `mean`, `spread`, each (n,).
            For each of these prefixes: `spread_by_size` and `spread_by_size_std` (D, M - 1)
            over `spread_sizes` with the null `spread_null`; `correlations` and
            `correlations_uncentred` (D, M, M);
            `member_mae` (D, M). Force histograms: see `histograms.force_histograms`; local
            calibration: see `local.local_arrays`; confidence curves: see
            `confidence.confidence_arrays`.
        parameters: All choices, fit for JSON; `unfitted`, why the estimator has no values of a
            quantity, by quantity, where there is one.
        verdicts: On every quantity of every domain, those trained on first; see `rule.decide`.
        gates: What caps verdicts, by quantity.
    """

    domains: dict[str, Scalars]
    pooled: Scalars
    arrays: Arrays
    parameters: dict[str, Any]
    verdicts: list[Row] = field(default_factory=list)
    gates: dict[str, list[Gate]] = field(default_factory=dict)

    @property
    def width_label(self) -> str:
        """How the values of the estimator are called: 'σ (ddof 0)'."""
        return width_label(self.parameters)

    def why(self, domain: str, name: str) -> str | None:
        """Return why a scalar of a domain is not defined; None where it is a number.

        Args:
            domain: The domain.
            name: Of the scalar, e.g. 'energy_roc_auc'.

        Raises:
            KeyError: If there is no such domain or scalar.
        """
        return why_undefined(self.domains[domain], name, self.parameters.get('unfitted'))


def audit(
    configurations: Configurations,
    energies: Floats,
    forces: Floats,
    *,
    options: AuditOptions | None = None,
    offsets: Offsets | None = None,
    gates: Sequence[Gate] = (),
    **beside: Unpack[Beside],
) -> Audit:
    """Compare the predictions of an ensemble with the reference labels.

    Args:
        configurations: n labelled configurations of N atoms in all.
        energies: Total energies of the M members in eV, shape (M, n).
        forces: Forces of the members in eV/Å, shape (M, N, 3).
        options: Choices; the paper's by default.
        offsets: Own zeros of the reference, the members and the snapshots, if there are any;
            without them nothing is aligned.
        gates: Conditions of a verdict that predictions cannot show, see `gates`.
        **beside: `stresses`; `features` and `snapshots`, for estimators that need them; with
            features, the novelty of domains is known, too. `snapshots` are energies (K, n) in eV
            and forces (K, N, 3) in eV/Å of K models of one training, see `beside.Snapshots`.

    Raises:
        ValueError: If labels are missing, shapes disagree, there are fewer than two members, a
            member holds values that are not finite, what the estimator needs is not given, or it
            can be fitted to none of the quantities.
    """
    options = AuditOptions() if options is None else options
    quantities = gather(configurations, energies, forces, offsets, options, **beside)
    names, domain = np.unique(configurations.domains, return_inverse=True)
    trained = np.flatnonzero(np.isin(names, options.training_domains))
    sizes = np.arange(2, len(energies) + 1, dtype=np.int64)
    arrays: Arrays = {
        'domain_names': names,
        'domain_index': domain.astype(np.int64),
        'volume_per_atom': configurations.volumes / configurations.n_atoms,
        'spread_sizes': sizes,
        'spread_null': ensemble.null_spread(sizes, ddof=options.ddof),
    }
    arrays |= force_histograms(quantities['force'], len(names), options)
    energy, judge = quantities['energy'], Judge.of(options)
    arrays |= {'block': energy.block} | local_arrays(
        quantities, configurations, len(names), options
    )
    arrays |= confidence_arrays(quantities, len(names), options)
    scalars: dict[str, Scalars] = {
        name: _counts(energy, domain == index, judge) for index, name in enumerate(names.tolist())
    }
    pooled = _counts(energy, domain >= 0, judge)
    if options.r_max:
        alone = hold_lone_atom(configurations, options.r_max)
        for index, name in enumerate(names.tolist()):
            scalars[name]['n_lone'] = int(alone[domain == index].sum())
    for prefix, samples in quantities.items():
        if prefix in ('energy', 'aligned'):
            for name in ('reference', 'mean', 'spread'):
                arrays[f'{prefix}_{name}'] = getattr(samples, name)
        drawn: list[Arrays] = []
        for index, name in enumerate(names.tolist()):
            inside = samples.domain == index
            scalars[name] |= _scalars(samples, inside, trained, prefix, judge)
            drawn.append(_drawn(samples, inside & samples.used, prefix, options))
            if prefix != 'aligned':
                scalars[name][f'{prefix}_spread_growth'] = spread_growth(
                    drawn[-1][f'{prefix}_spread_by_size'], sizes
                )
        pooled |= _scalars(samples, samples.domain >= 0, trained, prefix, judge)
        arrays |= {key: np.array([one[key] for one in drawn]) for key in drawn[0]}
    parameters = (
        _unfitted(quantities)
        | options.as_dict()
        | {
            'aligned_domain': None if offsets is None else offsets.domain,
            'aligned_by': None if offsets is None else offsets.by,
        }
    )
    novelty = None
    if (features := beside.get('features')) is not None:
        trained_on = options.training_domains
        counts = configurations.n_atoms
        novelty = find_novelty(features, counts, arrays['domain_index'], names.tolist(), trained_on)
    found, rows = judge_samples(quantities, names.tolist(), options, gates, novelty)
    rows = [_limited(row, limits(scalars[row.domain])) for row in rows]
    scalars = {name: scalars[name] for name in in_order(scalars)}
    return Audit(scalars, pooled, arrays, parameters, rows, found)


def _unfitted(quantities: Mapping[str, Samples]) -> dict[str, Any]:
    """Return why the estimator has no values of a quantity, where there is one."""
    found = {kind: one.unfitted for kind, one in quantities.items() if one.unfitted}
    return {'unfitted': found} if found else {}


def _limited(row: Row, said: str) -> Row:
    """Return a verdict whose reason begins with the limits of its domain."""
    return replace(row, reason=f'{said}: {row.reason}') if said else row


#: What `_drawn` returns, by its name less the prefix.
_DRAWN = (
    'spread_by_size',
    'spread_by_size_std',
    'correlations',
    'correlations_uncentred',
    'member_mae',
)


def _counts(energy: Samples, chosen: NDArray[np.bool_], judge: Judge) -> Scalars:
    n_members = len(energy.members)
    counts: Scalars = {
        'n_members': n_members,
        'n_configurations': int(chosen.sum()),
        'n_blocks': len(np.unique(energy.block[chosen])),
        'n_trajectories': len(np.unique(energy.trajectory[chosen])),
    }
    return counts | expectations(n_members, judge.estimator, judge.options.ddof)


def _scalars(
    samples: Samples,
    inside: NDArray[np.bool_],
    trained: NDArray[Any],
    prefix: str,
    judge: Judge,
) -> Scalars:
    """Return the scalars of the samples inside, with the prefix in front."""
    counted, is_force = inside & samples.used, prefix == 'force'
    errors, block = samples.errors(counted), samples.block[counted]
    values = samples.spread[counted]
    if judge.options.estimator == DEFAULT:
        # that of the errors is the same and loses no digits to the size of the energies
        values = judge.estimator.fit(None)(Asked(errors, block))
    blocks = block, samples.trajectory[counted]
    tested = samples.tested
    if tested is not None and tested.domain is not None:
        tested = tested.select(np.isin(tested.domain, samples.domain[counted]))
    found = judge.judge(errors, values, blocks, prefix, (tested, samples.learnt))
    found |= flag(samples, counted, np.isin(samples.domain, trained) & samples.used)
    named = {f'{prefix}_{name}': value for name, value in found.items()}
    if prefix == 'stress':
        return named | {'n_stress_components': int(counted.sum())}
    return named | _force_scale(samples, inside, counted, found['mae']) if is_force else named


def _force_scale(
    samples: Samples,
    inside: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    mae: float | None,
) -> Scalars:
    used = int(counted.sum())
    rms = float(np.sqrt(np.mean(samples.reference[counted] ** 2))) if used else 0.0
    return {
        'n_force_components': used,
        'force_n_masked': int(inside.sum()) - used,
        'force_reference_rms': rms if used else None,
        'force_relative_mae': mae / rms if rms > 0 and mae is not None else None,
    }


def _drawn(
    samples: Samples, chosen: NDArray[np.bool_], prefix: str, options: AuditOptions
) -> Arrays:
    """Return curves and matrices of the chosen samples; NaN where there are none."""
    m = len(samples.members)
    if not chosen.any():
        shapes: tuple[tuple[int, ...], ...] = ((m - 1,), (m - 1,), (m, m), (m, m), (m,))
        empty = [np.full(shape, np.nan) for shape in shapes]
        return {f'{prefix}_{key}': value for key, value in zip(_DRAWN, empty, strict=True)}
    errors = samples.errors(chosen)
    some, limit = errors, options.n_force_samples
    if prefix in ('force', 'stress') and errors.shape[1] > limit:
        rng = np.random.default_rng(options.seed)
        some = errors[:, rng.choice(errors.shape[1], limit, replace=False)]
    curve = ensemble.spread_by_size(
        some, n_subsets=options.n_subsets, seed=options.seed, ddof=options.ddof
    )
    values = (
        curve.means,
        curve.stds,
        correlation_matrix(errors, centred=True),
        correlation_matrix(errors, centred=False),
        np.abs(errors).mean(axis=1),
    )
    return {f'{prefix}_{key}': value for key, value in zip(_DRAWN, values, strict=True)}
