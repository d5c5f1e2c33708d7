"""Jobs of processes that have not ended: whether they are still there, and how to end them."""

import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Seconds that a job on this machine has to write down where it is once it was asked to end.
GRACE = 20.0


def root_of(node: Any) -> Any:
    """Return the process that was launched for a process to run."""
    while node.caller is not None:
        node = node.caller
    return node


def active_tree(node: Any) -> list[Any]:
    """Return a process and all that it called, as far as they have not ended."""
    return [one for one in (node, *node.called_descendants) if not one.is_terminated]


def jobs_of(node: Any) -> list[Any]:
    """Return the jobs of a process that were handed to a scheduler and not seen to end."""
    from aiida import orm
    from aiida.common import CalcJobState

    states = (CalcJobState.SUBMITTING, CalcJobState.WITHSCHEDULER)
    found = [one for one in active_tree(node) if isinstance(one, orm.CalcJobNode)]
    return [one for one in found if one.get_job_id() is not None and one.get_state() in states]


def name_of(job: Any) -> str:
    """Return how a job is called in messages."""
    return f'job {job.get_job_id()} on {job.computer.label} ({job.process_label} <{job.pk}>)'


def find_alive(jobs: list[Any]) -> tuple[list[Any], list[tuple[Any, str]]]:
    """Ask the schedulers for jobs.

    Returns:
        Those whose job is queued or runs, and those whose scheduler cannot be asked, with the
        reason. All others have ended or are gone.
    """
    from aiida.schedulers import JobState

    alive, unknown = [], []
    by_computer = defaultdict(list)
    for job in jobs:
        by_computer[job.computer.pk].append(job)
    for some in by_computer.values():
        try:
            with some[0].get_transport() as transport:
                scheduler = some[0].computer.get_scheduler()
                scheduler.set_transport(transport)
                seen = scheduler.get_jobs(jobs=[job.get_job_id() for job in some], as_dict=True)
        except Exception as exception:  # a computer may be out of reach in many ways
            unknown += [(job, f'{type(exception).__name__}: {exception}') for job in some]
            continue
        for job in some:
            info = seen.get(job.get_job_id())
            if info is not None and info.job_state != JobState.DONE and is_own(job):
                alive.append(job)
    return alive, unknown


def is_own(job: Any) -> bool:
    """Return whether a process of this machine is the job that once had its number.

    After a restart of the machine it may be another's. Where that cannot be seen, it is.
    """
    if job.computer.scheduler_type != 'core.direct' or job.computer.transport_type != 'core.local':
        return True
    place = Path('/proc') / str(job.get_job_id()) / 'cwd'
    try:
        return place.resolve() == Path(job.get_remote_workdir()).resolve()
    except OSError:
        return True


def end_jobs(node: Any) -> Iterator[tuple[Any, str | None]]:
    """End the jobs of a process; yield each that ran, with the reason if it still runs."""
    from aiida_enne.aiida_private import kill_calculation
    from aiida_enne.workflows.restarts import ENDED

    alive, unknown = find_alive(jobs_of(node))
    yield from unknown
    asked = []
    for job in alive:
        try:
            job.base.extras.set(ENDED, True)
            with job.get_transport() as transport:
                kill_calculation(job, transport)
        except Exception as exception:  # what a scheduler or a connection says, whatever it is
            yield job, f'{type(exception).__name__}: {exception}'
        else:
            asked.append(job)
    here = [job for job in asked if job.computer.scheduler_type == 'core.direct']
    end = time.monotonic() + GRACE
    while here and time.monotonic() < end:
        here, _ = find_alive(here)
        time.sleep(0.2 * bool(here))
    for job in asked:
        late = f'it has not ended {GRACE:.0f} s after it was asked to'
        yield job, late if job in here else None
