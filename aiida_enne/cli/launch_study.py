"""`aiida-enne launch study` and the reference's parts of one, on any engine."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import click

from aiida_enne.cli.common import mapping_at
from aiida_enne.cli.launch import CodeParam, common_options, read_overrides, start, study_options

#: What a second run finds again if AiiDA caches these.
CACHED = 'aiida.calculations:enne.*'

engine_option = click.option(
    '--engine', default='ase', show_default=True, help='ase, qe, aims or one of another package.'
)
lattice_option = click.option(
    '--lattice-constant',
    type=click.FloatRange(min=0, min_open=True),
    required=True,
    help='Edge of the conventional cell in Å.',
)


@click.command()
@engine_option
@click.option('--python', type=CodeParam(), help='Python with NequIP, where --code is another.')
@click.option(
    '--assume',
    'assumed',
    multiple=True,
    metavar='NAME=VALUE',
    help='Assumption of the plan, e.g. label_seconds=500; may be repeated.',
)
@click.option('--sampler', metavar='ENGINE', help='What moves in place of the engine: ase.')
@click.option('--sampler-code', type=CodeParam(), help='Its code; of ase, --python by default.')
@click.option(
    '--sampler-ensemble', metavar='PK', help='A training or a study, whose members sample by ase.'
)
@study_options
def study(engine: str, python: Any, assumed: tuple[str, ...], **options: Any) -> None:
    """Run the whole study: liquids, phases, defects, surfaces, ensemble, audit, scans.

    It prints the jobs and the cost of every part; `--dry-run` the assumptions behind that, too.
    """
    from aiida_enne.aiida_private import inputs_of
    from aiida_enne.cli.plan import cost_table, describe_costs
    from aiida_enne.science.plans.costs import Assumptions
    from aiida_enne.workflows.reference.engine import load_engine
    from aiida_enne.workflows.reference.stand_ins import any_code, planning
    from aiida_enne.workflows.study.planning import plan
    from aiida_enne.workflows.study.study import StudyWorkChain

    changes = parse_assumptions(assumed)
    Assumptions.of(engine, load_engine(engine).COSTS, changes)  # refused before anything is built
    overrides = read_overrides(options['overrides'])
    add_sampler(overrides, options)
    code, more = options['code'], {'protocol': options['protocol'], 'overrides': overrides}
    if code is None and not options['dry_run']:
        raise click.UsageError("Missing option '--code': only --dry-run does without")
    with planning() if code is None else nullcontext():
        builder = StudyWorkChain.get_builder_from_protocol(
            code or any_code(), engine, python=python, **more
        )
    planned = plan(inputs_of(builder), changes)
    click.echo(describe_costs(planned) if options['dry_run'] else cost_table(planned))
    if code is None:
        click.echo('A plan without --code: whether an engine can do it was not looked at.')
        return
    hint_at_caching()
    start(builder, options)


def add_sampler(overrides: dict[str, Any], options: dict[str, Any]) -> None:
    """Put the sampler of the options into overrides.

    Raises:
        click.UsageError: If options do not go together.
    """
    from aiida_enne import provenance
    from aiida_enne.codes.ase import ENSEMBLE

    name, code, members = (options[f'sampler{one}'] for one in ('', '_code', '_ensemble'))
    if members is not None and name not in (None, 'ase'):
        raise click.UsageError(f'an ensemble samples by the engine ase, not by {name}')
    if name is None and members is None:
        if code is not None:
            raise click.UsageError('--sampler-code goes with --sampler or --sampler-ensemble')
        return
    sampler = mapping_at(overrides, 'sampler')
    sampler['engine'] = name or 'ase'
    if code is not None:
        sampler['code'] = code
    if members is not None:
        inputs = mapping_at(sampler, 'inputs')
        inputs['calculator'] = {'preset': ENSEMBLE, 'keywords': {'device': 'cpu'}}
        mapping_at(inputs, 'base', 'ase')['models'] = provenance.join_members((members,))


@click.command()
@engine_option
@common_options
def eos(engine: str, **options: Any) -> None:
    """Relax crystal phases over their volumes."""
    from aiida_enne.workflows.study.eos import EquationOfStateWorkChain

    launch_relaxation(EquationOfStateWorkChain, options, engine)


@click.command()
@engine_option
@lattice_option
@common_options
def defect(engine: str, lattice_constant: float, **options: Any) -> None:
    """Relax point defects at a lattice constant."""
    from aiida_enne.workflows.study.defect import DefectWorkChain

    launch_relaxation(DefectWorkChain, options, lattice_constant, engine)


@click.command()
@engine_option
@lattice_option
@common_options
def surface(engine: str, lattice_constant: float, **options: Any) -> None:
    """Relax (100) slabs at a lattice constant."""
    from aiida_enne.workflows.study.surface import SurfaceWorkChain

    launch_relaxation(SurfaceWorkChain, options, lattice_constant, engine)


def launch_relaxation(process: Any, options: dict[str, Any], *positions: Any) -> None:
    """Build the inputs of a relaxation and run or submit it, or say what would be."""
    overrides, protocol = read_overrides(options['overrides']), options['protocol']
    builder = process.get_builder_from_protocol(
        options['code'], *positions, protocol=protocol, overrides=overrides
    )
    start(builder, options)


def parse_assumptions(texts: tuple[str, ...]) -> dict[str, float]:
    """Return assumptions by name.

    Raises:
        click.ClickException: If one is not a name with a number.
    """
    found = {}
    for text in texts:
        name, _, value = text.partition('=')
        try:
            found[name] = float(value)
        except ValueError:
            raise click.ClickException(
                f'an assumption is a name and a number like label_seconds=500, got {text!r}'
            ) from None
    return found


def hint_at_caching() -> None:
    """Say how to enable caching if a second run would not reuse what the first has computed."""
    from aiida.manage.caching import get_use_cache

    if not get_use_cache(identifier='aiida.calculations:enne.ase.run'):
        click.echo(
            'AiiDA does not cache jobs here, so that a study run again would compute all of it '
            f'again: `verdi config set caching.enabled_for {CACHED}`',
            err=True,
        )
