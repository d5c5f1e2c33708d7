"""`aiida-enne launch improve`: active learning that says whether its choices beat chance."""

from __future__ import annotations

from typing import Any

import click

from aiida_enne.cli.common import NodeParam, plain
from aiida_enne.cli.launch import CodeParam, common_options, read_overrides, start

#: Options of the command that are options of the improvement, too.
OWN = ('rounds', 'batch', 'repeats', 'budget', 'target', 'warm')


@click.command()
@click.option('--dataset', type=NodeParam('enne.dataset'), required=True, help='Trained on first.')
@click.option('--split', type=NodeParam('enne.split'), required=True, help='Of DATASET.')
@click.option(
    '--held-out', type=NodeParam('enne.dataset'), required=True, help='Judges every round.'
)
@click.option(
    '--pool',
    type=NodeParam('enne.dataset', 'enne.configurations'),
    help='Candidates; labels that it has are not looked at.',
)
@click.option(
    '--start',
    'starts',
    type=NodeParam('enne.dataset', 'enne.configurations'),
    help='Where dynamics begin whose frames are candidates; needs `exploration` in --overrides.',
)
@click.option('--engine', default='ase', show_default=True, help='What labels.')
@click.option('--engine-code', type=CodeParam(), help='Code of the engine; default: --code.')
@click.option(
    '--base-model',
    type=NodeParam('enne.base_model', 'enne.model'),
    help='What members are fine-tuned from; by `protocols: {ensemble: fine-tune}` of --overrides.',
)
@click.option(
    '--arm',
    'arms',
    multiple=True,
    metavar='NAME=YAML',
    help='A way to choose, as "sigma={kind: uncertainty}"; replaces those of the protocol.',
)
@click.option('--rounds', type=click.IntRange(min=1), help='Times to choose, label and train.')
@click.option('--batch', type=click.IntRange(min=1), help='Labels of a round.')
@click.option('--repeats', type=click.IntRange(min=1), help='Times to do it all, for an interval.')
@click.option('--budget', type=click.IntRange(min=1), help='Labels of an arm in all.')
@click.option(
    '--target',
    type=click.FloatRange(min=0, min_open=True),
    help='RMSE of forces on the held-out set that ends an arm, eV/Å.',
)
@click.option(
    '--warm/--cold',
    default=None,
    help='Begin the members of each round with those of the round before, or anew (default).',
)
@common_options
def improve(dataset: Any, split: Any, held_out: Any, **options: Any) -> None:
    """Choose configurations to label, by several ways side by side, and train on them.

    Every label is predicted before it is trained on. `random` is the arm that the others are
    compared with: `aiida-enne improvement PK` says which did better.
    """
    from aiida_enne.workflows.improve.improve import ImproveWorkChain

    overrides = read_overrides(options['overrides'])
    named = {name: options[name] for name in OWN if options[name] is not None}
    if named:
        chosen = overrides.setdefault('improving', {})
        if not isinstance(chosen, dict):
            raise click.ClickException(f'`improving` must be a mapping, got {chosen!r}')
        chosen |= named
    given = {name: options[name] for name in ('pool', 'starts') if options[name] is not None}
    try:
        builder = ImproveWorkChain.get_builder_from_protocol(
            options['engine_code'] or options['code'],
            dataset,
            split,
            held_out,
            options['engine'],
            protocol=options['protocol'],
            overrides=overrides,
            base_model=options['base_model'],
            python=options['code'],
            **given,
        )
        if options['arms']:
            builder.arms = dict(read_arm(one) for one in options['arms'])
    except ValueError as exception:
        raise click.ClickException(plain(str(exception))) from exception
    start(builder, options)


def read_arm(text: str) -> tuple[str, Any]:
    """Return name and selection of NAME=YAML.

    Raises:
        click.BadParameter: If there is no name, or no mapping behind it.
    """
    import yaml

    name, _, given = text.partition('=')
    try:
        selection = yaml.safe_load(given)
    except yaml.YAMLError as exception:
        raise click.BadParameter(f'{given!r} is not valid YAML: {exception}') from None
    if not name or not isinstance(selection, dict):
        raise click.BadParameter(f'expected NAME=YAML, as "sigma={{kind: random}}", got {text!r}')
    return name, selection
