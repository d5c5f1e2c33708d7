"""Calculation functions of an improvement: candidates, choice, labels, and what they gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from numpy.typing import NDArray

from aiida_enne.calculations.audits import tabulate
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.prediction import PredictionData, stack_predictions
from aiida_enne.data.split import SplitData
from aiida_enne.science.data.configurations import Configurations, concatenate
from aiida_enne.science.data.copies import find_copies, find_equivalent
from aiida_enne.science.data.splits import Split
from aiida_enne.science.fields import Floats
from aiida_enne.science.plans.improving import CHANCE
from aiida_enne.science.selection import Candidates, make_selector
from aiida_enne.science.selection.comparison import Curve, compare, pooled_rmse
from aiida_enne.science.selection.refusals import kept, refuse
from aiida_enne.science.uncertainty.estimators import Asked
from aiida_enne.science.uncertainty.estimators.recalibrated import RecalibratedSpread

#: How an extended split came about, to query by.
METHOD = 'improvement'


@calcfunction
def take_candidates(**sources: ConfigurationsData) -> ConfigurationsData:
    """Join configurations that may be labelled, without the labels that they have.

    Labels of `explored` frames are those of the ensemble itself; labels of a pool are not to be
    known before they are bought.
    """
    parts = [sources[name].get_configurations().unlabelled() for name in sorted(sources)]
    return ConfigurationsData.from_configurations(concatenate(parts))


@calcfunction
def select_candidates(
    parameters: orm.Dict,
    candidates: ConfigurationsData,
    training: DatasetData,
    held_out: DatasetData,
    **nodes: Any,
) -> dict[str, Any]:
    """Choose configurations to label.

    Args:
        parameters: `selection` (see `science.selection.make_selector`), `count`, `seed`, `closest`,
            `loosest`; where dynamics gave candidates, `explored`: `number` of them, which come
            first, `record_every` and `timestep` in fs.
        candidates: What may be labelled.
        training: All that the ensemble was trained on or validated with.
        held_out: Never to be trained on.
        **nodes: Where the selector needs them: `predictions.<member>` of the candidates and
            `known.<member>` of the training data by one member, both with features; where earlier
            rounds bought labels, `bought.<round>` with `proofs.<round>.<member>`.

    Returns:
        `selection` and, if anything is chosen, `chosen`.
    """
    given = parameters.get_dict()
    whole, known = candidates.get_configurations(), training.get_configurations()
    refused = refuse(whole, known, given['closest'], given['loosest'])
    held = find_equivalent(whole, held_out.get_configurations())
    for index in np.flatnonzero(held >= 0).tolist():
        refused.setdefault(index, f'a copy of configuration {held[index]} of the held-out set')
    free = kept(len(whole), refused)
    found: dict[str, Any] = {
        'selection': given['selection'],
        'n_candidates': len(whole),
        'refused': [[index, why] for index, why in sorted(refused.items())],
        'chosen': [],
    }
    if not len(free):
        return {'selection': orm.Dict(found)}
    asked = _candidates(whole, candidates, training, nodes).select(free)
    if 'explored' in given:
        asked = replace(asked, by_sigma=kept_by_sigma(whole, **given['explored'])[free])
    rng = np.random.default_rng(given['seed'])
    choice = make_selector(given['selection']).choose(asked, given['count'], rng)
    indices = free[choice.indices].tolist()
    values = None if choice.values is None else choice.values[choice.indices].tolist()
    found |= {
        'chosen': [
            {'index': index, 'domain': str(whole.domains[index])}
            | ({} if values is None else {'value': values[number]})
            for number, index in enumerate(indices)
        ],
        'unit': choice.unit,
        'note': choice.note,
        'left': [[int(free[index]), why] for index, why in sorted(choice.left.items())],
    }
    outputs: dict[str, Any] = {'selection': orm.Dict(found)}
    if indices:
        outputs['chosen'] = ConfigurationsData.from_configurations(whole.select(indices))
    return outputs


def kept_by_sigma(
    candidates: Configurations, number: int, record_every: int, timestep: float
) -> NDArray[np.bool_]:
    """Return which candidates dynamics recorded for their σ alone, shape (n,).

    Args:
        candidates: Those of dynamics come first; their info has the `time` in ps.
        number: Of those of dynamics.
        record_every: Steps between frames that are recorded whatever their σ; 0 for none.
        timestep: In fs.
    """
    found = np.zeros(len(candidates), dtype=bool)
    steps = np.rint(candidates.info['time'][:number] * 1000 / timestep)
    found[:number] = steps % record_every != 0 if record_every else True
    return found


@calcfunction
def find_unlabelled(**nodes: Any) -> dict[str, ConfigurationsData]:
    """Return what of `chosen.<path>` no `labels.<round>` hold, each configuration once.

    Returns:
        `unlabelled`; nothing where all labels are there.
    """
    chosen = [nodes['chosen'][path].get_configurations() for path in sorted(nodes['chosen'])]
    whole = concatenate(chosen)
    new = find_copies(whole, whole) == np.arange(len(whole))
    for labels in nodes.get('labels', {}).values():
        new &= find_copies(whole, labels.get_configurations()) < 0
    if not new.any():
        return {}
    rest = whole.select(np.flatnonzero(new))
    return {'unlabelled': ConfigurationsData.from_configurations(rest)}


@calcfunction
def take_labels(chosen: ConfigurationsData, **labels: DatasetData) -> dict[str, DatasetData]:
    """Return the labels of chosen configurations, in their order.

    Returns:
        `bought`, without what has no label; nothing where none has one.
    """
    asked, parts, level = chosen.get_configurations(), [], ''
    for name in sorted(labels):
        known = labels[name].get_configurations()
        places = find_copies(asked, known)
        found = np.flatnonzero(places >= 0)
        if len(found):
            parts.append((found, known.select(places[found])))
            level = labels[name].level_of_theory
    if not parts:
        return {}
    order = np.argsort(np.concatenate([index for index, _ in parts]))
    joined = concatenate([part for _, part in parts]).select(order)
    return {'bought': DatasetData.from_configurations(joined, level_of_theory=level)}


@calcfunction
def extend_training(
    dataset: DatasetData, split: SplitData, bought: DatasetData, validation: orm.Float
) -> dict[str, Any]:
    """Return the training data with what was bought, and its split.

    Every 1/`validation`-th bought configuration validates, the others train; what the split tests
    is still tested.

    Raises:
        ValueError: If the labels are of another level of theory, or a configuration is known.
    """
    if bought.level_of_theory != dataset.level_of_theory:
        raise ValueError(
            f'the labels are of {bought.level_of_theory!r}, the training set of '
            f'{dataset.level_of_theory!r}: choose the engine and the inputs of the training set'
        )
    first, more = dataset.get_configurations(), bought.get_configurations()
    joined = DatasetData.from_configurations(
        concatenate([first, more]), level_of_theory=dataset.level_of_theory, masked_forces=True
    )
    number = np.arange(len(more))
    validates = np.floor((number + 1) * validation.value) > np.floor(number * validation.value)
    known = split.get_split()
    extended = Split(
        np.concatenate([known.train, len(first) + number[~validates]]),
        np.concatenate([known.validation, len(first) + number[validates]]),
        known.test,
    )
    node = SplitData.from_split(extended, joined, method=METHOD, shared=True)
    return {'dataset': joined, 'split': node}


@calcfunction
def recalibrate(ddof: orm.Int, **nodes: Any) -> orm.Dict:
    """Return what σ of the next round is multiplied by, learnt from all that was bought before.

    Every label was predicted by an ensemble that did not know it.

    Args:
        ddof: Of the σ that is multiplied.
        **nodes: `bought.<round>` and `proofs.<round>.<member>`.

    Returns:
        By quantity (`energy`, `force`) the `factor`, or the `reason` why there is none; see
        `RecalibratedSpread`.
    """
    found: dict[str, dict[str, Any]] = {}
    for quantity, asked in _learnt(nodes).items():
        n_members = len(asked.members)
        try:
            factor = RecalibratedSpread().factor(asked)
        except ValueError as exception:
            found[quantity] = {'reason': str(exception)}
            continue
        other = (n_members - ddof.value) / (n_members - RecalibratedSpread.DDOF)
        found[quantity] = {'factor': factor * other**0.5, 'n_samples': len(asked)}
    return orm.Dict(found)


@calcfunction
def compare_arms(table: orm.Dict, **statistics: Any) -> orm.Dict:
    """Return error over labels of every path, and whether an arm beat chance.

    Args:
        table: `paths`: by label `arm`, `repeat` and `labels`, a list of labels bought by round.
        **statistics: `<path>.round_<r>`: audits on the held-out set.
    """
    curves, rows = [], {}
    for path, one in sorted(table.get_dict()['paths'].items()):
        audits = statistics.get(path, {})
        errors = {
            int(name.removeprefix('round_')): pooled_rmse(node.domains)
            for name, node in audits.items()
        }
        rounds = sorted(errors)
        labels = [one['labels'][number] for number in rounds]
        found = [errors[number] for number in rounds]
        rows[path] = {**one, 'labels': labels, 'force_rmse': found}
        if rounds:
            curves.append(Curve(one['arm'], one['repeat'], labels, found))
    return orm.Dict({'paths': rows, 'chance': CHANCE, 'arms': compare(curves, CHANCE)})


def _candidates(
    whole: Configurations,
    node: ConfigurationsData,
    training: DatasetData,
    nodes: Mapping[str, Any],
) -> Candidates:
    """Return candidates with what is known of them."""
    predictions: Mapping[str, PredictionData] = nodes.get('predictions', {})
    if not predictions:
        return Candidates(whole)
    _, found = stack_predictions(predictions, node)
    features = trained = None
    if known := nodes.get('known', {}):
        label = min(known)
        features = _means({label: predictions[label]}, node)
        trained = _means(known, training)
    calibration = _learnt(nodes) if 'bought' in nodes else {}
    return Candidates(whole, found['energies'], found['forces'], features, trained, calibration)


def _means(predictions: Mapping[str, PredictionData], node: ConfigurationsData) -> Floats:
    """Return the features of one member, means over the atoms of each configuration, (n, f)."""
    indices, arrays = stack_predictions(predictions, node, ['summed_features'])
    counts = node.get_configurations().select(indices).n_atoms
    means: Floats = arrays['summed_features'][0].astype(np.float64) / counts[:, None]
    return means


def _learnt(nodes: Mapping[str, Any]) -> dict[str, Asked]:
    """Return what earlier rounds bought, as samples that an estimator may learn from."""
    energies, forces, blocks, first = [], [], [], 0
    for name in sorted(nodes['bought']):
        configurations, own, felt = tabulate(nodes['bought'][name], nodes['proofs'][name])
        counts = configurations.n_atoms
        energies.append((own / counts, np.asarray(configurations.energies) / counts))
        flat = np.asarray(configurations.forces).reshape(-1)
        used = ~np.isnan(flat)
        frames = first + np.arange(len(configurations), dtype=np.int64)
        forces.append((felt.reshape(len(felt), -1)[:, used], flat[used]))
        blocks.append((frames, np.repeat(frames, 3 * counts)[used]))
        first += len(configurations)
    found = {}
    for number, (name, parts) in enumerate((('energy', energies), ('force', forces))):
        members = np.concatenate([one for one, _ in parts], axis=1)
        reference = np.concatenate([one for _, one in parts])
        found[name] = Asked(members, np.concatenate([one[number] for one in blocks]), reference)
    return found
