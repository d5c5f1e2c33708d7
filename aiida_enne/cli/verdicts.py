"""Prints what checks found and what to do about it, one line each."""

from collections.abc import Iterable

import click

from aiida_enne.machines.probe import Verdict

_COLOURS = {'OK': 'green', 'WARN': 'yellow', 'FAIL': 'red'}


def show(verdicts: Iterable[Verdict]) -> bool:
    """Print each as it comes; return whether one has failed."""
    failed = False
    for level, subject, message, remedy in verdicts:
        failed |= level == 'FAIL'
        # what a cluster says may have many lines
        told = ' / '.join(filter(None, map(str.strip, message.splitlines())))
        way_out = f' → {remedy}' if remedy else ''
        click.echo(f'{click.style(f"{level:<4}", fg=_COLOURS[level])} {subject}: {told}{way_out}')
    return failed
