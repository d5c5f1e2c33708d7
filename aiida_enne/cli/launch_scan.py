"""`aiida-enne launch scan`: hyperparameters, cutoffs, data sizes and training sets of own data."""

from __future__ import annotations

from typing import Any

import click

from aiida_enne.cli.common import NodeParam
from aiida_enne.cli.launch import common_options, read_overrides, start

EXAMPLE = '{kind: sizes, sizes: [100, 500, 1000]}'


@click.command()
@click.option('--dataset', type=NodeParam('enne.dataset'), required=True)
@click.option('--split', type=NodeParam('enne.split'), required=True)
@click.option(
    '--scan', 'text', required=True, metavar='YAML', help=f'What is scanned, as "{EXAMPLE}".'
)
@click.option(
    '--also',
    multiple=True,
    metavar='ROLE=DATASET',
    help='A dataset that all members predict beside the test part; may be repeated.',
)
@common_options
@click.pass_context
def scan(
    context: click.Context,
    /,
    dataset: Any,
    split: Any,
    text: str,
    also: tuple[str, ...],
    **options: Any,
) -> None:
    """Train an ensemble at every point of a scan, none twice, and predict the test part.

    Smaller training sets are drawn from the training part of the split.
    """
    from aiida_enne.science.plans.scans import TRAINING
    from aiida_enne.workflows.study.scan import ScanWorkChain

    datasets: dict[str, Any] = {}
    for one in also:
        role, _, identifier = one.partition('=')
        if not identifier or not role.isidentifier() or role in {TRAINING, *datasets}:
            raise click.BadParameter(f'must be a distinct ROLE=DATASET, got {one!r}')
        datasets[role] = NodeParam('enne.dataset').convert(identifier, None, context)
    builder = ScanWorkChain.get_builder_from_protocol(
        options['code'],
        dataset,
        split,
        parse_scan(text),
        datasets=datasets,
        protocol=options['protocol'],
        overrides=read_overrides(options['overrides']),
    )
    start(builder, options)


def parse_scan(text: str) -> dict[str, Any]:
    """Return the options of a scan.

    Raises:
        click.ClickException: If the text is not a mapping.
    """
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as exception:
        raise click.ClickException(f'{text!r} is not valid YAML: {exception}') from None
    if not isinstance(content, dict):
        raise click.ClickException(f'a scan is a mapping like {EXAMPLE}, got {text!r}')
    return content
