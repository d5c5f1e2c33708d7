"""`aiida-enne verdict`: may σ be believed, domain by domain, as a table or as JSON."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from aiida_enne.cli.common import archive_option, reading, table

#: Exit status: every verdict is "believe"; some cannot be said; some are "do not believe".
ALL_BELIEVED, OPEN, WRONG = 0, 3, 4


def tolerance(name: str, default: float, what: str) -> Callable[[Any], Any]:
    """Return the option of a tolerated error."""
    positive, text = click.FloatRange(min=0, min_open=True), f'Error of {what}.'
    look: dict[str, Any] = {'type': positive, 'default': default, 'show_default': True}
    return click.option(f'--{name}-tolerance', **look, help=text)


@click.command()
@click.argument('process', required=False)
@archive_option
@tolerance('energy', 0.01, 'an energy that you tolerate, eV/atom')
@tolerance('force', 0.1, 'a force component that you tolerate, eV/Å')
@tolerance('stress', 0.5, 'a stress component that you tolerate, GPa')
@click.option(
    '--quantity',
    type=click.Choice(['energy', 'aligned', 'force', 'stress']),
    multiple=True,
    help='Only this quantity (`aligned`: energies with own zeros); may be repeated.',
)
@click.option('--domain', 'domains', multiple=True, help='Only this domain; may be repeated.')
@click.option('--json', 'as_json', is_flag=True, help='Print gates and verdicts as JSON.')
@click.pass_context
def verdict(
    ctx: click.Context,
    /,
    *,
    process: str | None,
    archive: Path | None,
    quantity: tuple[str, ...],
    domains: tuple[str, ...],
    as_json: bool,
    **tolerances: Any,
) -> None:
    """Say where the σ of PROCESS may be believed: a study or an audit, by default the latest one.

    The exit status is 0 where every verdict is "believe", 4 where one is "do not believe", and 3
    where one cannot be said or has no labels.
    """
    from aiida_enne import provenance
    from aiida_enne.report.judged import of_command
    from aiida_enne.science.uncertainty.options import AuditOptions

    options = AuditOptions(**tolerances)
    with reading(ctx, archive):
        material = provenance.Material.of(process or provenance.latest_audited())
        try:
            found = provenance.joint_audit(material, options)
        except provenance.Missing as exception:
            raise click.ClickException(f'there is nothing to judge: {exception}') from None
        rows = choose(found.verdicts, quantity, domains)
        where = applicability(material, {row.quantity for row in rows})
        command = of_command(material, found)
    if as_json:
        gates = {name: [gate.as_dict() for gate in some] for name, some in found.gates.items()}
        said: dict[str, Any] = {'gates': gates, 'verdicts': [row.as_dict() for row in rows]}
        said |= {'applicability': where, 'next': command or None}
        click.echo(json.dumps(said, ensure_ascii=False, indent=1, allow_nan=False))
    else:
        show(rows, found.gates)
        for noun, sentences in where.items():
            click.echo(f'- {noun}: {"; ".join(sentences)}')
        if command:
            click.echo(f'\nLabels would help. Next: `{command}`')
    ctx.exit(exit_status(rows))


def applicability(material: Any, quantities: set[str]) -> dict[str, list[str]]:
    """Return sentences on the domain of applicability by quantity, or why there is none."""
    from aiida_enne import provenance
    from aiida_enne.science.uncertainty.applicability import describe_applicability
    from aiida_enne.science.uncertainty.wording import QUANTITIES

    said = {}
    for quantity in ('energy', 'aligned'):
        if quantity in quantities:
            unit, factor, noun = QUANTITIES[quantity]
            try:
                found = provenance.describe_errors(material, quantity).find()
                said[noun] = describe_applicability(found, unit, factor)
            except provenance.Missing as exception:
                said[noun] = [str(exception)]
    return said


def choose(rows: list[Any], quantities: tuple[str, ...], domains: tuple[str, ...]) -> list[Any]:
    """Return the rows of some quantities and domains, all where none is named.

    Raises:
        click.BadParameter: If there is no such domain.
    """
    known = list(dict.fromkeys(row.domain for row in rows))
    if unknown := [name for name in domains if name not in known]:
        there = ', '.join(map(repr, known))
        raise click.BadParameter(f'no domain {unknown[0]!r}; there are {there}')
    return [
        row
        for row in rows
        if (not quantities or row.quantity in quantities) and (not domains or row.domain in domains)
    ]


def show(rows: list[Any], gates: dict[str, list[Any]]) -> None:
    """Print the gates, the table, and a sentence per verdict."""
    from aiida_enne.science.uncertainty.table import HEADERS, cells, gate_lines, reasons

    for line in gate_lines(gates):
        click.echo(line)
    click.echo()
    click.echo(table([cells(row) for row in rows], HEADERS))
    click.echo()
    for sentence in reasons(rows):
        click.echo(f'- {sentence}')


def exit_status(rows: list[Any]) -> int:
    """Return what a script may act on."""
    words = {row.verdict for row in rows}
    if 'do not believe' in words:
        return WRONG
    return ALL_BELIEVED if words == {'believe'} else OPEN
