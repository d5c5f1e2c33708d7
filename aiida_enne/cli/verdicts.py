"""Prints what checks found and what to do about it, one line each, and does it where asked to."""

from collections.abc import Iterable

import click

from aiida_enne.cli.common import explain
from aiida_enne.machines.probe import Verdict

_COLOURS = {'OK': 'green', 'WARN': 'yellow', 'FAIL': 'red', 'DONE': 'green'}


def show(verdicts: Iterable[Verdict], *, fix: bool = False) -> bool:
    """Print each as it comes; return whether one has failed and was not mended."""
    failed = False
    for level, subject, message, remedy, mend in verdicts:
        # what a cluster says may have many lines
        said = ' / '.join(filter(None, map(str.strip, message.splitlines())))
        _print(level, subject, f'{said} → {remedy}' if remedy else said)
        mended = False
        if fix and mend is not None:
            try:
                mend()
            except Exception as exception:  # whatever a remedy ends with: the next may be of use
                _print('FAIL', subject, explain(exception))
            else:
                mended = True
                _print('DONE', subject, f'mended by {remedy}')
        failed |= level == 'FAIL' and not mended
    return failed


def _print(level: str, subject: str, text: str) -> None:
    click.echo(f'{click.style(f"{level:<4}", fg=_COLOURS[level])} {subject}: {text}')
