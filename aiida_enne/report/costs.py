"""What a study was planned to cost beside what it took: a line a part, and what dominates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiida import orm
from aiida.common.exceptions import AiidaException

from aiida_enne.provenance import Material
from aiida_enne.provenance.durations import HOUR, durations, inputs_of_study
from aiida_enne.report.tables import Table
from aiida_enne.workflows.study.planning import Plan, plan

#: Process type of what has a plan.
STUDY = 'aiida.workflows:enne.study'
HEADERS = ['part', 'jobs planned', 'ended', 'core hours planned', 'taken', 'hours elapsed']


@dataclass(frozen=True, slots=True)
class Costs:
    """Planned and taken.

    Attributes:
        rows: A part each, and the sum: cells of text under `HEADERS`.
        lines: Time on the clock, and what dominates, in a sentence each.
        numbers: By part, fit for JSON; None where nothing is known.
    """

    rows: list[list[str]]
    lines: list[str]
    numbers: dict[str, dict[str, float | None]]


def costs_of(study: Any) -> Costs | None:
    """Return what a study was planned to cost, by this version's plan, and what it took so far.

    Returns:
        None for a process that is no study, and where no job has ended yet.
    """
    if study.process_type != STUDY or not (took := durations(study)):
        return None
    try:
        planned, why = plan(inputs_of_study(study)), ''
    except (ValueError, KeyError, AiidaException) as exception:
        planned, why = None, f'no plan: {exception}'
    estimates = {one.name: one for one in planned.parts} if planned is not None else {}
    numbers: dict[str, dict[str, float | None]] = {}
    for name in dict.fromkeys([*estimates, *took]):
        mine, done = estimates.get(name), took.get(name)
        on_gpu = mine is not None and mine.gpu_hours > mine.core_hours
        hours = None
        if done is not None:
            hours = done.job_hours if on_gpu else done.core_hours
        numbers[name] = {
            'jobs_planned': None if mine is None else mine.jobs,
            'jobs': 0 if done is None else done.jobs,
            'cached': 0 if done is None else done.cached,
            'planned': None if mine is None else max(mine.core_hours, mine.gpu_hours),
            'taken': hours,
            'elapsed': None if done is None else done.hours,
            'on_gpu': on_gpu,
        }
    ended = max(one.ended for one in took.values())
    elapsed = (ended - study.ctime).total_seconds() / HOUR
    rows = [_row(name, one) for name, one in numbers.items()]
    return Costs(rows, [_clock(elapsed, planned, why), _dearest(numbers)], numbers)


def of_costs(material: Material) -> Iterator[Table]:
    """Yield what a study was planned to cost beside what it took."""
    study = orm.load_node(material.record.process)
    costs = costs_of(study)
    if costs is not None:
        title = 'Costs, planned and taken. ' + ' '.join(costs.lines)
        yield Table(title, HEADERS, costs.rows, numbers={'costs': costs.numbers})


def _row(name: str, one: dict[str, float | None]) -> list[str]:
    unit = ' GPU' if one['on_gpu'] else ''
    jobs = f'{one["jobs"]}' + (f', {one["cached"]} of them cached' if one['cached'] else '')
    cells = [_shown(one[key], unit) for key in ('planned', 'taken')]
    planned = one['jobs_planned']
    return [
        name.replace('_', ' '),
        '–' if planned is None else f'{planned}',
        jobs,
        *cells,
        _shown(one['elapsed']),
    ]


def _clock(elapsed: float, planned: Plan | None, why: str) -> str:
    """Return the time on the clock, beside the planned one."""
    if planned is None:
        expected = why
    elif planned.seconds is None and planned.slowest is not None:
        part, _, seconds = planned.slowest
        expected = f'planned: at least {_shown(seconds / HOUR)} h, of {part.name}'
    elif planned.seconds is None:
        expected = 'planned: not known, nothing limits the jobs at a time'
    else:
        expected = f'planned: {_shown(planned.seconds / HOUR)} h'
    return f'Elapsed: {_shown(elapsed)} h ({expected}).'


def _dearest(numbers: dict[str, dict[str, float | None]]) -> str:
    """Return what took most, beside what was planned to."""
    texts = []
    for key in ('taken', 'planned'):
        known = {name: one[key] or 0.0 for name, one in numbers.items()}
        name = max(known, key=lambda one: known[one])
        share = f'{_shown(known[name])} of {_shown(sum(known.values()))} hours'
        texts.append(f'{name}, {share}' if known[name] else 'not known')
    return f'Most of it: {texts[0]} of cores or GPUs (planned: {texts[1]}).'


def _shown(hours: float | None, unit: str = '') -> str:
    return '–' if hours is None else f'{hours:.2g}{unit}'
