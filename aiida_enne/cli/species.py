"""`aiida-enne species`: register the species defaults of one's FHI-aims, list what there is."""

from pathlib import Path

import click

from aiida_enne.cli.common import table, with_profile


@click.group('species')
def species() -> None:
    """Species defaults of FHI-aims, as families of nodes."""


@species.command('install')
@click.argument('folder', type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option('--label', help='Name of the family instead of that of its folder.')
@with_profile
def install(folder: Path, label: str | None) -> None:
    """Register every species default below FOLDER; what is there already is not stored again."""
    from aiida_enne.data.species import install_species

    for family in install_species(folder, label):
        click.echo(f'{family.label}: {len(family.elements)} elements, {family.n_new} of them new')


@species.command('list')
@click.option('--elements', is_flag=True, help='Show every element and the hash of its text.')
@with_profile
def list_(elements: bool) -> None:
    """List the families."""
    from aiida_enne.data.species import list_families

    families = list_families()
    if not families:
        click.echo('no species: `aiida-enne species install FOLDER` registers those of a folder')
    elif elements:
        nodes = [
            (label, element, node.pk, node.sha256[:12])
            for label, members in families
            for element, node in sorted(members.items())
        ]
        click.echo(table(nodes, ('family', 'element', 'pk', 'sha256')))
    else:
        rows = [(label, len(members), ' '.join(sorted(members))) for label, members in families]
        click.echo(table(rows, ('family', 'n', 'elements')))
