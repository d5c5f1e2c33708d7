"""`aiida-enne launch ensemble`: train an ensemble, anew or from models that there are."""

from __future__ import annotations

from typing import Any

import click

from aiida_enne.cli.common import NodeParam, plain
from aiida_enne.cli.launch import common_options, read_overrides, start


@click.command()
@click.option('--dataset', type=NodeParam('enne.dataset'), required=True)
@click.option('--split', type=NodeParam('enne.split'), required=True)
@click.option('--seeds', help='Comma-separated seeds, one per member, instead of the protocol.')
@click.option(
    '--atomic-energies',
    metavar='WAY|YAML',
    help='Energies of elements to start from: least_squares, isolated, or "{Al: -3.4, Cu: -3.7}" '
    'in eV; default: the mean energy of an atom for all.',
)
@click.option(
    '--initial',
    help='PK or UUID of a training whose members the new ones begin with, instead of anew.',
)
@click.option(
    '--base-model',
    type=NodeParam('enne.base_model', 'enne.model'),
    help='Package, see `ensemble base`, or member to tune; with --protocol fine-tune.',
)
@common_options
def ensemble(dataset: Any, split: Any, seeds: str | None, **options: Any) -> None:
    """Train an ensemble on a dataset."""
    from aiida_enne import provenance
    from aiida_enne.workflows.training.ensemble import EnsembleWorkChain

    overrides = read_overrides(options['overrides'])
    if seeds is not None:
        overrides['seeds'] = parse_seeds(seeds)
    if options['atomic_energies'] is not None:
        overrides['atomic_energies'] = read_energies(options['atomic_energies'])
    try:
        builder: Any = EnsembleWorkChain.get_builder_from_protocol(
            options['code'],
            dataset,
            split,
            protocol=options['protocol'],
            overrides=overrides,
            base_model=options['base_model'],
        )
        if options['initial'] is not None:
            builder.initial_models = provenance.begin_with(options['initial'], list(builder.seeds))
    except ValueError as exception:
        raise click.ClickException(plain(str(exception))) from None
    start(builder, options)


def read_energies(text: str) -> Any:
    """Return a way to have energies of elements, or these by element.

    Raises:
        click.ClickException: If it is not valid YAML.
    """
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as exception:
        raise click.ClickException(f'{text!r} is not valid YAML: {exception}') from None


def parse_seeds(text: str) -> list[int]:
    """Return the seeds of a comma-separated list.

    Raises:
        click.ClickException: If one is not an integer.
    """
    try:
        return [int(seed) for seed in text.split(',')]
    except ValueError:
        raise click.ClickException(f'seeds must be integers like 1,2,3, got {text!r}') from None
