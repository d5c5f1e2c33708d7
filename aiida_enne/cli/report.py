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
@click.pass_context
def report(ctx: click.Context, process: str | None, archive: Path | None, output: Path) -> None:
    """Write the report of PROCESS, an audit or a study: by default the youngest there is."""
    from aiida_enne import provenance
    from aiida_enne.report.collect import collect
    from aiida_enne.report.write import write_report

    if archive is None:
        load_profile(ctx)
    with nullcontext() if archive is None else open_archive(archive):
        study = collect(process or provenance.latest_audited())
        names: list[str] = []
        with click.progressbar(length=0, label='Drawing') as bar:
            path = write_report(study, output, progress=names.append)
            bar.finish()
    click.echo(f'{len(names)} figures, {len(study.findings)} findings: {path}')
    for sentence in study.findings[:3]:
        click.echo(f'- {sentence}')


def open_archive(path: Path) -> Any:
    """Return a context in which the archive is the loaded profile, read-only.

    Raises:
        click.ClickException: If the file is no archive that this AiiDA can read.
    """
    from aiida.common.exceptions import CorruptStorage, IncompatibleStorageSchema
    from aiida.manage.configuration import profile_context
    from aiida.storage.sqlite_zip.backend import SqliteZipBackend

    try:
        SqliteZipBackend.version_profile(SqliteZipBackend.create_profile(path))
        return profile_context(SqliteZipBackend.create_profile(path), allow_switch=True)
    except (CorruptStorage, IncompatibleStorageSchema) as exception:
        raise click.ClickException(f'{path} cannot be read as an archive: {exception}') from None
