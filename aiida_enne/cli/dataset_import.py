"""`aiida-enne dataset import`: files of others become a dataset, or nothing does."""

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from aiida_enne.cli.common import with_flags, with_profile
from aiida_enne.cli.domains import domain_table

#: What a keyboard has, for what a physicist writes.
LENGTH_NAMES = {'angstrom': 'Å', 'A': 'Å', 'Å': 'Å', 'bohr': 'bohr', 'nm': 'nm'}
ENERGY_NAMES = ('eV', 'meV', 'Ry', 'Ha', 'kcal/mol', 'kJ/mol')
#: Forces are an energy per a length.
FORCE_NAMES = {
    f'{energy}/{name}': f'{energy}/{length}'
    for energy in ENERGY_NAMES
    for name, length in (('A', 'Å'), ('bohr', 'bohr'), ('nm', 'nm'))
}
STRESS_NAMES = {
    **{'eV/A3': 'eV/Å³', 'Ha/bohr3': 'Ha/bohr³', 'Ry/bohr3': 'Ry/bohr³'},
    **{name: name for name in ('GPa', 'MPa', 'kbar', 'bar')},
}


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
@click.option('--format', help='ASE name of the format [default: from the content, then the name]')
@click.option(
    '--energy-key',
    help="Key of the total energy [default: the calculator's free energy, from which its forces "
    'derive, else its energy]',
)
@click.option('--forces-key', help="Key of the forces [default: the calculator's forces]")
@click.option('--gradient-key', help='Key of the gradient instead: minus the forces.')
@click.option('--stress-key', help="Key of the stress [default: the calculator's stress, if any]")
@click.option(
    '--virial-key', help='Key of the virial instead, an energy: minus the stress times the volume.'
)
@click.option('--energy-unit', default='eV', type=click.Choice(ENERGY_NAMES), show_default=True)
@click.option(
    '--length-unit',
    default='angstrom',
    type=click.Choice(list(LENGTH_NAMES)),
    show_default=True,
    help='Of positions and cells.',
)
@click.option(
    '--force-unit',
    type=click.Choice(list(FORCE_NAMES)),
    metavar='UNIT',
    help='An energy per A, bohr or nm, such as Ha/bohr. [default: energy unit per length unit]',
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
@click.option(
    '--drop-duplicates', is_flag=True, help='Keep the first of configurations equal in all.'
)
@click.option(
    '--drop-unusable',
    is_flag=True,
    help='Leave out what is not a label: cycles that did not converge, forces that a constraint '
    'set to zero.',
)
@click.option(
    '--allow-implausible',
    is_flag=True,
    help='Take what is hardly real: atoms on top of each other, huge forces or stresses, energies '
    'that the forces contradict.',
)
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
    from aiida_enne.codes.aims.frames import FORMAT, read_frames
    from aiida_enne.data.dataset import UNKNOWN_LEVEL
    from aiida_enne.science.importing.choices import ImportChoices
    from aiida_enne.science.importing.gather import import_files
    from aiida_enne.science.importing.problems import ImportRefusedError

    options['force_unit'] = FORCE_NAMES.get(options['force_unit'])
    options['length_unit'] = LENGTH_NAMES[options['length_unit']]
    options['stress_unit'] = STRESS_NAMES.get(options['stress_unit'])
    options['elements'] = tuple(
        symbol for given in options['elements'] for symbol in given.replace(',', ' ').split()
    )
    try:
        choices = ImportChoices(**options)
        configurations, sources, notes, energy = import_files(
            files, choices, _progress, {FORMAT: read_frames}
        )
    except ImportRefusedError as exception:
        raise click.ClickException(f'nothing was stored:\n{_flags(exception)}') from exception
    except ValueError as exception:
        raise click.ClickException(_flags(exception)) from exception
    for note in notes:
        click.echo(f'note: {_flags(note)}')
    click.echo(domain_table(configurations))
    level_of_theory = ', '.join(filter(None, [level_of_theory or UNKNOWN_LEVEL, energy]))
    if energy:
        click.echo(
            f'energies are free energies, from which the forces derive (--energy-key energy takes '
            f'the other); the level of theory says so: {level_of_theory}'
        )
    if dry_run:
        click.echo(f'{len(configurations)} configurations pass; nothing was stored (--dry-run)')
        return
    _store(configurations, sources, choices, level_of_theory=level_of_theory, label=label)


def _flags(message: Any) -> str:
    """Write the names of choices in a message as the options that they are here."""
    from aiida_enne.science.importing.choices import ImportChoices

    text = with_flags(message, [item.name for item in fields(ImportChoices)])
    return text.replace('--domain-keys', '--domain-key')


@with_profile
def _store(
    configurations: Any, sources: Any, choices: Any, *, level_of_theory: str, label: str
) -> None:
    """Store the node and say which; equal data that are stored already are named."""
    from dataclasses import asdict

    from aiida.orm import QueryBuilder

    from aiida_enne.data.dataset import DatasetData

    source = {
        'files': [asdict(item) for item in sources],
        'choices': {k: v for k, v in asdict(choices).items() if v not in (None, (), {}, False)},
    }
    node = DatasetData.from_configurations(
        configurations, level_of_theory=level_of_theory, source=source
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

    yield from tqdm(
        frames, desc=name, total=total, unit=' frames', disable=None, leave=False, delay=3
    )
