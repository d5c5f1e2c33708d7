"""`aiida-enne dataset split`: decide what trains, what validates and what is tested."""

from typing import Any

import click

from aiida_enne.cli.common import NodeParam, with_flags, with_profile

METHODS = ('blocks', 'domain', 'per_domain', 'random')


@click.command('split')
@click.argument('node', type=NodeParam('enne.dataset'))
@click.option(
    '--method',
    type=click.Choice(METHODS),
    required=True,
    help='blocks: whole trajectories, or stretches of each with --shared-blocks; domain: whole '
    'domains; random, per_domain: configurations at random.',
)
@click.option('--within', multiple=True, help='Split only this domain; may be given again.')
@click.option('--rest-to-test', is_flag=True, help='Test on all other domains.')
@click.option('--fractions', nargs=3, type=float, help='Train, validation, test (blocks).')
@click.option(
    '--gap',
    type=click.IntRange(min=0),
    help='Configurations left out at a cut (blocks with --shared-blocks).',
)
@click.option('--sizes', nargs=3, type=int, help='Train, validation, test (random, per_domain).')
@click.option('--seed', type=click.IntRange(min=0), help='Seed of the draw (random, per_domain).')
@click.option('--train', multiple=True, help='Domain to train on (domain).')
@click.option('--validation', multiple=True, help='Domain to validate on (domain).')
@click.option('--test', multiple=True, help='Domain to test on (domain).')
@click.option(
    '--shared-blocks',
    is_flag=True,
    help='Allow frames of one trajectory block in more than one part.',
)
@click.option('--label', default='', help='Label of the split.')
@click.option('--dry-run', is_flag=True, help='Check and count; store nothing.')
@with_profile
def split(node: Any, label: str, dry_run: bool, **options: Any) -> None:
    """Split the dataset NODE; labels are not copied, leakage between the parts is refused."""
    from aiida import orm

    from aiida_enne.calculations.functions import split_dataset
    from aiida_enne.data.split import check_leakage
    from aiida_enne.science.data.splits import draw
    from aiida_enne.science.data.trainable import thin_parts

    parameters = chosen(options)
    shared = parameters['shared_blocks']
    configurations = node.get_configurations()
    others = {k: v for k, v in parameters.items() if k != 'shared_blocks'}
    try:
        found = draw(configurations, **others)
        check_leakage(found, configurations, shared=shared)
    except ValueError as exception:
        raise click.ClickException(with_flags(exception, options)) from exception
    for text in thin_parts(found):
        click.echo(f'Note: {text}')
    sizes = ', '.join(f'{part} {len(index)}' for part, index in found.as_arrays().items())
    if dry_run:
        click.echo(f'{sizes}; nothing was stored')
        return
    result = split_dataset(node, orm.Dict(parameters))
    result.label = label
    click.echo(f'SplitData <{result.pk}> {result.uuid}: {sizes}')


def chosen(options: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of `science.splits.draw`: only what the method knows."""
    parts = {part: list(options.pop(part)) for part in ('train', 'validation', 'test')}
    parameters = {
        'method': options['method'],
        'rest_to_test': options['rest_to_test'],
        'shared_blocks': options['shared_blocks'],
    }
    if options['within']:
        parameters['within'] = list(options['within'])
    if options['method'] == 'domain':
        parameters['parts'] = parts
    elif any(parts.values()):
        raise click.ClickException('--train, --validation and --test go with --method domain')
    if options['method'] == 'blocks' and options['shared_blocks']:
        parameters['gap'] = options['gap'] or 0
    elif options['method'] == 'blocks':
        parameters['whole'] = True
    if options['gap'] and 'gap' not in parameters:
        raise click.ClickException('--gap goes with --method blocks and --shared-blocks')
    parameters |= {k: list(options[k]) for k in ('fractions', 'sizes') if options[k]}
    if options['method'] in ('random', 'per_domain') and options['seed'] is None:
        raise click.ClickException(f'--method {options["method"]} needs --seed')
    parameters |= {'seed': options['seed']} if options['seed'] is not None else {}
    return parameters
