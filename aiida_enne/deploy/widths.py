"""Estimators of uncertainty fitted to stored predictions, for an ensemble that is in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import NotExistent

from aiida_enne import provenance
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.trainings import find_trainings
from aiida_enne.provenance.ensembles import Ensemble
from aiida_enne.provenance.rows import (
    Rows,
    frame_keys,
    gather_forces,
    gather_rows,
    join_rows,
    trained_keys,
)
from aiida_enne.provenance.studies import predicted_datasets
from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty.estimators import Asked, Fitted, make_estimator
from aiida_enne.science.uncertainty.estimators.recalibrated import RecalibratedSpread

Width = Callable[[Floats], Floats]


def fit_widths(
    process: str | int,
    estimator: str,
    domain: str = '',
    options: Mapping[str, Any] | None = None,
) -> dict[str, Width]:
    """Return an estimator fitted to the stored predictions of one domain, by quantity.

    Frames that were trained or validated on teach it nothing.

    Args:
        process: PK or UUID of a work chain that knows the ensemble.
        estimator: Name in `aiida_enne.estimators`.
        domain: What it learns from, where it learns from anything.
        options: Of the estimator, by name.

    Returns:
        By quantity (`energy`, per atom in eV; `forces`, per component in eV/Å), a function from
        predictions of the members (M, n) to widths (n,).

    Raises:
        NotExistent: If no labelled configurations of the domain were predicted by all members.
        ValueError: If there is no such estimator, it needs more than predictions, only ranks, or
            cannot be fitted to these samples.
    """
    chosen = make_estimator(estimator, dict(options or {}))
    if 'features' in chosen.needs:
        raise ValueError(
            f'the estimator {estimator!r} needs features, which a calculator does not have'
        )
    if chosen.unit is None:
        raise ValueError(f'the estimator {estimator!r} only ranks: its values are not widths')
    if not chosen.calibrated:
        return dict.fromkeys(('energy', 'forces'), _width(chosen.fit(None)))
    if not domain:
        raise ValueError(f'the estimator {estimator!r} needs a calibration domain')
    samples = calibration_samples(provenance.find_ensemble(process), domain)
    return {name: _width(chosen.fit(asked)) for name, asked in samples.items()}


def fit_factors(process: str | int, domain: str) -> dict[str, dict[str, float]]:
    """Return what σ of energies and forces is multiplied by to be calibrated on a domain.

    Args:
        process: PK or UUID of a work chain that knows the ensemble.
        domain: What the factors are fitted to.

    Returns:
        By quantity, `factor` and the `ddof` of the σ that it multiplies; see `RecalibratedSpread`.

    Raises:
        NotExistent: If no labelled configurations of the domain were predicted by all members.
        ValueError: If the factor is not defined for these samples.
    """
    samples = calibration_samples(provenance.find_ensemble(process), domain)
    return {
        name: {'factor': RecalibratedSpread().factor(asked), 'ddof': RecalibratedSpread.DDOF}
        for name, asked in samples.items()
    }


def calibration_samples(ensemble: Ensemble, domain: str) -> dict[str, Asked]:
    """Return the labelled samples of a domain: `energy` per atom in eV, `forces` in eV/Å.

    Raises:
        NotExistent: If no labelled configurations of the domain were predicted by all members.
    """
    rows = calibration_rows(ensemble, domain)
    frames = rows.configurations
    if frames.energies is None or frames.forces is None:
        raise NotExistent(f'the configurations of {domain!r} have no labels')
    members = gather_forces(ensemble, rows)
    n, known = frames.n_atoms, frames.known_forces.reshape(-1)
    return {
        'energy': Asked(rows.energies / n, frames.blocks, frames.energies / n),
        'forces': Asked(
            members.reshape(len(members), -1)[:, known],
            np.repeat(frames.blocks, 3 * n)[known],
            frames.forces.reshape(-1)[known],
        ),
    }


def calibration_rows(ensemble: Ensemble, domain: str) -> Rows:
    """Return all configurations of a domain that every member predicted, without the trained ones.

    Raises:
        NotExistent: If there is none.
    """
    query = orm.QueryBuilder().append(
        DatasetData, filters={'attributes.sha256': {'in': predicted_datasets(ensemble) or ['']}}
    )
    trained = trained_keys(find_trainings(ensemble.weights).values())
    known: set[str] = set()
    parts: dict[str, Rows] = {}
    for dataset in query.all(flat=True):
        known |= set(dataset.domains)
        if domain not in dataset.domains or dataset.sha256 in parts:
            continue
        rows = gather_rows(ensemble, dataset)
        keys = frame_keys(rows.configurations)
        inside = rows.configurations.domains == domain
        chosen = [i for i, key in enumerate(keys) if inside[i] and key not in trained]
        if chosen:
            parts[dataset.sha256] = rows.select(chosen)
    if not parts:
        raise NotExistent(
            f'no configuration of {domain!r} that was not trained on has been predicted by all '
            f'members; there are {sorted(known)}'
        )
    return join_rows(list(parts.values()))


def _width(fitted: Fitted) -> Width:
    def width(members: Floats) -> Floats:
        return fitted(Asked(members, np.arange(members.shape[1])))

    return width
