"""`aiida-enne report`: figures and one page, from a profile or straight from an archive."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from aiida_enne.cli.common import load_profile


@click.command()
@click.argument('process', required=False)
@click.option(
    '--archive',
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help='Read this archive file; nothing is imported.',
)
@click.option(
    '-o',
    '--output',
    type=click.Path(path_type=Path, file_okay=False),
    default=Path('report'),
    show_default=True,
    help='Folder to write into.',
)
@click.option(
    '--map-structures',
    type=click.IntRange(min=0),
    default=300,
    show_default=True,
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

    if archive is None:
        load_profile(ctx)
    with nullcontext() if archive is None else open_archive(archive):
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


def open_archive(path: Path) -> Any:
    """Return a context in which the archive is the loaded profile, read-only.

    Raises:
        click.ClickException: If the file is not an archive that this AiiDA can read.
    """
    from aiida.common.exceptions import CorruptStorage, IncompatibleStorageSchema
    from aiida.manage.configuration import profile_context
    from aiida.storage.sqlite_zip.backend import SqliteZipBackend

    try:
        SqliteZipBackend.version_profile(SqliteZipBackend.create_profile(path))
        return profile_context(SqliteZipBackend.create_profile(path), allow_switch=True)
    except (CorruptStorage, IncompatibleStorageSchema) as exception:
        raise click.ClickException(f'{path} cannot be read as an archive: {exception}') from None
