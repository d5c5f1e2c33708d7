"""The cost of a study, part by part, from the plain values of its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiida_enne.science.plans.convergence import convergence_part
from aiida_enne.science.plans.costs import (
    Assumptions,
    Frames,
    Networks,
    Part,
    Work,
    engine_part,
    prediction_part,
    total,
    training_part,
)
from aiida_enne.science.plans.engine_work import (
    Inputs,
    Prices,
    defects,
    kept,
    labelled,
    liquids_part,
    phases,
    surfaces,
)
from aiida_enne.science.plans.melts import Series
from aiida_enne.science.plans.samples import (
    Sample,
    count_expected,
    expected_domains,
    split_expected,
)
from aiida_enne.science.plans.scans import Base, read_scan
from aiida_enne.science.plans.tasks import Stage
from aiida_enne.science.plans.training_sets import Draw
from aiida_enne.science.structures.domains import Domain


def estimate(study: Inputs, prices: Prices | Assumptions, networks: Networks) -> list[Part]:
    """Return what a study costs, part by part; nothing that may be known already is taken off.

    Args:
        study: Inputs of `StudyWorkChain` as plain values: `split`, `draw`, `ensemble`, `scans`,
            `liquid` or `sample` and, where they are part of it, `eos`, `defect`, `surface`, `own`,
            `convergence`.
        prices: Of the engines.
        networks: What models cost.

    Raises:
        ValueError: If an input cannot be used.
    """
    if isinstance(prices, Assumptions):
        prices = Prices(prices)
    assumptions = prices.labels
    parts, training, roles = _sources(study, prices)
    relaxed = {
        'eos': phases(study, assumptions),
        'defect': defects(study, assumptions),
        'surface': surfaces(study, assumptions),
    }
    for kind, works in relaxed.items():
        if works:
            every = [work for some in works.values() for work in some]
            price = prices.of.get(kind)
            parts.append(engine_part(NAMES[kind], every, assumptions, price=price))
        roles |= {domain.role: kept(some) for domain, some in works.items()}
    ensemble = study['ensemble']
    gpu = _on_gpu(ensemble)
    model, epochs, seeds, per_job = _ensemble(ensemble)
    together = _together(ensemble)
    main = [(model, training.n, epochs) for _ in seeds]
    jobs = jobs_for(len(main), per_job)
    trained = training_part(
        'ensemble', main, jobs, assumptions, networks, gpu=gpu, together=together
    )
    parts.append(trained)
    if 'own' in study:
        parts.append(_own(relaxed, model, len(seeds), assumptions, networks, gpu=gpu))
    asked = [(model, frames) for frames in roles.values() for _ in seeds]
    jobs = len(roles) * jobs_for(len(seeds), PER_PREDICTION)
    where = {'gpu': gpu, 'together': True}
    audit = prediction_part('audit', asked, jobs, assumptions, networks, **where)
    if fitted := _fitted(study, training):
        asked = [(model, fitted) for _ in seeds]
        jobs = jobs_for(len(seeds), PER_PREDICTION)
        fit = prediction_part('', asked, jobs, assumptions, networks, **where)
        hours = fit.core_hours + fit.gpu_hours
        note = f'{hours:.2g} hours of it for {fitted.n} training frames: do the members fit them?'
        audit = replace(total([audit, fit], 'audit'), note=note)
    parts.append(audit)
    parts += _scans(study, training.n, roles, assumptions, networks)
    parts += convergence_part(study, prices)
    return parts


def _own(
    relaxed: Mapping[str, Mapping[Domain, list[Work]]],
    model: Mapping[str, Any],
    n_members: int,
    assumptions: Assumptions,
    networks: Networks,
    *,
    gpu: bool,
) -> Part:
    """Return the cost of relaxations by the ensemble, as long as those of the reference."""
    moved = [
        (one.n_atoms, one.steps)
        for kind in ('defect', 'surface')
        for works in relaxed[kind].values()
        for one in works
    ]
    asked = [(model, Frames(steps, n * steps)) for n, steps in moved for _ in range(n_members)]
    return prediction_part(
        'own relaxations', asked, len(moved), assumptions, networks, gpu=gpu, together=False
    )


def _fitted(study: Inputs, training: Frames) -> Frames | None:
    """Return the training frames that members predict; None for none."""
    most = int(study.get('audit', {}).get('fit_frames', 0)) * len(training_domains(study))
    if not most:
        return None
    n = min(training.n, most)
    return Frames(n, round(training.atoms * n / training.n))


def _sources(study: Inputs, prices: Prices) -> tuple[list[Part], Frames, dict[str, Frames]]:
    """Return the cost of liquids and samples, the training set, what is predicted."""
    parts, roles = [], {}
    samples = [
        Sample.of(label, one) for label, one in study.get('sample', {}).get('samples', {}).items()
    ]
    if samples:
        sampler = study['sample'].get('sampler')
        mine = prices if sampler else replace(prices, sampler=None)
        frames = (sampler or {}).get('frames')
        costs = [sample.cost(mine, frames=frames) for sample in samples]
        parts.append(total(costs, 'samples'))
    if 'liquid' in study:
        parts.append(liquids_part(study['liquid'], prices))
        training, roles['liquid'], roles['training'] = _split(study)
        if samples:
            roles['sample'] = count_expected(samples)
    else:
        training, roles['training'] = split_expected(samples, study['split'])
    size = study.get('draw', {}).get('size', training.n)
    return parts, Frames(size, round(training.atoms * size / training.n)), roles


#: Members that share a job of predictions.
PER_PREDICTION = 30
#: Parts by what they are called among the inputs.
NAMES = {
    'liquid': 'liquids',
    'sample': 'samples',
    'eos': 'equations of state',
    'defect': 'defects',
    'surface': 'surfaces',
}


def _split(study: Inputs) -> tuple[Frames, Frames, Frames]:
    """Return the training set, and what is predicted of liquid and training."""
    series, split = Series.of(study['liquid']), study['split']
    sampler = study['liquid'].get('sampler', {})
    each = labelled(Stage(**series.stages['production']).recorded, sampler)
    n_densities, n_others = len(series.densities), len(series.temperatures)
    if 'sizes' in split:
        pool, _, test = split['sizes']
    elif 'fractions' in split:
        usable = each - 2 * split.get('gap', 0)
        pool, _, test = (int(share * usable) * n_densities for share in split['fractions'])
    else:
        raise ValueError(f'the sizes of a split by {split.get("method")} are not known beforehand')
    n_atoms = 8 * study['liquid']['repeats'] ** 3
    held_out, others = test * n_atoms, each * n_others
    predicted = Frames(test + others, held_out + others * n_atoms)
    return Frames(pool, pool * n_atoms), predicted, Frames(test, held_out)


def _ensemble(ensemble: Inputs) -> tuple[Mapping[str, Any], int, list[int], int]:
    parameters = ensemble['training']['train']['parameters']
    module, trainer = parameters['training_module'], parameters['trainer']
    per_job = int(ensemble.get('members_per_job', 1))
    return module['model'], trainer['max_epochs'], ensemble['seeds'], per_job


def _together(ensemble: Inputs) -> bool:
    """Return whether members of a job may take their steps at once."""
    return ensemble['training']['train'].get('strategy', '') in ('auto', 'vectorised')


def _on_gpu(ensemble: Inputs) -> bool:
    trainer = ensemble['training']['train']['parameters']['trainer']
    return trainer.get('accelerator', 'cpu') not in ('cpu', 'auto')


def _scans(
    study: Inputs,
    size: int,
    roles: dict[str, Frames],
    assumptions: Assumptions,
    networks: Networks,
) -> list[Part]:
    """Return training and predictions of each scan; what scans share is counted once."""
    model, epochs, seeds, per_job = _ensemble(study['ensemble'])
    gpu, together = _on_gpu(study['ensemble']), _together(study['ensemble'])
    seed = Draw(**study.get('draw', {}) | {'size': size}).seed
    base = Base(size, tuple(seeds), training_domains(study), epochs, seed)
    known = {_identity(None, model, epochs, one) for one in seeds}
    parts = []
    for name, given in study.get('scans', {}).items():
        scan = read_scan(given)
        members: list[tuple[Mapping[str, Any], int, int]] = []
        jobs = 0
        for point in scan.points(base).values():
            changed = {**model, **point.parameters.get('training_module', {}).get('model', {})}
            n = size if point.draw is None else point.draw.size
            longest = point.parameters.get('trainer', {}).get('max_epochs', epochs)
            new = []
            for one in point.seeds:
                if (key := _identity(point.draw, changed, longest, one)) not in known:
                    known.add(key)
                    new.append((changed, n, longest))
            members += new
            jobs += jobs_for(len(new), per_job)
        named = scan.roles_among(list(roles))
        asked = [(changed, roles[role]) for changed, _, _ in members for role in named]
        n_predictions = len(named) * jobs_for(len(members), PER_PREDICTION)
        trained = training_part(
            '', members, jobs, assumptions, networks, gpu=gpu, together=together
        )
        predicted = prediction_part(
            '', asked, n_predictions, assumptions, networks, gpu=gpu, together=True
        )
        parts.append(total([trained, predicted], f'scan {name}'))
    return parts


def training_domains(study: Inputs) -> dict[str, Domain]:
    """Return what a study trains on, each domain with what it is."""
    if 'liquid' in study:
        return Series.of(study['liquid']).training_domains
    samples = [Sample.of(label, one) for label, one in study['sample']['samples'].items()]
    return expected_domains(samples, study['split'])


def jobs_for(n: int, per_job: int) -> int:
    """Return how many jobs n members need."""
    return -(-n // per_job)


def _identity(draw: Draw | None, model: Mapping[str, Any], epochs: int, seed: int) -> str:
    return repr((draw, sorted(model.items(), key=str), epochs, seed))
