"""`aiida-enne share`: an archive with all that a report needs."""

from pathlib import Path
from typing import Any

import click

from aiida_enne.cli.common import ProcessParam, table, with_profile


@click.command()
@click.argument('process', type=ProcessParam())
@click.argument('file', type=click.Path(path_type=Path, dir_okay=False))
@click.option('--dry-run', is_flag=True, help='Say what the archive would hold; write nothing.')
@click.option('--force', is_flag=True, help='Replace the file if it is there.')
@click.option(
    '--public',
    is_flag=True,
    help='Leave out names of computers and people, absolute paths and files of jobs; say what.',
)
@with_profile
def share(process: Any, file: Path, dry_run: bool, force: bool, public: bool) -> None:
    """Write everything that PROCESS, an audit or a study, used and made into FILE.

    Whoever gets the file writes the same report: `aiida-enne report --archive FILE`.
    """
    from aiida_enne.report import publishing, sharing

    if file.exists() and not (force or dry_run):
        raise click.ClickException(f'{file} is there already; --force replaces it')
    if not file.absolute().parent.is_dir():
        raise click.ClickException(f'the folder {file.absolute().parent} does not exist')
    unfinished = [one.pk for one in (process, *process.called_descendants) if not one.is_sealed]
    if unfinished:
        raise click.ClickException(
            f'{process.process_label} <{process.pk}> has not ended, so that it cannot be shared; '
            f'`aiida-enne status {process.pk}` shows how far it is'
        )
    content = sharing.inspect(process)
    click.echo(table(list(content.counts.items()), ['node', 'number']))
    click.echo(f'{content.n_files} files, {content.n_bytes / 1e6:.1f} MB before compression')
    path = file
    if public:
        left = (
            publishing.preview(process)
            if dry_run
            else publishing.publish(process, file, overwrite=force)
        )
        click.echo(table(list(left.items()), ['left out or replaced', 'number']))
    elif not dry_run:
        path = sharing.share(process, file, overwrite=force)
    if dry_run:
        return
    click.echo(f'{path}: {path.stat().st_size / 1e6:.1f} MB')
