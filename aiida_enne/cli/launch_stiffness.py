"""`aiida-enne launch stiffness`: elastic constants and phonons, member by member."""

from __future__ import annotations

from typing import Any

import click

from aiida_enne.cli.common import NodeParam, mapping_at
from aiida_enne.cli.launch import CodeParam, common_options, read_overrides, start


@click.command()
@click.option('--ensemble', 'training', required=True, help='PK or UUID of a training or a study.')
@click.option(
    '--crystals',
    type=NodeParam('enne.dataset', 'enne.configurations'),
    required=True,
    help='Relaxed crystals, one a domain; of several labelled ones the lowest in energy is taken.',
)
@click.option('--domain', 'domains', multiple=True, help='Take these crystals; default: all.')
@click.option('--engine', help='Labels the cells; without one there is no reference.')
@click.option('--engine-code', type=CodeParam(), help='Code of the engine, where it is another.')
@click.option('--repeats', type=int, help='Cells along each edge of the supercell.')
@click.option(
    '--displacements',
    type=click.Choice(['all', 'symmetry']),
    help='Of atoms: six each, or what symmetry leaves (phonopy); default: the latter, if there.',
)
@common_options
def stiffness(training: str, crystals: Any, **options: Any) -> None:
    """Predict elastic constants and phonons of crystals by every member, with a reference or not.

    `aiida-enne report` then has them with σ, figures, and whether the reference lies among the
    members.
    """
    from aiida_enne.deploy.calculator import find_models
    from aiida_enne.workflows.stiffness import StiffnessWorkChain

    if options['engine_code'] is not None and options['engine'] is None:
        raise click.UsageError('--engine-code is of no use without --engine')
    overrides = read_overrides(options['overrides'])
    chosen = mapping_at(overrides, 'deform')
    given = {name: options[name] for name in ('repeats', 'displacements')}
    chosen |= {name: value for name, value in given.items() if value is not None}
    if options['domains']:
        chosen['domains'] = list(options['domains'])
    builder = StiffnessWorkChain.get_builder_from_protocol(
        options['code'],
        find_models(training),
        crystals,
        options['engine'],
        engine_code=options['engine_code'],
        protocol=options['protocol'],
        overrides=overrides,
    )
    start(builder, options)
