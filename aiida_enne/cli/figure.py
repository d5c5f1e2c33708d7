"""`aiida-enne figure`: one figure, from a profile or straight from an archive."""

from pathlib import Path

import click

from aiida_enne.cli.common import archive_option, reading, table


@click.command()
@click.argument('name', required=False)
@click.option('--ensemble', help='Study, training, audit or demo; default: the most recent audit.')
@archive_option
@click.option(
    '-o',
    '--output',
    type=click.Path(path_type=Path, dir_okay=False),
    help='File to write, .png, .svg or .pdf; default: NAME.png.',
)
@click.option(
    '--option', 'options', multiple=True, metavar='KEY=VALUE', help='Choice of this figure.'
)
@click.option('--list', 'is_list', is_flag=True, help='List all figures with their options.')
@click.option('--sources', is_flag=True, help='List the nodes that the figure came from.')
@click.pass_context
def figure(
    ctx: click.Context,
    *,
    name: str | None,
    ensemble: str | None,
    archive: Path | None,
    output: Path | None,
    options: tuple[str, ...],
    is_list: bool,
    sources: bool,
) -> None:
    """Draw the figure NAME, e.g. F4 or coverage, from the database; no job is run."""
    if is_list:
        click.echo(list_figures())
        return
    if name is None:
        raise click.UsageError('which figure? `aiida-enne figure --list` shows all')
    from aiida_enne import provenance
    from aiida_enne.report.figures import find_figure
    from aiida_enne.science.figures import new_axes, save

    found = find_figure(name)
    chosen = found.choose(parse_options(options))
    path = Path(f'{found.name}.png') if output is None else output
    with reading(ctx, archive):
        material = provenance.Material.of(ensemble or provenance.latest_audited())
        try:
            result = found.build(material, **chosen)
        except provenance.Missing as exception:
            raise click.ClickException(f'{found.name} cannot be drawn: {exception}') from None
        save(found.draw(axes=new_axes(*found.size), **result.content), path, path.suffix[1:])
    click.echo(f'{path}: {found.title}{f", {result.title}" if result.title else ""}')
    if result.measured:
        click.echo(f'here:  {result.measured}')
    if found.paper:
        click.echo(f'paper: {found.paper}')
    if sources:
        click.echo(table(list(result.sources.items()), ['node', 'UUID']))


def list_figures() -> str:
    """Return a table of all figures: title, what it needs, options, the paper's number."""
    from aiida_enne.report.figures import all_figures

    rows = [
        (
            name,
            found.title,
            ' '.join(f'{k}={"" if v is None else v}' for k, v in found.choose({}).items()),
            found.needs,
            found.maker,
            found.paper,
        )
        for name, found in all_figures().items()
    ]
    return table(rows, ['figure', 'what', 'options', 'needs', 'data from', "the paper's number"])


def parse_options(options: tuple[str, ...]) -> dict[str, str]:
    """Return KEY=VALUE pairs.

    Raises:
        click.BadParameter: If one has no `=`.
    """
    pairs = [option.partition('=') for option in options]
    if wrong := [key for key, sign, _ in pairs if not (key and sign)]:
        raise click.BadParameter(f'expected KEY=VALUE, got {wrong[0]!r}', param_hint='--option')
    return {key: value for key, _, value in pairs}
