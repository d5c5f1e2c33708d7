"""`aiida-enne pseudo`: make families of pseudopotentials from folders, list what there is."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import click

from aiida_enne.cli.common import table, with_profile

#: Stringency under which aiida-pseudo keeps the cutoffs.
STRINGENCY = 'standard'
_MISSING = 'aiida-pseudo is not installed; `pip install "aiida-enne[qe]"` installs it'


class Cutoffs(click.ParamType):
    """Two cutoffs in Ry, of the wave functions and of the density, e.g. 22,88."""

    name = 'ecutwfc,ecutrho'

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read and check both numbers."""
        if not isinstance(value, str):
            return value
        try:
            wfc, rho = (float(text) for text in value.split(','))
        except ValueError:
            self.fail(f'{value!r} is not two numbers in Ry with a comma, e.g. 22,88', param, ctx)
        if not 0 < wfc <= rho < float('inf'):
            self.fail(f'the cutoff of the density must be the larger one, got {value}', param, ctx)
        return wfc, rho


@click.group('pseudo')
def pseudo() -> None:
    """Pseudopotentials of Quantum ESPRESSO, as families of aiida-pseudo."""


@pseudo.command('install')
@click.argument('folder', type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option('--label', required=True, help='Name of the family.')
@click.option('--cutoffs', type=Cutoffs(), help='In Ry, recommended for all of its elements.')
@click.option(
    '--only', multiple=True, metavar='FILE', help='Take this file of the folder; may be repeated.'
)
@with_profile
def install(
    folder: Path, label: str, cutoffs: tuple[float, float] | None, only: tuple[str, ...]
) -> None:
    """Make a family of the UPF files in FOLDER, one for each element; nothing is downloaded."""
    try:
        from aiida_pseudo.data.pseudo import UpfData
        from aiida_pseudo.groups.family import CutoffsPseudoPotentialFamily
    except ImportError as exception:
        raise click.ClickException(_MISSING) from exception
    from aiida.common.exceptions import ParsingError

    files = _choose(folder, only)
    for path in files:
        try:
            with path.open('rb') as handle:
                UpfData(handle, filename=path.name)
        except (ParsingError, ValueError) as exception:
            raise click.ClickException(f'{path}: {exception}') from exception
    with tempfile.TemporaryDirectory() as copies:
        for path in files:
            shutil.copyfile(path, Path(copies) / path.name)
        try:
            family = CutoffsPseudoPotentialFamily.create_from_folder(
                Path(copies), label, pseudo_type=UpfData
            )
        except (ParsingError, ValueError) as exception:
            message = str(exception).replace(copies, str(folder))
            hint = '\n`--only FILE` takes one file.' if 'duplicate' in message else ''
            raise click.ClickException(message + hint) from exception
    elements = sorted(family.elements)
    if cutoffs:
        wfc, rho = cutoffs
        family.set_cutoffs(
            {element: {'cutoff_wfc': wfc, 'cutoff_rho': rho} for element in elements},
            STRINGENCY,
            unit='Ry',
        )
    known = f'{cutoffs[0]:g}/{cutoffs[1]:g} Ry' if cutoffs else 'no cutoffs'
    click.echo(f'{label}: {" ".join(elements)}, {known}')


@pseudo.command('list')
@with_profile
def list_() -> None:
    """List the families."""
    try:
        from aiida_pseudo.groups.family import CutoffsPseudoPotentialFamily, PseudoPotentialFamily
    except ImportError as exception:
        raise click.ClickException(_MISSING) from exception
    from aiida.orm import QueryBuilder

    found = QueryBuilder().append(PseudoPotentialFamily).all(flat=True)
    if not found:
        click.echo('no pseudopotentials: `aiida-enne pseudo install FOLDER --label LABEL`')
        return
    rows = []
    for family in sorted(found, key=lambda one: one.label):
        known = isinstance(family, CutoffsPseudoPotentialFamily)
        sets = ' '.join(family.get_cutoff_stringencies()) if known else ''
        rows.append((family.label, ' '.join(sorted(family.elements)), sets or 'none'))
    click.echo(table(rows, ('family', 'elements', 'cutoffs')))


def _choose(folder: Path, only: tuple[str, ...]) -> list[Path]:
    """Return the UPF files to take.

    Raises:
        click.ClickException: If there are none, one that was asked for is not there, or one
            leads out of the folder.
    """
    there = {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}
    root = folder.resolve()
    for path in there.values():
        if not path.resolve().is_relative_to(root):
            raise click.ClickException(f'{path} leads out of the folder {root}; copy the file')
    if missing := sorted(set(only) - set(there)):
        raise click.ClickException(f'{folder} has no file {", ".join(missing)}')
    if only:
        return [there[name] for name in sorted(set(only))]
    files = [path for name, path in there.items() if name.lower().endswith('.upf')]
    if not files:
        raise click.ClickException(f'{folder} holds no file that ends in .upf or .UPF')
    return files
