"""Estimators of uncertainty fitted to stored predictions, for an ensemble that is in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import NotExistent

from aiida_enne import provenance
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.trainings import find_trainings
from aiida_enne.provenance.ensembles import Ensemble
from aiida_enne.provenance.features import stored_features, trained_features
from aiida_enne.provenance.rows import (
    Rows,
    find_stresses,
    frame_keys,
    gather_forces,
    gather_rows,
    join_rows,
    trained_keys,
)
from aiida_enne.provenance.studies import predicted_datasets
from aiida_enne.science.fields import GPA_PER_EV_PER_CUBIC_ANGSTROM, Floats
from aiida_enne.science.structures.deformations import VOIGT
from aiida_enne.science.uncertainty.components import stress_components
from aiida_enne.science.uncertainty.estimators import (
    Asked,
    Estimator,
    Fitted,
    Portable,
    make_estimator,
)
from aiida_enne.science.uncertainty.features import Features

Width = Callable[..., Floats]

#: Quantities of a calculator; widths of energies are per atom.
QUANTITIES = ('energy', 'forces', 'stress', 'energies')
#: Of a quantity for which an estimator has nothing to learn from, why.
UNLABELLED = {
    'stress': 'labels or predictions of the calibration domain have no stress',
    'energies': 'no label says what share of an energy an atom has',
}


@dataclass(frozen=True, slots=True)
class Judge:
    """What a calculator says instead of the spread of its members.

    Attributes:
        widths: By quantity (`energy`, per atom in eV; `forces`, eV/Å; `stress`, eV/Å³; `energies`,
            eV), a function from predictions of the members (M, n), and features where `features`
            is true, to widths (n,). None where the estimator only ranks: σ is the spread then.
        scores: The same, of an estimator that only ranks.
        unfitted: By property of the calculator, why it is not there.
        features: Whether they are asked with the last-layer features of the samples, by member.
    """

    widths: dict[str, Width] | None = None
    scores: dict[str, Width] = field(default_factory=dict)
    unfitted: dict[str, str] = field(default_factory=dict)
    features: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """An estimator of widths, the domain that it learns from if it learns, and its options."""

    estimator: str
    domain: str = ''
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Asking:
    """A fitted estimator, and what it needs beside predictions and features."""

    fitted: Fitted
    beside: Mapping[str, Any]

    def __call__(self, members: Floats, features: list[Floats] | None = None) -> Floats:
        numbers = np.arange(members.shape[1])
        return self.fitted(Asked(members, numbers, features=features, **self.beside))


def fit_judge(
    process: str | int,
    estimator: str,
    domain: str = '',
    options: Mapping[str, Any] | None = None,
) -> Judge:
    """Return an estimator fitted to the stored predictions of one domain.

    Frames that were trained or validated on teach it nothing. What it cannot be fitted to is left
    out: nothing else stands in its place.

    Args:
        process: PK or UUID of a work chain that knows the ensemble.
        estimator: Name in `aiida_enne.estimators`.
        domain: What it learns from, where it learns from anything.
        options: Of the estimator, by name.

    Raises:
        NotExistent: If no labelled configurations of the domain were predicted by all members, or
            it needs last-layer features and predictions hold none.
        ValueError: If there is no such estimator, it needs snapshots, or energies or forces do not
            let it be fitted.
    """
    chosen = make_estimator(estimator, dict(options or {}))
    if 'snapshots' in chosen.needs:
        raise ValueError(
            f'the estimator {estimator!r} asks the snapshots of a member, which a calculator of '
            'the members does not load: open `provenance.find_snapshots` of its training as an '
            'ensemble, or take another estimator'
        )
    if chosen.calibrated and not domain:
        raise ValueError(f'the estimator {estimator!r} needs a calibration domain')
    ensemble = provenance.find_ensemble(process)
    what = 'score' if chosen.unit is None else 'sigma'
    parts, why = _parts(ensemble, chosen, domain)
    fitted: dict[str, Width] = {}
    for name, (samples, beside) in parts.items():
        try:
            fitted[name] = _Asking(chosen.fit(samples), beside)
        except ValueError as exception:
            if name != 'stress':  # audits have judged the others: without them it is another one
                raise
            why[name] = str(exception)
    unfitted = {
        f'{name}_{what}': f'the estimator {estimator!r} was not fitted to it: {why[name]}'
        for name in QUANTITIES
        if name not in fitted
    }
    featured = 'features' in chosen.needs
    if what == 'score':
        return Judge(None, fitted, unfitted, featured)
    return Judge(fitted, {}, unfitted, featured)


def fit_portable(process: str | int, choice: Choice) -> dict[str, Any]:
    """Return a fitted estimator as plain values, for an exported ensemble; see `fit_judge`.

    Returns:
        `estimator`, its `options`, `label` and `domain`; `widths` by quantity, see `Portable`; by
        property of the calculator, why it is `unfitted`.

    Raises:
        NotExistent: As `fit_judge` does.
        ValueError: As `fit_judge` does, or plain numbers do not say what was fitted.
    """
    estimator, options = choice.estimator, dict(choice.options)
    judge = fit_judge(process, estimator, choice.domain, options)
    m = len(provenance.find_ensemble(process).members)
    widths = {}
    for name, asking in (judge.widths or judge.scores).items():
        fitted = getattr(asking, 'fitted', None)
        if judge.widths is None or not isinstance(fitted, Portable):
            raise ValueError(
                f'the estimator {estimator!r} cannot be exported: plain numbers do not say it. '
                f'Use `aiida_enne.Ensemble.from_nodes(PK, estimator={estimator!r}, …)` where the '
                'profile is, or export `recalibrated`, `finite` or `conformal`'
            )
        widths[name] = fitted.portable(m)
    said = {'estimator': estimator, 'options': options, 'domain': choice.domain}
    said['label'] = make_estimator(estimator, options).label()
    return said | {'widths': widths, 'unfitted': judge.unfitted}


Part = tuple[Asked | None, dict[str, Any]]


def _parts(
    ensemble: Ensemble, chosen: Estimator, domain: str
) -> tuple[dict[str, Part], dict[str, str]]:
    """Return by quantity what the estimator learns from, and what it needs later; or why nothing.

    The second is not of what the first has.
    """
    featured = 'features' in chosen.needs
    if not chosen.calibrated:
        if not featured:
            return dict.fromkeys(QUANTITIES, (None, {})), {}
        needed, why = _needed(trained_features(ensemble), chosen)
        return {name: (None, beside) for name, beside in needed.items()}, why
    rows = calibration_rows(ensemble, domain)
    samples = calibration_samples(ensemble, rows)
    if not featured:
        return {name: (asked, {}) for name, asked in samples.items()}, dict(UNLABELLED)
    features = stored_features(ensemble, rows)
    needed, why = _needed(features, chosen)
    own = {'energy': features.frames(rows.configurations.n_atoms)[0]}
    if 'forces' in needed:
        known = rows.configurations.known_forces.reshape(-1)
        own['forces'] = [member[known] for member in features.components()[0]]
    return {
        name: (replace(samples[name], features=own[name], **beside), beside)
        for name, beside in needed.items()
    }, why


def _needed(
    features: Features, chosen: Estimator
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return by quantity what an estimator on features knows of the training, or why nothing."""
    needed: dict[str, dict[str, Any]] = {
        'energy': {
            'trained': features.trained_means(),
            'trained_errors': features.trained_errors,
            'trained_group': features.trained_groups,
        }
    }
    why = dict.fromkeys(('stress', 'energies'), 'features are of energies and forces')
    if 'training errors' in chosen.needs:
        why['forces'] = 'it asks the errors of energies'
    elif features.summed:
        why['forces'] = 'predictions hold features summed over configurations: `per_atom` has them'
    else:
        needed['forces'] = {'trained': list(features.trained)}
    return needed, why


def calibration_samples(ensemble: Ensemble, rows: Rows) -> dict[str, Asked]:
    """Return labelled samples: `energy` per atom in eV, `forces` in eV/Å, `stress` in eV/Å³.

    Stress is there only where labels and predictions have it.

    Args:
        ensemble: Its members.
        rows: What they predicted of a calibration domain.

    Raises:
        NotExistent: If the configurations have no labels.
    """
    frames = rows.configurations
    if frames.energies is None or frames.forces is None:
        raise NotExistent(f'the configurations of {sorted(set(frames.domains))} have no labels')
    members = gather_forces(ensemble, rows)
    n, known = frames.n_atoms, frames.known_forces.reshape(-1)
    samples = {
        'energy': Asked(rows.energies / n, frames.blocks, frames.energies / n),
        'forces': Asked(
            members.reshape(len(members), -1)[:, known],
            np.repeat(frames.blocks, 3 * n)[known],
            frames.forces.reshape(-1)[known],
        ),
    }
    if found := stress_components(frames, find_stresses(ensemble, rows)):
        truth, stresses, used = found
        own = stresses[:, used] / GPA_PER_EV_PER_CUBIC_ANGSTROM
        blocks = np.repeat(frames.blocks, len(VOIGT))[used]
        samples['stress'] = Asked(own, blocks, truth[used] / GPA_PER_EV_PER_CUBIC_ANGSTROM)
    return samples


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
