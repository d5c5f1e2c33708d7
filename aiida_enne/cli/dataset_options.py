"""Options that `dataset import` and `dataset gather` share: keys, units, labels, permissions."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from aiida_enne.cli.common import with_flags
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


SHARED: tuple[Callable[..., Any], ...] = (
    click.option(
        '--energy-key',
        help="Key of the total energy [default: the calculator's free energy, from which its "
        'forces derive, else its energy]',
    ),
    click.option('--forces-key', help="Key of the forces [default: the calculator's forces]"),
    click.option('--gradient-key', help='Key of the gradient instead: minus the forces.'),
    click.option(
        '--stress-key', help="Key of the stress [default: the calculator's stress, if any]"
    ),
    click.option(
        '--virial-key',
        help='Key of the virial instead, an energy: minus the stress times the volume.',
    ),
    click.option('--energy-unit', default='eV', type=click.Choice(ENERGY_NAMES), show_default=True),
    click.option(
        '--length-unit',
        default='angstrom',
        type=click.Choice(list(LENGTH_NAMES)),
        show_default=True,
        help='Of positions and cells.',
    ),
    click.option(
        '--force-unit',
        type=click.Choice(list(FORCE_NAMES)),
        metavar='UNIT',
        help='An energy per A, bohr or nm, such as Ha/bohr. [default: energy unit per length unit]',
    ),
    click.option(
        '--stress-unit',
        type=click.Choice(list(STRESS_NAMES)),
        help='[default: energy unit per cubed length unit]',
    ),
    click.option('--domain', help='One domain label for all configurations.'),
    click.option(
        '--domain-key',
        'domain_keys',
        multiple=True,
        help='Info key of the domain label; several are joined, e.g. group and temperature. '
        '[default: `domain` where there is one]',
    ),
    click.option(
        '--as',
        'roles',
        multiple=True,
        callback=_roles,
        metavar='LABEL=ROLE',
        help='What a domain is, so that it reaches the figures of that kind: '
        '"Elastic=phase:diamond", '
        '"V64=defect:vacancy:2", "X=bulk:2", "Slab=surface:tilted:10", "Melt=liquid:2.57:1800" '
        '(repeatable). [default: labels are free text]',
    ),
    click.option(
        '--block-key',
        help='Info key that tells trajectories apart. [default: `block` where all frames of a file '
        'have one, else a file and domain are one trajectory, and single frames of several files '
        'that are copies of one structure are one block]',
    ),
    click.option('--block-size', type=int, help='Cut trajectories into pieces of so many frames.'),
    click.option('--info', multiple=True, help='Info key whose numbers are kept (repeatable).'),
    click.option('--elements', multiple=True, help='Elements that may occur: Si, or Si,O.'),
    click.option('--level-of-theory', help='What the labels are, e.g. "VASP PBE 520 eV".'),
    click.option('--allow-duplicates', is_flag=True, help='Keep equal configurations.'),
    click.option(
        '--drop-duplicates', is_flag=True, help='Keep the first of configurations equal in all.'
    ),
    click.option(
        '--drop-unusable',
        is_flag=True,
        help='Leave out what is not a label: cycles that did not converge, forces that a '
        'constraint set to zero.',
    ),
    click.option(
        '--allow-implausible',
        is_flag=True,
        help='Take what is hardly real: atoms on top of each other, huge forces or stresses, '
        'energies that the forces contradict.',
    ),
    click.option('--allow-molecules', is_flag=True, help='Keep configurations without a cell.'),
    click.option(
        '--allow-incomplete', is_flag=True, help='Take output that lacks its regular end.'
    ),
    click.option('--label', default='', help='Label of the node.'),
    click.option('--dry-run', is_flag=True, help='Check and summarise; store nothing.'),
)


def label_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all options of `SHARED`."""
    for option in reversed(SHARED):
        function = option(function)
    return function


def read_choices(options: dict[str, Any]) -> Any:
    """Return the choices that options make.

    Raises:
        click.ClickException: If one is unknown or contradicts another.
    """
    from aiida_enne.science.importing.choices import ImportChoices

    options['force_unit'] = FORCE_NAMES.get(options['force_unit'])
    options['length_unit'] = LENGTH_NAMES[options['length_unit']]
    options['stress_unit'] = STRESS_NAMES.get(options['stress_unit'])
    options['elements'] = tuple(
        symbol for given in options['elements'] for symbol in given.replace(',', ' ').split()
    )
    try:
        return ImportChoices(**options)
    except ValueError as exception:
        raise click.ClickException(as_flags(exception)) from exception


def as_flags(message: Any) -> str:
    """Write the names of choices in a message as the options that they are here."""
    from aiida_enne.science.importing.choices import ImportChoices

    names = [item.name for item in fields(ImportChoices)]
    text = with_flags(message, [*names, 'level_of_theory'])
    return text.replace('--domain-keys', '--domain-key')


def say(imported: Any, level_of_theory: str) -> None:
    """Print what there is to say, the table of domains, and which energies they are."""
    for note in imported.notes:
        click.echo(f'note: {as_flags(note)}')
    click.echo(domain_table(imported.configurations))
    if imported.energy:
        click.echo(
            f'energies are free energies, from which the forces derive (--energy-key energy takes '
            f'the other); the level of theory says so: {level_of_theory}'
        )


def say_stored(node: Any) -> None:
    """Say which node was stored; equal data that were stored before are named."""
    from aiida.orm import QueryBuilder

    from aiida_enne.data.dataset import DatasetData

    query = QueryBuilder().append(
        DatasetData,
        filters={'attributes.sha256': node.sha256, 'id': {'!==': node.pk}},
        project='id',
    )
    click.echo(f'stored {node.n_frames} configurations: DatasetData<{node.pk}> {node.uuid}')
    if known := query.all(flat=True):
        click.echo(f'note: equal configurations were stored before: {", ".join(map(str, known))}')
