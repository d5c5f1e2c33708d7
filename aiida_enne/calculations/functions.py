"""Calculation functions: each one unwraps nodes, calls the science, wraps the answer."""

from dataclasses import replace
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_enne.calculations.audits import (
    align,
    beside_training,
    judges_of,
    statistics_node,
    stresses_of,
    tabulate,
    tabulate_snapshots,
    trained_on,
)
from aiida_enne.calculations.nequip_predict import chosen_indices
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.split import SplitData
from aiida_enne.data.statistics import StatisticsData
from aiida_enne.data.trainings import TrainedOn
from aiida_enne.science.data import splits
from aiida_enne.science.data.configurations import concatenate
from aiida_enne.science.data.left_out import domain_of, leave_out_densities
from aiida_enne.science.data.splits import spread_evenly
from aiida_enne.science.plans.samples import select_starts
from aiida_enne.science.structures.recipes import build
from aiida_enne.science.uncertainty.audit import audit
from aiida_enne.science.uncertainty.options import AuditOptions


@calcfunction
def build_configurations(recipe: orm.List) -> ConfigurationsData:
    """Build the configurations that a recipe lists; see `science.structures.recipes`."""
    return ConfigurationsData.from_configurations(build(recipe.get_list()))


@calcfunction
def take_starts(pool: ConfigurationsData, parameters: orm.Dict) -> ConfigurationsData:
    """Return configurations to begin with; see `science.plans.samples.select_starts`."""
    starts = select_starts(pool.get_configurations(), **parameters.get_dict())
    return ConfigurationsData.from_configurations(starts)


@calcfunction
def merge_datasets(**datasets: DatasetData) -> DatasetData:
    """Join datasets of one level of theory, in alphabetical order of their labels."""
    levels = {label: node.level_of_theory for label, node in datasets.items()}
    if len(set(levels.values())) > 1:
        raise ValueError(f'only labels of one level of theory can be joined, got {levels}')
    parts = [datasets[label].get_configurations() for label in sorted(datasets)]
    level = levels[min(levels)]
    return DatasetData.from_configurations(
        concatenate(parts), level_of_theory=level, masked_forces=True
    )


@calcfunction
def split_dataset(dataset: DatasetData, parameters: orm.Dict) -> SplitData:
    """Split a dataset as `science.splits.draw` does; leakage is refused."""
    options = parameters.get_dict()
    shared = bool(options.pop('shared_blocks', False))
    split = splits.draw(dataset.get_configurations(), **options)
    return SplitData.from_split(split, dataset, method=options['method'], shared=shared)


@calcfunction
def split_by_density(dataset: DatasetData, split: SplitData) -> dict[str, SplitData]:
    """Return splits without one density each; see `science.data.left_out`."""
    method = split.base.attributes.get('method')
    found = leave_out_densities(dataset.get_configurations(), split.get_split())
    return {
        f'without_{number}': SplitData.from_split(
            one, dataset, method=f'{method}, without {domain_of(name)}', shared=True
        )
        for number, (name, one) in enumerate(found.items())
    }


@calcfunction
def leave_out_trained(dataset: DatasetData, **nodes: Any) -> DatasetData:
    """Return the configurations of a dataset that no training has.

    Trainings are `trainings.<name>.dataset` and `.split`; `split` and `part`, where they are given,
    say of which part of the dataset.
    """
    sets = tuple((one['dataset'], one['split']) for one in nodes['trainings'].values())
    asked = chosen_indices(dataset, nodes.get('split'), nodes.get('part'))
    overlap = TrainedOn(sets, ()).find_overlap(dataset, asked)
    kept = np.setdiff1d(asked, overlap.indices)
    return DatasetData.from_configurations(
        dataset.get_configurations().select(kept), level_of_theory=dataset.level_of_theory
    )


@calcfunction
def thin_fit(dataset: DatasetData, split: SplitData, most: orm.Int) -> SplitData:
    """Return a split with at most so many training frames of each domain, evenly spread."""
    whole = split.get_split()
    domains = dataset.get_configurations().domains[whole.train]
    kept = replace(whole, train=whole.train[spread_evenly(domains, most.value)])
    method = f'at most {most.value} of each domain'
    return SplitData.from_split(kept, dataset, method=method, shared=True)


@calcfunction
def audit_ensemble(
    parameters: orm.Dict, judges: orm.Dict, **nodes: Any
) -> dict[str, StatisticsData]:
    """Audit one ensemble on every dataset: `datasets.<label>`, `predictions.<label>.<member>`.

    `judges` are those of `calculations.audits.judges_of`. What the members were trained on is
    `trained.datasets.<set>`, and what they say of that `trained.predictions.<set>.<member>`, with
    features where these are compared; what snapshots of a member predicted is
    `snapshots.<label>.<epoch>`.
    """
    if (known := judges_of(parameters).get_dict()) != judges.get_dict():
        raise ValueError(f'`judges` must be what is registered, {known}, got {judges.get_dict()}')
    choices = parameters.get_dict()
    alignment = choices.pop('alignment', None)
    options = AuditOptions.from_dict(choices)
    datasets, predictions = nodes['datasets'], nodes['predictions']
    trained = trained_on(nodes['trained']) if 'trained' in nodes else None
    known = [
        one.base.attributes.get('r_max', 0.0)
        for two in predictions.values()
        for one in two.values()
    ]
    if not options.r_max and all(known):
        options = replace(options, r_max=float(max(known, default=0.0)))
    tables = {label: tabulate(datasets[label], predictions[label]) for label in sorted(datasets)}
    rivals = {
        label: tabulate_snapshots(datasets[label], given)
        for label, given in nodes.get('snapshots', {}).items()
    }
    offsets = align(tables, rivals, **alignment) if alignment else None
    found = {}
    for label, table in tables.items():
        extra = beside_training(predictions[label], table, trained, options)
        if rivals:
            extra['snapshots'] = rivals[label]
        extra['stresses'] = stresses_of(predictions[label], datasets[label])
        result = audit(*table, options=options, offsets=offsets, **extra)
        found[label] = statistics_node(result, datasets[label], predictions[label])
    return found
