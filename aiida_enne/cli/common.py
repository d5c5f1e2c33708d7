"""What all commands share: late imports, the profile, nodes as arguments, errors in one line."""

import errno
import functools
import importlib
import json
import re
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click

PROFILE, VERBOSE = 'aiida_enne.profile', 'aiida_enne.verbose'


class LazyGroup(click.Group):
    """A group whose commands are imported when called, and whose errors have no traceback."""

    def __init__(self, *args: Any, commands_at: Mapping[str, tuple[str, str]], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.commands_at = commands_at

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*super().list_commands(ctx), *self.commands_at})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command by its name."""
        if cmd_name not in self.commands_at:
            return super().get_command(ctx, cmd_name)
        module, name = self.commands_at[cmd_name][0].split(':')
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section('Commands'):
            formatter.write_dl([(name, self.commands_at[name][1]) for name in self.commands_at])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; whatever fails is one message, with the traceback if asked for."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as exception:
            if isinstance(exception, OSError) and exception.errno == errno.EPIPE:
                raise
            if ctx.meta.get(VERBOSE):
                click.echo(''.join(traceback.format_exception(exception)), err=True, nl=False)
            raise click.ClickException(explain(exception)) from exception


def explain(exception: Exception) -> str:
    """Say what failed; an error that nobody foresaw is called so."""
    from aiida.common.exceptions import AiidaException

    if isinstance(exception, click.ClickException):
        return exception.format_message()
    if isinstance(exception, OSError) and exception.strerror:
        return ': '.join(filter(None, [str(exception.filename or ''), exception.strerror]))
    if isinstance(exception, ValueError | OSError | AiidaException) and str(exception):
        return plain(str(exception))
    if isinstance(exception, OverflowError):
        return (
            'a number is too large for the database; `verdi process list -a` shows the PKs of '
            'processes, `aiida-enne dataset list` those of datasets'
        )
    return (
        f'unexpected {type(exception).__name__}: {exception}\n'
        'This should not happen: `aiida-enne --verbose ...` shows where.'
    )


def plain(text: str) -> str:
    """Write a message of AiiDA without what says nothing to its reader."""
    text = text.removeprefix('invalid attribute value ').removesuffix(': No result was found')
    text = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r'\1', text)
    wrong = r"value '(.+)' is not of the right type\. Got '(.+)', expected '(.+)'"
    found = re.fullmatch(wrong, text)
    if found is None:
        return text
    name, got, expected = found.groups()
    types = [one for one in expected.strip('()').split(', ') if one not in ('', 'NoneType')]
    return f'`{name}` must be of type {" or ".join(types)}, got {got}'


def remember_profile(ctx: click.Context, profile: str | None, *, verbose: bool) -> None:
    """Keep what the first command was given; the profile is loaded when something needs it."""
    ctx.meta[PROFILE], ctx.meta[VERBOSE] = profile, verbose


def load_profile(ctx: click.Context) -> None:
    """Load the profile of `-p`, or the default one unless a profile is loaded already.

    Raises:
        click.ClickException: If there is no such profile, or none at all.
    """
    from aiida.common.exceptions import AiidaException
    from aiida.manage import get_manager

    try:
        get_manager().load_profile(ctx.meta.get(PROFILE))
    except AiidaException as exception:
        raise click.ClickException(
            f'{exception}\n`verdi profile list` shows the profiles, `verdi presto` makes one.'
        ) from exception


def with_profile(function: Callable[..., Any]) -> Callable[..., Any]:
    """Load the profile before the command runs."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        load_profile(click.get_current_context())
        return function(*args, **kwargs)

    return wrapper


#: An option whose help shows the value where none is given.
chosen_option = functools.partial(click.option, show_default=True)
archive_option = click.option(
    '--archive',
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help='Read this archive file; nothing is imported.',
)


def reading(ctx: click.Context, archive: Path | None) -> AbstractContextManager[None]:
    """Read from an archive or, without one, from the profile, which is loaded."""
    if archive is None:
        load_profile(ctx)
        return nullcontext()
    from aiida_enne.provenance.archives import open_archive

    return open_archive(archive)


def read_json(path: Path) -> dict[str, Any]:
    """Return what a JSON file maps; nothing where it cannot be read at this moment."""
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}


#: How the PK of a node is found.
WHERE_NODES_ARE = (
    '`verdi process list -a` shows the PKs of processes, `verdi process show PK` those of what one '
    'was given and gave; `-p` chooses another profile'
)


class NodeParam(click.ParamType):
    """A node by its PK, UUID (or how it starts) or label, of the given data entry points."""

    name = 'node'
    #: What helps whoever names none.
    where = WHERE_NODES_ARE

    def __init__(self, *entry_points: str) -> None:
        self.entry_points = entry_points

    def load(self, value: str) -> Any:
        """Load what is identified by a text."""
        from aiida.orm import NodeEntityLoader

        return NodeEntityLoader.load_entity(value)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Load the node."""
        if not isinstance(value, str) or ctx is None:
            return value
        load_profile(ctx)
        from aiida.common.exceptions import MultipleObjectsError, NotExistent
        from aiida.plugins import DataFactory

        classes = tuple(DataFactory(name) for name in self.entry_points)
        try:
            node = self.load(value)
        except OverflowError:
            self.fail(f'no {self.name} is identified by {value!r}: no PK is so large', param, ctx)
        except (NotExistent, MultipleObjectsError, ValueError) as exception:
            why = f'{plain(str(exception))}; {self.where}'
            self.fail(f'no {self.name} is identified by {value!r}: {why}', param, ctx)
        if classes and not isinstance(node, classes):
            wanted = ' or '.join(c.__name__ for c in classes)
            self.fail(f'{value!r} is a {type(node).__name__}, expected a {wanted}', param, ctx)
        return node


class ProcessParam(click.ParamType):
    """A process by its PK, UUID (or how it starts) or label."""

    name = 'process'

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Load the process."""
        from aiida import orm

        node = NodeParam().convert(value, param, ctx)
        if not isinstance(node, orm.ProcessNode):
            self.fail(f'{value!r} is a {type(node).__name__}, expected a process', param, ctx)
        return node


def table(rows: Sequence[Sequence[Any]], headers: Sequence[str]) -> str:
    """Lay out columns as wide as their longest entry, numbers to the right."""
    texts = [[printable(entry) for entry in row] for row in (headers, *rows)]
    widths = [max(len(row[i]) for row in texts) for i in range(len(headers))]
    right = [bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(headers))]
    lines = []
    for row in texts:
        cells = zip(row, widths, right, strict=True)
        lines.append('  '.join(t.rjust(w) if r else t.ljust(w) for t, w, r in cells))
    lines.insert(1, '  '.join('-' * width for width in widths))
    return '\n'.join(line.rstrip() for line in lines)


def printable(value: Any) -> str:
    """Return a text that leaves the terminal alone: labels of others may hold anything."""
    return ''.join(c if c.isprintable() else '\N{REPLACEMENT CHARACTER}' for c in str(value))


def with_flags(message: Any, names: Iterable[str]) -> str:
    """Write the names of choices in a message as the options that they are in a terminal."""
    known = '|'.join(map(re.escape, names))
    return re.sub(rf'`({known})`', lambda match: f'--{match[1].replace("_", "-")}', str(message))


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def mapping_at(overrides: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the mapping in overrides under some names, made where there is none.

    Raises:
        click.ClickException: If anything else stands there.
    """
    found: Any = overrides
    for name in names:
        found = found.setdefault(name, {})
        if not isinstance(found, dict):
            raise click.ClickException(f'`{name}` of --overrides must be a mapping, got {found!r}')
    chosen: dict[str, Any] = found
    return chosen


def named(_: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse a name of nothing but spaces before anything runs."""
    if value is not None and not value.strip():
        raise click.BadParameter(
            f'{value!r} cannot name a group: give it a name, or leave out --{param.name}'
        )
    return value


def add_to_group(node: Any, label: str | None) -> None:
    """Add a process to a group, which is made if there is none of this label."""
    if label is not None:
        from aiida import orm

        group, _ = orm.Group.collection.get_or_create(label)
        group.add_nodes(node)
