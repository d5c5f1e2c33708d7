"""Inputs of an audit: what is refused before anything is predicted, and what is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
from aiida import orm

from aiida_enne.calculations import trained
from aiida_enne.calculations.nequip_predict import chosen_indices
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.features import TrainingSet, find_training_sets
from aiida_enne.data.prediction import PER_ATOM
from aiida_enne.data.trainings import TrainedOn
from aiida_enne.families.nequip.prediction import NO_FEATURES
from aiida_enne.science.fields import Integers
from aiida_enne.science.structures.domains import in_order
from aiida_enne.science.uncertainty.alignment import By
from aiida_enne.science.uncertainty.blocks import find_blocks
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.workflows.prediction import validate_inputs as validate_predictions

#: Training frames of a domain that members predict, unless another number is chosen.
FIT_FRAMES = 100


def validate_parameters(node: orm.Dict, _: Any) -> str | None:
    """Check every option by name, long before the predictions are paid for."""
    options = node.get_dict()
    alignment = options.pop('alignment', None)
    if alignment is not None and (reason := misaligned(alignment)):
        return reason
    try:
        AuditOptions.from_dict(options)
    except ValueError as exception:
        return str(exception)
    return None


def misaligned(alignment: Any) -> str | None:
    """Return why zeros of energy cannot be taken as asked for, or None if they can."""
    if not isinstance(alignment, Mapping) or set(alignment) != {'domain', 'by'}:
        return f'`alignment` must hold `domain` and `by`, got {alignment}'
    if not isinstance(alignment['domain'], str) or not alignment['domain']:
        return f'`domain` of `alignment` must be a domain, got {alignment["domain"]!r}'
    if alignment['by'] not in get_args(By):
        return f'`by` of `alignment` must be one of {get_args(By)}, got {alignment["by"]!r}'
    return None


def validate_inputs(inputs: dict[str, Any], ports: Any) -> str | None:
    """Check that there are labels to compare with, and the domains that the options name."""
    if not {'datasets', 'audit'} <= set(ports):
        return None  # a workflow has excluded them and validates by submitting
    if reason := validate_predictions(inputs, ports):
        return reason
    datasets = inputs['datasets']
    for label, node in datasets.items():
        if not isinstance(node, DatasetData):
            return f'`{label}` has no reference labels: expected a DatasetData, got {node}'
    if reason := why_no_snapshots(inputs):
        return reason
    asked, way = asked_about(inputs), way_of(inputs)
    overlaps = trained.find_overlaps(TrainedOn.of(inputs['models']), asked)
    if reason := trained.why_refused(asked, overlaps, way):
        return reason
    if features_of(inputs) != NO_FEATURES and (reason := why_not_compared(inputs)):
        return reason
    remains = trained.left(asked, overlaps if way == trained.EXCLUDE else {})
    options = inputs['audit'].get_dict()
    return unknown_domains(options, asked, remains) or too_few_blocks(options, asked, remains)


def why_no_snapshots(inputs: Mapping[str, Any]) -> str | None:
    """Return why snapshots cannot be judged as asked for, or None if they can."""
    given = inputs.get('snapshots') or {}
    options = {k: v for k, v in inputs['audit'].get_dict().items() if k != 'alignment'}
    if len(given) == 1:
        return f'`snapshots` must hold two or more models, got {sorted(given)}'
    if not given and 'snapshots' in AuditOptions.from_dict(options).make_estimator().needs:
        return 'the estimator `snapshots` needs the input `snapshots`: models of the last epochs'
    return None


def unknown_domains(
    options: Mapping[str, Any], asked: trained.Asked, remains: Mapping[str, Integers]
) -> str | None:
    """Return which domains of the options are not there; those that are learnt from must remain."""
    known = {name for dataset, _ in asked.values() for name in dataset.domains}
    if unknown := in_order(set(options.get('training_domains', ())) - known):
        return f'no dataset has the domains {unknown}; there are {in_order(known)}'
    alignment = options.get('alignment') or {}
    needed = set(filter(None, [alignment.get('domain'), options.get('calibration_domain')]))
    there = {
        name
        for label, (dataset, _) in asked.items()
        for name in dataset.get_configurations().domains[remains[label]].tolist()
    }
    if unknown := in_order(needed - there):
        return f'nothing that is audited has the domains {unknown}; there are {in_order(there)}'
    return None


def too_few_blocks(
    options: Mapping[str, Any], asked: trained.Asked, remains: Mapping[str, Integers]
) -> str | None:
    """Return why the estimator cannot learn from the calibration domain, whatever is predicted."""
    chosen = AuditOptions.from_dict({k: v for k, v in options.items() if k != 'alignment'})
    needed, name = getattr(chosen.make_estimator(), 'min_blocks', 0), chosen.calibration_domain
    if not needed:
        return None
    there = 0
    for label, (dataset, _) in asked.items():
        left = dataset.get_configurations().select(remains[label])
        own = left.select(np.flatnonzero(left.domains == name))
        if len(own):
            there += len(np.unique(find_blocks(own, np.empty((0, len(own)))).number))
    if there >= needed:
        return None
    return (
        f'the estimator {chosen.estimator!r} takes {needed} or more independent blocks of its '
        f'`calibration_domain` {name!r}, of which no more than {there} are audited: choose another '
        'domain or estimator, or a lower `level` in `estimator_options`'
    )


def asked_about(inputs: Mapping[str, Any]) -> dict[str, tuple[DatasetData, Integers]]:
    """Return every dataset with the indices of the configurations that are to be audited."""
    splits, part = inputs.get('splits', {}), inputs.get('part')
    return {
        label: (dataset, chosen_indices(dataset, splits.get(label), part))
        for label, dataset in inputs['datasets'].items()
    }


def features_of(inputs: Mapping[str, Any]) -> str:
    """Return which features the predictions have: those asked for, or of atoms if needed."""
    chosen = inputs.get('predict', {}).get('features')
    if chosen is not None and chosen.value != NO_FEATURES:
        return str(chosen.value)
    options = inputs['audit'].get_dict()
    options.pop('alignment', None)
    needs = AuditOptions.from_dict(options).make_estimator().needs
    return PER_ATOM if 'features' in needs else NO_FEATURES


def fit_sets(inputs: Mapping[str, Any]) -> dict[str, TrainingSet]:
    """Return the training sets that members predict, too: all where features are compared.

    None where that is not asked for, or where the graph does not know the training of every member.
    """
    if features_of(inputs) != NO_FEATURES:
        return find_training_sets(inputs['models'])
    if not inputs.get('fit_frames', FIT_FRAMES):
        return {}
    sets = find_training_sets(inputs['models'])
    known = {label for one in sets.values() for label in one.members}
    return sets if known == set(inputs['models']) else {}


def count_fitted(inputs: Mapping[str, Any]) -> int:
    """Return how many training frames are predicted, by whichever member, in all."""
    most = None
    if features_of(inputs) == NO_FEATURES:
        most = inputs.get('fit_frames', FIT_FRAMES)
    counts = [_by_domain(one) for one in fit_sets(inputs).values()]
    return int(sum(np.minimum(one, one if most is None else most).sum() for one in counts))


def is_thinned(one: TrainingSet, most: int) -> bool:
    """Return whether a domain of a training set has more frames than are predicted."""
    return bool(_by_domain(one).max() > most)


def _by_domain(one: TrainingSet) -> Integers:
    domains = one.dataset.get_configurations().domains[one.split.get_split().train]
    return np.unique(domains, return_counts=True)[1]


def why_not_compared(inputs: Mapping[str, Any]) -> str | None:
    """Return why features cannot be compared with those of the training, or None if they can."""
    if not (unknown := TrainedOn.of(inputs['models']).unknown):
        return None
    return (
        'features are compared with those of what the members were trained on, which the graph '
        f'does not know of {", ".join(unknown)}: choose `features` {NO_FEATURES!r} and an '
        'estimator without features, or import the trainings'
    )


def way_of(inputs: Mapping[str, Any]) -> str:
    """Return what becomes of configurations that were trained on."""
    return str(inputs['trained_frames'].value) if 'trained_frames' in inputs else trained.REFUSE
