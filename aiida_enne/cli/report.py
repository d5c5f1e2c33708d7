"""`aiida-enne report`: figures and one page, from a profile or straight from an archive."""

from pathlib import Path

import click

from aiida_enne.cli.common import archive_option, chosen_option, reading


@click.command()
@click.argument('process', required=False)
@archive_option
@chosen_option(
    '-o',
    '--output',
    type=click.Path(path_type=Path, file_okay=False),
    default=Path('report'),
    help='Folder to write into.',
)
@chosen_option(
    '--map-structures',
    type=click.IntRange(min=0),
    default=300,
    help='Structures in the interactive map at most; 0 for no map.',
)
@click.pass_context
def report(
    ctx: click.Context,
    process: str | None,
    archive: Path | None,
    output: Path,
    map_structures: int,
) -> None:
    """Write the report of PROCESS, an audit or a study: default: the most recent one.

    It holds every figure for which there are data, beside the paper's own number.
    """
    from aiida_enne import provenance
    from aiida_enne.report.write import report_on

    with reading(ctx, archive):
        names: list[str] = []
        with click.progressbar(length=0, label='Drawing') as bar:
            path, found = report_on(
                process or provenance.latest_audited(),
                output,
                map_limit=map_structures,
                progress=names.append,
            )
            bar.finish()
    click.echo(f'{len(names)} figures, {len(found.findings)} findings: {path}')
    for sentence in found.findings[:3]:
        click.echo(f'- {sentence}')
    for table in found.tables:
        if table.prose:
            click.echo(f'{table.title}.')
