"""`aiida-enne launch explore`: dynamics on the mean of an ensemble, with σ along the way."""

from __future__ import annotations

from typing import Any

import click

from aiida_enne.cli.common import NodeParam, chosen_option
from aiida_enne.cli.launch import common_options, read_overrides, start

#: Options that are those of the stage of dynamics.
STAGE = ('thermostat', 'steps', 'timestep', 'record_every', 'pressure')


@click.command()
@click.option(
    '--ensemble', 'training', required=True, help='PK or UUID of a training, an audit or a study.'
)
@click.option(
    '--start',
    'pool',
    type=NodeParam('enne.dataset', 'enne.configurations'),
    required=True,
    help='What trajectories start from.',
)
@click.option('--domain', 'domains', multiple=True, help='Start from these; default: from all.')
@click.option('--count', type=int, default=1, show_default=True, help='Starts of each domain.')
@click.option(
    '--density', 'densities', type=float, multiple=True, help='Scale starts to it, in g/cm³.'
)
@click.option('--temperature', 'temperatures', type=float, multiple=True, required=True, help='K.')
@click.option('--steps', type=click.IntRange(min=1), default=1000, show_default=True)
@click.option('--timestep', type=float, default=1.0, show_default=True, help='fs.')
@chosen_option(
    '--thermostat',
    type=click.Choice(['langevin', 'nose_hoover_chain', 'npt', 'nve']),
    default='langevin',
)
@click.option('--pressure', type=float, help='Of the thermostat npt, in GPa; default: 0.')
@click.option(
    '--record-every', type=click.IntRange(min=1), default=100, show_default=True, help='Steps.'
)
@chosen_option(
    '--look-every',
    type=click.IntRange(min=1),
    default=10,
    help='Steps between looks.',
)
@click.option('--energy-sigma', type=float, help='Threshold in eV/atom.')
@click.option('--force-sigma', type=float, help='Threshold in eV/Å, of a component.')
@chosen_option(
    '--factor',
    type=float,
    default=1.0,
    help='Where no threshold is given: times the largest σ of the training domains.',
)
@chosen_option(
    '--then',
    type=click.Choice(['keep', 'stop']),
    default='keep',
    help='Above a threshold: keep the frame and go on, or keep it and stop.',
)
@click.option('--seed', type=click.IntRange(min=0), default=1, show_default=True)
@common_options
def explore(training: str, pool: Any, **options: Any) -> None:
    """Run dynamics on the mean of an ensemble, and keep the frames whose σ is large.

    Every temperature is a job, every start a trajectory in it. Recorded frames hold σ of the energy
    per atom and the largest σ of a force component. Frames above a threshold are recorded, too.
    """
    from aiida_enne.deploy.calculator import find_models
    from aiida_enne.workflows import exploration

    sigma = {'every': options['look_every'], 'then': options['then']}
    models = find_models(training)
    limits = thresholds(training, options)
    units = {'energy': 'eV/atom', 'force': 'eV/Å'}
    named = ', '.join(f'{name} {value:.3g} {units[name]}' for name, value in limits.items())
    click.echo(f'σ is looked at every {options["look_every"]} steps; thresholds: {named}')
    samples = exploration.plan_samples(
        options['temperatures'],
        start={
            'count': options['count'],
            'domains': list(options['domains']),
            'densities': list(options['densities']),
        },
        stage={name: options[name] for name in STAGE if options[name] is not None},
        sigma=sigma | limits,
        seed=options['seed'],
    )
    builder = exploration.get_builder(
        options['code'],
        models,
        pool,
        samples,
        protocol=options['protocol'],
        overrides=read_overrides(options['overrides']),
    )
    start(builder, options)


def thresholds(training: str, options: dict[str, Any]) -> dict[str, float]:
    """Return the thresholds of σ that are given or, if none is, those of the training domains.

    Raises:
        click.ClickException: If none is given and no audit of σ knows the training domains.
    """
    from aiida_enne import provenance
    from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF
    from aiida_enne.science.uncertainty.estimators import DEFAULT

    given = {name: options[f'{name}_sigma'] for name in ('energy', 'force')}
    if any(value is not None for value in given.values()):
        return {name: value for name, value in given.items() if value is not None}
    found: dict[str, float] = {}
    for audit in provenance.find_audits(provenance.find_ensemble(training)):
        parameters = audit.attributes['parameters']
        if (parameters.get('estimator', DEFAULT), parameters['ddof']) != (DEFAULT, PAPER_DDOF):
            continue  # thresholds of another width than that which dynamics look at
        for scalars in audit.domains.values():
            for name in given:
                if (value := scalars.get(f'{name}_spread_threshold')) is not None:
                    found[name] = max(found.get(name, 0.0), options['factor'] * value)
    if not found:
        raise click.ClickException(
            f'no audit of σ (ddof {PAPER_DDOF}) knows the training domains of <{training}>: there '
            'is no threshold: run `aiida-enne launch audit`, or give `--energy-sigma` or '
            '`--force-sigma`'
        )
    return found
