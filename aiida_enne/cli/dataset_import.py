"""`aiida-enne dataset import`: files of others become a dataset, or nothing does."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from aiida_enne.cli.common import with_profile
from aiida_enne.cli.domains import domain_table

#: What a keyboard has, for what a physicist writes.
LENGTH_NAMES = {'angstrom': 'Å', 'A': 'Å', 'Å': 'Å', 'bohr': 'bohr', 'nm': 'nm'}
ENERGY_NAMES = ('eV', 'meV', 'Ry', 'Ha', 'kcal/mol', 'kJ/mol')
STRESS_NAMES = {'eV/A3': 'eV/Å³', 'GPa': 'GPa', 'kbar': 'kbar'}


def _roles(_: Any, __: Any, values: tuple[str, ...]) -> dict[str, str]:
    """Return the roles by label; a role that does not exist is refused before a file is read."""
    from aiida_enne.science.structures.domains import read_role

    roles = {}
    for value in values:
        label, found, role = value.rpartition('=')
        try:
            if not found or not label:
                raise ValueError(f'{value!r} must be LABEL=ROLE, for example Elastic=phase:diamond')
            read_role(role)
            if label in roles:
                raise ValueError(f'{label!r} has two roles')
        except ValueError as exception:
            raise click.BadParameter(str(exception)) from exception
        roles[label] = role
    return roles


@click.command('import')
@click.argument(
    'files', nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option('--format', help='ASE name of the format [default: from the name and the content]')
@click.option('--energy-key', help="Key of the total energy [default: the calculator's energy]")
@click.option('--forces-key', help="Key of the forces [default: the calculator's forces]")
@click.option('--stress-key', help="Key of the stress [default: the calculator's stress, if any]")
@click.option('--energy-unit', default='eV', type=click.Choice(ENERGY_NAMES), show_default=True)
@click.option(
    '--length-unit',
    default='angstrom',
    type=click.Choice(list(LENGTH_NAMES)),
    show_default=True,
    help='Of positions and cells; forces are energy per length.',
)
@click.option(
    '--stress-unit',
    type=click.Choice(list(STRESS_NAMES)),
    help='[default: energy unit per cubed length unit]',
)
@click.option('--domain', help='One domain label for all configurations.')
@click.option(
    '--domain-key',
    'domain_keys',
    multiple=True,
    help='Info key of the domain label; several are joined, e.g. group and temperature. '
    '[default: `domain` where there is one]',
)
@click.option(
    '--as',
    'roles',
    multiple=True,
    callback=_roles,
    metavar='LABEL=ROLE',
    help='What a domain is, so that it reaches the figures of that kind: "Elastic=phase:diamond", '
    '"V64=defect:vacancy:2", "X=bulk:2", "Slab=surface:tilted:10", "Melt=liquid:2.57:1800" '
    '(repeatable). [default: labels are free text]',
)
@click.option(
    '--block-key',
    help='Info key that tells trajectories apart. [default: `block` where all frames of a file '
    'have one, else a file and domain are one trajectory]',
)
@click.option('--block-size', type=int, help='Cut trajectories into pieces of so many frames.')
@click.option('--info', multiple=True, help='Info key whose numbers are kept (repeatable).')
@click.option('--elements', multiple=True, help='Elements that may occur: Si, or Si,O.')
@click.option('--level-of-theory', help='What the labels are, e.g. "VASP PBE 520 eV".')
@click.option('--allow-duplicates', is_flag=True, help='Keep equal configurations.')
@click.option('--allow-molecules', is_flag=True, help='Keep configurations without a cell.')
@click.option('--allow-incomplete', is_flag=True, help='Take output that lacks its regular end.')
@click.option('--label', default='', help='Label of the node.')
@click.option('--dry-run', is_flag=True, help='Check and summarise; store nothing.')
def import_(
    files: tuple[Path, ...],
    level_of_theory: str | None,
    label: str,
    dry_run: bool,
    **options: Any,
) -> None:
    """Import labelled configurations from FILES, in any format that ASE reads.

    Every frame of every file is checked; if anything is wrong, all of it is said and nothing is
    stored. Units are those of the numbers as ASE gives them: its readers of DFT outputs convert
    to eV and Å, its reader of extended XYZ converts nothing.
    """
    from aiida_enne.science.importing.choices import ImportChoices
    from aiida_enne.science.importing.gather import import_files
    from aiida_enne.science.importing.problems import ImportRefusedError

    options['length_unit'] = LENGTH_NAMES[options['length_unit']]
    options['stress_unit'] = STRESS_NAMES.get(options['stress_unit'])
    options['elements'] = tuple(
        symbol for given in options['elements'] for symbol in given.replace(',', ' ').split()
    )
    choices = ImportChoices(**options)
    try:
        configurations, sources = import_files(files, choices, _progress)
    except ImportRefusedError as exception:
        raise click.ClickException(f'nothing was stored:\n{exception}') from exception
    click.echo(domain_table(configurations))
    if dry_run:
        click.echo(f'{len(configurations)} configurations pass; nothing was stored (--dry-run)')
        return
    _store(configurations, sources, choices, level_of_theory=level_of_theory, label=label)


@with_profile
def _store(
    configurations: Any, sources: Any, choices: Any, *, level_of_theory: str | None, label: str
) -> None:
    """Store the node and say which; equal data that are stored already are named."""
    from dataclasses import asdict

    from aiida.orm import QueryBuilder

    from aiida_enne.data.dataset import UNKNOWN_LEVEL, DatasetData

    source = {
        'files': [asdict(item) for item in sources],
        'choices': {k: v for k, v in asdict(choices).items() if v not in (None, (), {}, False)},
    }
    node = DatasetData.from_configurations(
        configurations, level_of_theory=level_of_theory or UNKNOWN_LEVEL, source=source
    )
    node.label = label
    query = QueryBuilder().append(
        DatasetData, filters={'attributes.sha256': node.sha256}, project='id'
    )
    known = query.all(flat=True)
    node.store()
    click.echo(f'stored {len(configurations)} configurations: DatasetData<{node.pk}> {node.uuid}')
    if known:
        click.echo(f'note: equal configurations were stored before: {", ".join(map(str, known))}')


def _progress(frames: Iterable[Any], name: str, total: int | None) -> Iterable[Any]:
    from tqdm import tqdm

    yield from tqdm(frames, desc=name, total=total, unit=' frames', disable=None, leave=False)
