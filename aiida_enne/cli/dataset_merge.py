"""`aiida-enne dataset merge`: labels of several rounds as one dataset."""

from typing import Any

import click

from aiida_enne.cli.common import NodeParam, plain, with_profile
from aiida_enne.cli.dataset_options import say_stored


@click.command('merge')
@click.argument('nodes', nargs=-1, type=NodeParam('enne.dataset'), required=True)
@click.option('--label', default='', help='Label of the dataset.')
@with_profile
def merge(nodes: tuple[Any, ...], label: str) -> None:
    """Join the datasets NODES, two or more of one level of theory, in the order given.

    Domains stay; trajectory blocks are renumbered, so that no two datasets share one.
    """
    from aiida_enne.calculations.functions import merge_datasets

    if len({one.sha256 for one in nodes}) < max(2, len(nodes)):
        named = ', '.join(str(one.pk) for one in nodes)
        raise click.ClickException(f'expected two or more datasets that differ, got {named}')
    try:
        node: Any = merge_datasets(**{f'part_{n:03}': one for n, one in enumerate(nodes)})
    except ValueError as exception:
        raise click.ClickException(plain(str(exception))) from exception
    node.label = label
    say_stored(node)
