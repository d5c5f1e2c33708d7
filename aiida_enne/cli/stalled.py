"""Looks for processes that do not move: interrupted, paused, without their job, or forgotten."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from aiida_enne.cli import foreground, jobs, pw
from aiida_enne.cli.health import ACTIVE
from aiida_enne.cli.verdi import verdi
from aiida_enne.machines.probe import Verdict

#: Time in which whoever looks after a job sees its end.
NOTICED = timedelta(minutes=5)


def check_processes(hours: float, *, remote: bool) -> Iterator[Verdict]:
    """Name processes that were interrupted, are paused, wait for a lost job, or stand still.

    Args:
        hours: Time in which something should happen to a process.
        remote: Whether schedulers are asked for jobs.
    """
    from aiida import orm

    active = {'attributes.process_state': {'in': list(ACTIVE)}}
    nodes = orm.QueryBuilder().append(orm.ProcessNode, filters=active).all(flat=True)
    roots = {node.pk: jobs.root_of(node) for node in nodes}
    left = {root.pk: root for root in roots.values() if foreground.is_interrupted(root)}
    verdicts = [interrupted(root, remote=remote) for root in left.values()]
    others = [node for node in nodes if roots[node.pk].pk not in left]
    gone = jobless(others) if remote else {}
    parents = {node.caller.pk for node in nodes if node.caller is not None}
    for node in others:
        name = f'{node.process_label} <{node.pk}>'
        if node.paused:
            verdicts.append(paused(node, name, roots[node.pk]))
        elif node.pk in gone:
            text = f'its {gone[node.pk]} is gone, and no process has noticed'
            verdicts.append(Verdict('WARN', name, text, served_by(roots[node.pk])))
        elif node.pk not in parents and (age := age_of(node)) > timedelta(hours=hours):
            text = f'nothing has happened for {age.total_seconds() / 3600:.1f} h'
            text += f'; {node.process_status}' if node.process_status else ''
            remedy = f'`verdi process report {node.pk}`; {served_by(roots[node.pk])}'
            verdicts.append(Verdict('WARN', name, text, remedy))
    if remote:
        verdicts += silent([one for one in others if one.pk not in gone and not one.paused], hours)
    yield from verdicts
    if not verdicts:
        yield Verdict('OK', 'processes', f'{len(nodes)} active, none interrupted, paused or stuck')


def interrupted(root: Any, *, remote: bool) -> Verdict:
    """Say of a process whose terminal is gone what its jobs do and how it goes on."""
    text = 'the terminal that ran it was closed or interrupted'
    if remote:
        mine = jobs.jobs_of(root)
        alive, unknown = jobs.find_alive(mine)
        text += f'; of {len(mine)} jobs that it waits for {len(alive)} still run'
        text += f', the state of {len(unknown)} is unknown' if unknown else ''
    command = root.base.extras.get(foreground.MARK)['command']
    remedy = f'`{command}` goes on with it, `{foreground.own("stop", root.pk)}` gives it up'
    return Verdict('WARN', f'{root.process_label} <{root.pk}>', text, remedy)


def paused(node: Any, name: str, root: Any) -> Verdict:
    """Say of a paused process why it is, and how it goes on."""
    text = f'paused: {node.process_status}'
    if root.base.extras.get(foreground.MARK, None) is not None:
        return Verdict('WARN', name, text, served_by(root))
    play = partial(verdi, '-p', foreground.loaded_profile().name, 'process', 'play', str(node.pk))
    return Verdict('WARN', name, text, f'`verdi process play {node.pk}`', play)


def served_by(root: Any) -> str:
    """Return what makes whoever runs a process take it up anew."""
    if root.base.extras.get(foreground.MARK, None) is None:
        return 'with the daemon stopped `verdi process repair`, then `verdi daemon start`'
    command = root.base.extras.get(foreground.MARK)['command']
    return f'end the terminal that runs it by `--keep-jobs` or twice Ctrl-C, then `{command}`'


def jobless(nodes: list[Any]) -> dict[int, str]:
    """Return the jobs, by the PK of their process, that ended or vanished without notice."""
    from aiida import orm

    calculations = [node for node in nodes if isinstance(node, orm.CalcJobNode)]
    mine = [job for node in calculations for job in jobs.jobs_of(node)]
    quiet = [job for job in mine if age_of(job) > NOTICED]
    alive, unknown = jobs.find_alive(quiet)
    known = {job.pk for job in (*alive, *(job for job, _ in unknown))}
    return {
        job.pk: f'job {job.get_job_id()} on {job.computer.label}'
        for job in quiet
        if job.pk not in known
    }


def silent(nodes: list[Any], hours: float) -> Iterator[Verdict]:
    """Name jobs of pw.x that their scheduler still knows and that have written nothing for long.

    Args:
        nodes: Processes.
        hours: Time in which a job should write something.
    """
    for job in nodes:
        if not pw.is_running(job):
            continue
        quiet = pw.silent_hours(job)
        if quiet is not None and quiet > hours:
            name = f'{job.process_label} <{job.pk}>'
            text = f'has written nothing for {quiet:.1f} h; {pw.say(pw.progress_of(job))}'
            remedy = f'look at its output in {job.get_remote_workdir()}; `verdi process kill '
            yield Verdict('WARN', name, text, f'{remedy}{job.pk}` gives it up')


def age_of(node: Any) -> timedelta:
    """Return how long nothing has happened to a process."""
    checked = node.base.attributes.get('scheduler_lastchecktime', None)
    last: datetime = max(filter(None, [node.mtime, checked and datetime.fromisoformat(checked)]))
    return datetime.now(last.tzinfo) - last
