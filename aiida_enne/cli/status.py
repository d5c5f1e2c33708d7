"""`aiida-enne status`: how far a study is, member by member, and what went wrong so far."""

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import click

from aiida_enne.cli.common import ProcessParam, read_json, table, with_profile


@click.command()
@click.argument('process', type=ProcessParam(), required=False)
@with_profile
def status(process: Any) -> None:
    """Show the jobs of PROCESS, the epochs of its members and its errors so far.

    Of jobs of pw.x that run: steps that are done, and the iteration to self-consistency.
    Of a study: what each part was planned to cost, and what it took.

    Default: the most recent study, training, prediction or audit.
    """
    from aiida import orm

    from aiida_enne.cli import foreground, pw
    from aiida_enne.cli.jobs import root_of
    from aiida_enne.report.costs import HEADERS, costs_of

    node = process or _most_recent()
    click.echo(f'{node.process_label} <{node.pk}> {_state(node)}')
    root = root_of(node)
    if foreground.is_interrupted(root):
        click.echo(
            'It was interrupted, and no process runs it now. To go on:\n  '
            + root.base.extras.get(foreground.MARK)['command']
        )
    jobs = [child for child in node.called_descendants if isinstance(child, orm.CalcJobNode)]
    if jobs:
        click.echo(table([_row(job) for job in jobs], ['job', 'pk', 'state', 'exit']))
    members = [row for job in jobs for row in member_rows(job)]
    if members:
        headers = ['member', 'job', 'state', 'epoch', 'of', 'best', 's/epoch']
        click.echo('\n' + table(members, headers))
    if running := pw.rows(jobs):
        click.echo('\n' + table(running, pw.HEADERS))
    if costs := costs_of(node):
        click.echo('\n' + '\n'.join([table(costs.rows, HEADERS), *costs.lines]))
    for line in reasons(jobs):
        click.echo(line, err=True)
    failed = [child for child in node.called_descendants if child.is_failed or child.is_excepted]
    for child in failed:
        reason = child.exit_message or child.exception
        click.echo(f'{child.process_label} <{child.pk}> [{child.exit_status}] {reason}', err=True)


def member_rows(job: Any) -> list[list[Any]]:
    """Return a row per member of a training job: from its results, else from its work folder."""
    seeds = sorted(label for label in job.inputs.seeds) if 'seeds' in job.inputs else []
    results = job.outputs.results if 'results' in job.outputs else {}
    rows = []
    for label in seeds:
        if label in results:
            found = results[label].get_dict()
            values = [found.get('status'), found.get('epochs'), '', found.get('best_score')]
        else:
            progress = _remote_progress(job, label)
            keys = ('epoch', 'max_epochs', 'best', 'seconds_per_epoch')
            values = ['training' if progress else 'waiting', *map(progress.get, keys)]
        rows.append([label, job.pk, *map(_shown, values)])
    return [row + [''] * (7 - len(row)) for row in rows]


def reasons(jobs: list[Any]) -> list[str]:
    """Return a line for each member that failed: which, how, and why as its trainer said it."""
    from aiida import orm

    found = []
    for job in jobs:
        results = job.outputs.results if 'results' in job.outputs else {}
        if isinstance(results, orm.Dict):
            continue  # predictions: of all members together
        for label, node in sorted(results.items()):
            result = node.get_dict()
            if result.get('exit_status'):
                why = ' '.join(str(result.get('exit_message') or '').split())
                found.append(
                    f'{label} of <{job.pk}>: {result["exit_label"]}: {why or "see its log"}'
                )
    return found


def _shown(value: Any) -> Any:
    """Return what a table says of a value: few digits, nothing where nothing is known."""
    if value is None:
        return ''
    return f'{value:.4g}' if isinstance(value, float) else value


def _remote_progress(job: Any, label: str) -> dict[str, Any]:
    """Read the progress file of a member where it runs; empty where there is none yet."""
    if 'remote_folder' not in job.outputs:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'progress.json'
        with contextlib.suppress(OSError, ValueError):
            job.outputs.remote_folder.getfile(f'members/{label}/progress.json', str(path))
        return read_json(path)


def _row(job: Any) -> list[Any]:
    state = job.get_state()
    shown = _state(job) if job.is_terminated or state is None else state.value
    return [job.process_label, job.pk, shown, '' if job.exit_status is None else job.exit_status]


def _state(node: Any) -> str:
    state = node.process_state
    if node.is_finished:
        return f'finished [{node.exit_status}]'
    return state.value if state is not None else 'created'


def _most_recent() -> Any:
    """Return the most recent work chain of this plugin that no other one called."""
    from aiida import orm

    query = orm.QueryBuilder()
    filters = {'process_type': {'like': 'aiida.workflows:enne.%'}}
    query.append(orm.WorkChainNode, filters=filters, tag='chain')
    query.order_by({'chain': {'ctime': 'desc'}})
    for (node,) in query.iterall():
        if node.caller is None:
            return node
    raise click.ClickException('nothing of this plugin has been launched in this profile')
