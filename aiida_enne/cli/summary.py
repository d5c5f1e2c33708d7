"""What will run, in a few lines: model, epochs, data and jobs, from the inputs of a builder."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiida_enne.aiida_private import inputs_of


def summarise(builder: Any) -> list[str]:
    """Return a line for every training, prediction and relaxation of a builder."""
    return list(_lines(inputs_of(builder)))


def _lines(inputs: Mapping[str, Any]) -> Iterator[str]:
    if 'improving' in inputs and 'arms' in inputs:
        yield from _of_improvement(inputs)
    if 'engine' in inputs:
        yield from _of_reference(inputs)
    if 'crystals' in inputs and 'deform' in inputs:
        yield from _of_stiffness(inputs)
    if 'training' in inputs and 'seeds' in inputs:
        yield from _of_training(inputs)
    if 'points' in inputs and 'ensemble' in inputs:
        yield from _of_scan(inputs)
    if 'models' in inputs and 'datasets' in inputs:
        yield from _of_predictions(inputs)
    if 'models' in inputs and 'audit' in inputs:
        yield from _of_audit(inputs)
    for name, value in inputs.items():
        if isinstance(value, Mapping) and name not in ('models', 'datasets', 'training', 'sampler'):
            yield from _lines(value)


def _of_training(inputs: Mapping[str, Any]) -> Iterator[str]:
    from aiida_enne import families
    from aiida_enne.science.plans.study_costs import jobs_for

    parameters = inputs['training']['train']['parameters'].get_dict()
    model = parameters['training_module']['model']
    seeds = list(inputs['seeds'])
    per_job = int(inputs.get('members_per_job', 1))
    jobs = jobs_for(len(seeds), per_job)
    yield f'Model: {families.family_of(parameters).describe(model)}'
    epochs = parameters['trainer'].get('max_epochs', 'no limit of')
    yield (
        f'Training: {_count(len(seeds), "member")} ({name_seeds(seeds)}) in {_count(jobs, "job")}, '
        f'at most {epochs} epochs each'
    )
    if 'dataset' in inputs:
        yield f'Data: {inputs["dataset"].get_description()}'
    if 'split' in inputs:
        yield f'Split: {inputs["split"].get_description()}'
    if 'dataset' in inputs and {'split', 'splits'} & set(inputs):
        yield from _doubts_of_training(inputs, parameters)


def _doubts_of_training(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Iterator[str]:
    from aiida_enne.families.nequip.needs import find_needs
    from aiida_enne.science.data.trainable import doubts

    splits = inputs.get('splits') or {'': inputs['split']}
    configurations, needs = inputs['dataset'].get_configurations(), find_needs(parameters)
    found = [
        text
        for split in {one.uuid: one for one in splits.values()}.values()
        for text in doubts(configurations, split.get_split(), needs)
    ]
    yield from (f'Note: {text}' for text in dict.fromkeys(found))


def _of_scan(inputs: Mapping[str, Any]) -> Iterator[str]:
    from aiida_enne.calculations.nequip_predict import chosen_indices
    from aiida_enne.families.nequip.needs import find_needs
    from aiida_enne.science.data.trainable import doubts, doubts_of_audit
    from aiida_enne.science.plans.points import read_points
    from aiida_enne.science.plans.training_sets import thin
    from aiida_enne.workflows.protocols import merge

    points = read_points(inputs['points'].get_dict())
    members = sum(len(point.seeds) for point in points.values())
    yield f'Scan: {_count(len(points), "point")} with {_count(members, "member")} in all'
    yield f'Data: {inputs["dataset"].get_description()}'
    yield f'Split: {inputs["split"].get_description()}'
    own = inputs['ensemble']['training']['train']['parameters'].get_dict()
    needs = {label: find_needs(merge(own, point.parameters)) for label, point in points.items()}
    configurations = inputs['dataset'].get_configurations()
    pool = inputs.get('pool', inputs['split']).get_split()
    notes = []
    for label, point in points.items():
        split = inputs['split'].get_split()
        if point.draw is not None:
            split = thin(configurations.domains, pool, **point.draw.to_dict())
        notes += [f'Note: {text}' for text in doubts(configurations, split, needs[label])]
    for role, dataset in inputs.get('datasets', {}).items():
        indices = chosen_indices(dataset, inputs.get('parts', {}).get(role), None)
        asked = dataset.get_configurations().select(indices)
        for r_max in dict.fromkeys(one.r_max for one in needs.values()):
            notes += [f'Note on {role}: {text}' for text in doubts_of_audit(asked, r_max)]
    yield from dict.fromkeys(notes)


def _of_improvement(inputs: Mapping[str, Any]) -> Iterator[str]:
    from aiida_enne.science.plans.improving import CHANCE, Improving
    from aiida_enne.science.selection.comparison import MIN_REPEATS

    arms = inputs['arms'].get_dict()
    improving = Improving.from_dict(inputs['improving'].get_dict(), '')
    labels = improving.rounds * improving.batch
    yield (
        f'Improvement: arms {", ".join(arms)}, {_count(improving.repeats, "repeat")} of '
        f'{_count(improving.rounds, "round")}; each buys at most '
        f'{min(labels, improving.budget or labels)} labels and trains '
        f'{_count(1 + improving.rounds, "ensemble")}, the first shared by all arms'
    )
    yield f'Data: {inputs["dataset"].get_description()}'
    yield f'Split: {inputs["split"].get_description()}'
    yield f'Held out: {inputs["held_out"].get_description()}'
    if 'pool' in inputs:
        yield f'Pool: {inputs["pool"].get_description()}'
    if CHANCE not in arms:
        yield f'Note: no arm is called {CHANCE!r}: nothing can be compared with chance'
    elif improving.repeats < MIN_REPEATS:
        yield (
            f'Note: {_count(improving.repeats, "repeat")}: whether an arm beats chance needs '
            f'{MIN_REPEATS} (--repeats)'
        )


def _of_stiffness(inputs: Mapping[str, Any]) -> Iterator[str]:
    from aiida_enne.calculations.deformations import Deforming, deform
    from aiida_enne.science.properties.deformed import names_of
    from aiida_enne.science.structures.deformations import STRAINED

    chosen = Deforming.from_dict(inputs['deform'].get_dict(), '')
    cells = deform(inputs['crystals'].get_configurations(), chosen)
    names = names_of(cells, STRAINED)
    yield (
        f'Stiffness of {", ".join(names)}: {_count(len(cells), "cell")} of at most '
        f'{_count(int(cells.n_atoms.max()), "atom")}, displacements: {chosen.displacements}'
    )
    yield f'Predictions: {_count(len(inputs["models"]), "model")}'
    if 'label' not in inputs:
        yield 'Note: no reference: nothing is compared (--engine)'


def _of_predictions(inputs: Mapping[str, Any]) -> Iterator[str]:
    from aiida_enne.calculations.nequip_predict import chosen_indices
    from aiida_enne.science.data.trainable import doubts_of_audit
    from aiida_enne.science.plans.study_costs import jobs_for

    models, datasets = inputs['models'], inputs['datasets']
    per_job = int(inputs['members_per_job'])
    known = [model.base.attributes.get('r_max', None) for model in models.values()]
    r_max = None if None in known else max(known)
    jobs = len(datasets) * jobs_for(len(models), per_job)
    yield f'Predictions: {_count(len(models), "model")} in {_count(jobs, "job")}'
    for label, dataset in datasets.items():
        split = inputs.get('splits', {}).get(label)
        part = '' if split is None else f'; of these, {split.get_description()}'
        yield f'Data of {label}: {dataset.get_description()}{part}'
        indices = chosen_indices(dataset, split, inputs.get('part'))
        asked = dataset.get_configurations().select(indices)
        yield from (f'Note on {label}: {text}' for text in doubts_of_audit(asked, r_max))


def _of_audit(inputs: Mapping[str, Any]) -> Iterator[str]:
    from aiida_enne.workflows.audit import notes
    from aiida_enne.workflows.audit_inputs import count_fitted

    if fitted := count_fitted(inputs):
        yield f'Fit: {_count(fitted, "training frame")} predicted, too'
    domains = inputs['audit'].get_dict().get('training_domains')
    yield f'Training domains: {", ".join(domains) if domains else "none"}'
    for note in notes(inputs):
        yield f'Note: {note}'


def _of_reference(inputs: Mapping[str, Any]) -> Iterator[str]:
    what = []
    if 'volumes' in inputs:
        volumes = inputs['volumes'].get_dict()
        n = sum(map(len, volumes.values())) * len(inputs.get('ratios', None) or [1])
        what.append(f'{_count(len(volumes), "phase")}, {_count(n, "structure")}')
    if 'defects' in inputs:
        sizes = ', '.join(f'{n}³' for n in inputs['repeats'])
        what.append(f'{", ".join(inputs["defects"])} in {sizes} cells')
    if 'layers' in inputs:
        what.append(f'slabs of {", ".join(map(str, inputs["layers"]))} layers')
    if 'densities' in inputs:
        what.append(f'liquids at {", ".join(f"{d:g}" for d in inputs["densities"])} g/cm³')
    if 'samples' in inputs:
        what.append(f'samples {", ".join(inputs["samples"])}')
    if 'sampler' in inputs:
        what.append(f'moved by the sampler {inputs["sampler"]["engine"].value}')
    yield '; '.join([f'Reference: engine {inputs["engine"].value}', *what])


def name_seeds(seeds: Sequence[int]) -> str:
    """Return seeds in a few words: `seeds 1 to 8`, or all of them where they are not in a row."""
    first, last = seeds[0], seeds[-1]
    if len(seeds) > 2 and list(seeds) == list(range(first, last + 1)):
        return f'seeds {first} to {last}'
    return f'{"seed" if len(seeds) == 1 else "seeds"} {", ".join(map(str, seeds))}'


def _count(n: int, noun: str) -> str:
    return f'{n} {noun}{"" if n == 1 else "s"}'
