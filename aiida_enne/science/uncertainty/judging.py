"""The verdicts of an audit: its gates, its cases, and what the rule says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.uncertainty.estimators import Asked
from aiida_enne.science.uncertainty.estimators.features import leverage
from aiida_enne.science.uncertainty.features import ByMember, Features
from aiida_enne.science.uncertainty.gates import (
    Gate,
    alpha_gate,
    outlier_gate,
    unfitted_gate,
)
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.science.uncertainty.rule import Row
from aiida_enne.science.uncertainty.samples import Samples, some_of
from aiida_enne.science.uncertainty.transfer import join
from aiida_enne.science.uncertainty.verdict import Case, judge_cases

#: Quantities that a training gate of energies says nothing of.
COMPONENTS = ('force', 'stress')
#: Quantile of the leverage of what was trained on that is the edge of the training features.
EDGE = 0.99


def judge_samples(
    quantities: Mapping[str, Samples],
    names: Sequence[str],
    options: AuditOptions,
    given: Sequence[Gate] = (),
    novelty: Mapping[str, float] | None = None,
) -> tuple[dict[str, list[Gate]], list[Row]]:
    """Return the gates by quantity, and a verdict on every quantity of every domain.

    Verdicts are on the σ of the members, whichever estimator an audit judges.

    Args:
        quantities: Samples by quantity: 'energy', perhaps 'aligned', 'force'.
        names: Domains in the order of their numbers.
        options: Choices of the audit.
        given: Gates that samples cannot show: training, epochs.
        novelty: By domain, see `find_novelty`.
    """
    trained = [name for name in names if name in options.training_domains]
    gates: dict[str, list[Gate]] = {}
    cases: list[Case] = []
    for quantity, samples in quantities.items():
        asked = by_domain(samples, names, options)
        known = [asked[name] for name in trained if name in asked]
        gates[quantity] = [
            *_common(given, quantity),
            *_shown(known, list(asked.values()), ', '.join(trained)),
        ]
        edges = novelty or {}
        cases += [
            Case(name, quantity, one, name in trained, edges.get(name))
            for name, one in asked.items()
        ]
    tolerances = {quantity: options.tolerance(quantity) for quantity in quantities}
    return gates, judge_cases(cases, tolerances, gates)


def _shown(known: Sequence[Asked], every: Sequence[Asked], where: str) -> list[Gate]:
    """Return the gates that samples show: those of domains trained on, else all of them."""
    if not every:
        nothing = Gate('outliers', 'unknown', 'there are no samples', 'audit some')
        return [nothing, alpha_gate(None, None, where)]
    judged = join(known or every)
    errors: Floats = judged.members - np.asarray(judged.reference)
    alpha = alpha_gate(errors if known else None, judged.block if known else None, where)
    return [outlier_gate(errors), alpha]


def _common(given: Sequence[Gate], quantity: str) -> list[Gate]:
    """Return the gates of all quantities and of one; what is not known of its training is said."""
    found = [gate for gate in given if gate.quantity in ('', quantity)]
    is_known = any(gate.name == 'training' and gate.state != 'unknown' for gate in found)
    own = any(gate.quantity == quantity for gate in found)
    if is_known and not own and quantity in COMPONENTS:
        found.append(unfitted_gate(quantity))
    return found


def by_domain(samples: Samples, names: Sequence[str], options: AuditOptions) -> dict[str, Asked]:
    """Return samples by domain, at most `n_force_samples` of each; those without any left out.

    Args:
        samples: One quantity.
        names: Domains in the order of their numbers.
        options: Choices of the audit.
    """
    return {
        name: by
        for number, name in enumerate(names)
        if len(by := _asked(samples, (samples.domain == number) & samples.counts, options))
    }


def find_novelty(
    features: Features,
    counts: Integers,
    domain: Integers,
    names: Sequence[str],
    known: Sequence[str],
) -> dict[str, float]:
    """Return how far outside the training features each domain lies: 1 at their edge.

    The median leverage of its configurations over the `EDGE` quantile of the held-out ones of the
    domains trained on, or of the training frames themselves where there are none.

    Args:
        features: Last-layer features.
        counts: Atoms of each configuration, shape (n,).
        domain: Number of the domain of each configuration, shape (n,).
        names: Domains in the order of their numbers.
        known: Domains trained on.
    """
    held_out = np.isin(domain, [names.index(name) for name in known if name in names])
    distance = distances(features, counts, held_out)
    return {
        name: float(np.median(distance[domain == number]))
        for number, name in enumerate(names)
        if np.isfinite(distance).all()
    }


def distances(features: Features, counts: Integers, held_out: NDArray[np.bool_]) -> Floats:
    """Return the leverage of each configuration over that at the edge of the training features.

    Infinite where the features of the training vanish.

    Args:
        features: Last-layer features.
        counts: Atoms of each configuration, shape (n,).
        held_out: Which configurations are of domains trained on, shape (n,).
    """
    own, trained = features.frames(counts)
    size = _leverage(own, trained)
    edge = find_edge(size[held_out], trained)
    return size / edge if edge > 0 else np.full(len(size), np.inf)


def find_edge(held_out: Floats, trained: ByMember) -> float:
    """Return the leverage at the edge of the training features; see `find_novelty`.

    Members that were trained on different frames have no training frame in common: the edge is
    then the mean of their own.
    """
    if len(held_out):
        return float(np.quantile(held_out, EDGE))
    own = [_leverage([one], [one]) for one in trained]
    if len({len(one) for one in own}) > 1:
        return float(np.mean([np.quantile(one, EDGE) for one in own]))
    return float(np.quantile(np.mean(own, axis=0), EDGE))


def _leverage(own: ByMember, trained: ByMember) -> Floats:
    n = len(own[0])
    nothing = np.zeros((len(own), n))
    return leverage(Asked(nothing, np.arange(n, dtype=np.int64), None, own, trained))


def _asked(samples: Samples, chosen: NDArray[np.bool_], options: AuditOptions) -> Asked:
    """Return at most `n_force_samples` of the chosen samples."""
    at = some_of(chosen, options)
    return Asked(samples.members[:, at], samples.block[at], samples.reference[at])
