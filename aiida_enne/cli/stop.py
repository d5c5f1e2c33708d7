"""`aiida-enne stop`: end the jobs of a study that was launched in a terminal, and give it up."""

from typing import Any

import click

from aiida_enne.cli.common import ProcessParam, with_profile


@click.command()
@click.argument('process', type=ProcessParam())
@click.option('--jobs', 'jobs_only', is_flag=True, help='End the jobs only: it can go on later.')
@click.option('--of-caller', is_flag=True, hidden=True, help='The caller runs it and waits.')
@with_profile
def stop(process: Any, jobs_only: bool, of_caller: bool) -> None:
    """End the jobs of PROCESS and mark it as killed, if its terminal no longer exists.

    What is finished stays, and so do all checkpoints. For what the daemon runs there is
    `verdi process kill`.
    """
    from aiida_enne.aiida_private import give_up
    from aiida_enne.cli import foreground, jobs

    root = jobs.root_of(process)
    name = f'{root.process_label} <{root.pk}>'
    if root.is_terminated:
        raise click.ClickException(f'{name} has ended already')
    if root.base.extras.get(foreground.MARK, None) is None:
        raise click.ClickException(
            f'{name} was not launched in a terminal: `verdi process kill {root.pk}`'
        )
    if not of_caller and not foreground.is_interrupted(root):
        raise click.ClickException(f'{name} runs in another terminal: press Ctrl-C there')
    stayed = False
    for job, reason in jobs.end_jobs(root):
        stayed |= reason is not None
        done = 'Ended' if reason is None else 'Could not end'
        click.echo(f'{done} {jobs.name_of(job)}' + (f': {reason}' if reason else ''))
    if stayed:
        raise click.ClickException('what could not be ended runs on')
    if not jobs_only:
        give_up(reversed(jobs.active_tree(root)), 'given up by `aiida-enne stop`')
        click.echo(f'Gave up {name}.')
