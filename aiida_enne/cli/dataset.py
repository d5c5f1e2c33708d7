"""`aiida-enne dataset`: list, show, export; import and gather have their own files."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from aiida_enne.cli.common import NodeParam, printable, table, with_profile
from aiida_enne.cli.dataset_gather import gather
from aiida_enne.cli.dataset_import import import_
from aiida_enne.cli.domains import domain_table, span
from aiida_enne.cli.split import split

#: Configurations written at a time.
CHUNK = 200
DATASET = NodeParam('enne.dataset')


@click.group()
def dataset() -> None:
    """Import, gather, list, show and export datasets."""


dataset.add_command(gather)
dataset.add_command(import_)
dataset.add_command(split)


@dataset.command('list')
@click.option('-n', '--limit', type=click.IntRange(min=1), help='Show only the last so many.')
@with_profile
def list_(limit: int | None) -> None:
    """List all datasets, the newest last."""
    from aiida.orm import QueryBuilder

    from aiida_enne.data.dataset import DatasetData

    keys = ('n_frames', 'n_atoms_min', 'n_atoms_max', 'elements', 'domains', 'level_of_theory')
    query = QueryBuilder().append(
        DatasetData,
        tag='dataset',
        project=['id', 'label', 'ctime', *(f'attributes.{key}' for key in keys)],
    )
    query.order_by({'dataset': {'id': 'desc'}})
    if limit is not None:
        query.limit(limit)
    rows = [
        (pk, label, f'{ctime:%Y-%m-%d %H:%M}', n, span(low, high), '-'.join(symbols), len(d), lot)
        for pk, label, ctime, n, low, high, symbols, d, lot in query.iterall()
    ]
    headers = ('PK', 'Label', 'Created', 'Frames', 'Atoms', 'Elements', 'Domains', 'Level')
    click.echo(table(rows[::-1], headers) if rows else 'no datasets in this profile')


@dataset.command('show')
@click.argument('node', type=DATASET)
def show(node: Any) -> None:
    """Show what the dataset NODE holds, by domain."""
    attributes = node.base.attributes.all
    facts = [
        ('uuid', node.uuid),
        ('label', node.label),
        ('created', f'{node.ctime:%Y-%m-%d %H:%M}'),
        ('level of theory', node.level_of_theory),
        ('configurations', attributes['n_frames']),
        ('atoms', span(attributes['n_atoms_min'], attributes['n_atoms_max'])),
        ('elements', ' '.join(node.elements)),
        ('blocks', attributes['n_blocks']),
        ('stress', 'yes' if attributes['has_stress'] else 'no'),
        ('sha256', node.sha256),
    ]
    files = (attributes.get('source') or {}).get('files', [])
    facts += [('from', f'{f["name"]} ({f["n_frames"]} frames, {f["format"]})') for f in files]
    click.echo('\n'.join(f'{name:<16}{printable(value)}' for name, value in facts) + '\n')
    click.echo(domain_table(node.get_configurations()))


@dataset.command('export')
@click.argument('node', type=DATASET)
@click.argument('file', type=click.Path(dir_okay=False, path_type=Path))
@click.option('--domain', 'domains', multiple=True, help='Only this domain (repeatable).')
@click.option('--force', is_flag=True, help='Overwrite the file.')
def export(node: Any, file: Path, domains: tuple[str, ...], force: bool) -> None:
    """Write the dataset NODE to FILE, losing no digit: .extxyz (or .xyz) or .npz."""
    import numpy as np

    from aiida_enne.science.structures.domains import in_order

    if file.suffix not in {'.extxyz', '.xyz', '.npz'}:
        raise click.BadParameter(f'{file.name!r} must end in .extxyz, .xyz or .npz')
    if not file.parent.is_dir():
        raise click.BadParameter(f'there is no folder {file.parent}')
    if file.exists() and not force:
        raise click.ClickException(f'{file} exists; --force overwrites it')
    configurations = node.get_configurations()
    if unknown := in_order(set(domains) - set(node.domains)):
        raise click.BadParameter(f'no domains {unknown}; there are {list(node.domains)}')
    if domains:
        chosen = np.flatnonzero(np.isin(configurations.domains, list(domains)))
        configurations = configurations.select(chosen)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix='.aiida-enne-') as folder:
        # written beside its place and moved: an interrupted export leaves no half file
        draft = Path(folder) / 'draft'
        with draft.open('wb') as handle:
            handle.writelines(_content(configurations, file.suffix))
        draft.replace(file)
    click.echo(f'wrote {len(configurations)} configurations to {file}')


def _content(configurations: Any, suffix: str) -> Iterator[bytes]:
    from tqdm import tqdm

    from aiida_enne.science import npz
    from aiida_enne.science.data.frames import to_extxyz

    n = len(configurations)
    if suffix == '.npz':
        yield npz.dumps(configurations.as_arrays())
        return
    with tqdm(total=n, unit=' frames', disable=None, leave=False, delay=3) as bar:
        for first in range(0, n, CHUNK):
            chosen = range(first, min(first + CHUNK, n))
            yield to_extxyz(configurations.select(chosen)).encode()
            bar.update(len(chosen))
