"""`aiida-enne dataset import`: files of others become a dataset, or nothing does."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from aiida_enne.cli.common import with_profile
from aiida_enne.cli.dataset_options import as_flags, label_options, read_choices, say, say_stored


@click.command('import')
@click.argument(
    'files', nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option('--format', help='ASE name of the format [default: from the content, then the name]')
@label_options
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
    from aiida_enne.science.importing.gather import import_files
    from aiida_enne.science.importing.problems import ImportRefusedError

    choices = read_choices(options)
    try:
        imported = import_files(files, choices, _progress, {FORMAT: read_frames})
    except ImportRefusedError as exception:
        raise click.ClickException(f'nothing was stored:\n{as_flags(exception)}') from exception
    except ValueError as exception:
        raise click.ClickException(as_flags(exception)) from exception
    level_of_theory = ', '.join(filter(None, [level_of_theory or UNKNOWN_LEVEL, imported.energy]))
    say(imported, level_of_theory)
    if dry_run:
        n = len(imported.configurations)
        click.echo(f'{n} configurations pass; nothing was stored (--dry-run)')
        return
    _store(imported, choices, level_of_theory=level_of_theory, label=label)


@with_profile
def _store(imported: Any, choices: Any, *, level_of_theory: str, label: str) -> None:
    """Store the node and say which."""
    from aiida_enne.data.dataset import DatasetData

    source = {
        'files': [asdict(item) for item in imported.sources],
        'choices': {k: v for k, v in asdict(choices).items() if v not in (None, (), {}, False)},
    }
    node = DatasetData.from_configurations(
        imported.configurations,
        level_of_theory=level_of_theory,
        source=source,
        masked_forces=True,
    )
    node.label = label
    say_stored(node.store())


def _progress(frames: Iterable[Any], name: str, total: int | None) -> Iterable[Any]:
    from tqdm import tqdm

    yield from tqdm(
        frames, desc=name, total=total, unit=' frames', disable=None, leave=False, delay=3
    )
