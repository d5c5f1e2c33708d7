"""Runs `verdi`, which knows best how profiles, daemons and processes are changed."""

import subprocess
import sys

import click


def verdi(*arguments: str) -> None:
    """Run verdi in a process of its own.

    Raises:
        click.ClickException: If it fails; its last words are in the message.
    """
    done = subprocess.run(
        [sys.executable, '-m', 'aiida', *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise click.ClickException(
            f'`verdi {" ".join(arguments)}` failed: {(done.stderr or done.stdout).strip()[-500:]}'
        )
