"""What the parts of a study took, from its nodes: jobs, core time, and time on the clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import prod
from typing import Any

from aiida import orm
from aiida.common.links import LinkType

HOUR = 3600.0
CALLS = (LinkType.CALL_CALC, LinkType.CALL_WORK)
#: Part of the plan of a study by the kind of a branch; a scan has one of its own.
PARTS = {
    'liquid': 'liquids',
    'sample': 'samples',
    'eos': 'equations of state',
    'defect': 'defects',
    'surface': 'surfaces',
    'own': 'own relaxations',
    'convergence': 'convergence',
}
#: What a scheduler is asked for; their product is the number of cores.
RESOURCES = ('num_machines', 'num_mpiprocs_per_machine', 'num_cores_per_mpiproc')
#: What scripts of this package are told of cores, where the scheduler is asked for one process.
USED = ('processes', 'threads')


@dataclass(frozen=True, slots=True)
class Took:
    """What one part took so far.

    Attributes:
        jobs: That have ended.
        cached: Of these, copied from the cache: they took nothing.
        job_hours: Sum over all that have ended.
        core_hours: The same, each times its cores.
        begun: When its first process was made.
        ended: When the files of the last job that has ended were back.
    """

    jobs: int
    cached: int
    job_hours: float
    core_hours: float
    begun: datetime
    ended: datetime

    @property
    def hours(self) -> float:
        """On the clock."""
        return (self.ended - self.begun).total_seconds() / HOUR


def part_of(branch: str) -> str:
    """Return the part of the plan that a branch is of."""
    kind, _, label = branch.partition('__')
    return f'scan {label}' if kind == 'scan' else PARTS.get(kind, branch)


def inputs_of_study(study: orm.ProcessNode) -> dict[str, Any]:
    """Return the inputs that a stored study was given, nested as its builder has them."""
    links = study.base.links.get_incoming(link_type=LinkType.INPUT_WORK)
    return _merged(links.nested(), study.base.attributes.get('metadata_inputs', None) or {})


def durations(study: orm.ProcessNode) -> dict[str, Took]:
    """Return what the parts of a study took, in the order in which they began.

    Jobs that still run count for nothing. A job took what its code says (`wall_time_seconds` of
    pw.x), else the time from when its files were there to when they were back, which holds its
    waiting in a queue.
    """
    branches: dict[str, list[tuple[Any, list[Any]]]] = defaultdict(list)
    for link in study.base.links.get_outgoing(link_type=CALLS).all():
        branch: Any = link.node
        called = [branch, *branch.called_descendants]
        jobs = [one for one in called if isinstance(one, orm.CalcJobNode) and one.is_terminated]
        if jobs:
            branches[part_of(link.link_label)].append((branch, jobs))
    every = [job.pk for some in branches.values() for _, jobs in some for job in jobs]
    seconds, ends = _clock(every)
    found = {}
    for part, some in sorted(branches.items(), key=lambda item: item[1][0][0].ctime):
        ended: list[Any] = [job for _, mine in some for job in mine]
        done: list[Any] = [job for job in ended if not job.base.caching.is_created_from_cache]
        begin = min(branch.ctime for branch, _ in some)
        end = max([begin, *(ends[job.pk] for job in ended if job.pk in ends)])
        hours: list[float] = [seconds.get(job.pk, 0.0) / HOUR for job in done]
        found[part] = Took(
            len(ended),
            len(ended) - len(done),
            sum(hours),
            sum(one * cores_of(job) for one, job in zip(hours, done, strict=True)),
            begin,
            end,
        )
    return found


def cores_of(job: orm.CalcJobNode) -> int:
    """Return the cores of a job: those it asked for, or more where its script uses more."""
    asked = (job.get_options() or {}).get('resources') or {}
    told = job.base.attributes.get('metadata_inputs', None) or {}
    return max(
        prod(int(asked.get(name) or 1) for name in RESOURCES),
        prod(int(told.get(name) or 1) for name in USED),
    )


def _clock(jobs: list[int]) -> tuple[dict[int, float], dict[int, datetime]]:
    """Return the seconds that jobs took, and when their files were back, by PK."""
    begun = dict(_made(jobs, orm.RemoteData, 'remote_folder', 'ctime'))
    ends = dict(_made(jobs, orm.FolderData, 'retrieved', 'ctime'))
    seconds = {pk: (ends[pk] - begun[pk]).total_seconds() for pk in ends if pk in begun}
    said = _made(jobs, orm.Dict, 'output_parameters', 'attributes.wall_time_seconds')
    return seconds | {pk: float(one) for pk, one in said if one is not None}, ends


def _made(jobs: list[int], kind: type[orm.Data], label: str, value: str) -> list[Any]:
    query = orm.QueryBuilder()
    query.append(orm.CalcJobNode, filters={'id': {'in': jobs or [0]}}, tag='job', project='id')
    query.append(kind, with_incoming='job', edge_filters={'label': label}, project=value)
    return query.all()


def _merged(nodes: Mapping[str, Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested inputs that are nodes together with those that are none."""
    found = dict(nodes)
    for name, value in plain.items():
        mine = found.get(name)
        both = isinstance(mine, Mapping) and isinstance(value, Mapping)
        found[name] = _merged(mine or {}, value) if both else value
    return found
