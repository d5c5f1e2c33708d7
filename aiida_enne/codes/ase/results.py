"""What the ASE script wrote: frames with labels, and what became of every configuration."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.plans.tasks import Task

#: Numbers at the head of each recorded frame; stress, cell, positions, forces follow.
HEAD = (
    'configuration', 'stage', 'step', 'time', 'temperature', 'converged',
    'sigma_energy', 'sigma_force', 'energy',
)  # fmt: skip
#: Where in a frame its stress, its cell and the rest begin.
_STRESS, _CELL, _REST = len(HEAD), len(HEAD) + 9, len(HEAD) + 18
#: Places in a frame of what a kind of task or a calculator may lack: stage to σ, stress.
_MAY_BE_NAN = (*range(1, _STRESS - 1), *range(_STRESS, _CELL))
#: What is recorded of each unit: `attempts` are the first and last step, or label, of each start.
REPORTED = ('configurations', 'status', 'message', 'attempts', 'done', 'frames', 'seconds')
#: Further numbers that frames of each kind of task carry.
#: And where σ of an ensemble is looked at: eV/atom, and eV/Å of the largest of a force component.
SIGMA = ('sigma_energy', 'sigma_force')
INFO = {'label': (), 'md': ('stage', 'time', 'temperature'), 'relax': ('step', 'converged')}


@dataclass
class Outcome:
    """What a job left.

    Attributes:
        status: `finished`, `stopped` (cleanly), `interrupted` (killed), or why the calculator
            could not be loaded: `import`, `build`.
        message: More on the status; for the last two of them `name` says of what.
        frames: Labelled configurations; None if there are none.
        results: Everything else, as plain values.
    """

    status: str
    message: str
    name: str
    frames: Configurations | None
    results: dict[str, Any]
    damages: list[str] = field(default_factory=list)

    def count(self, status: str) -> int:
        """Return how many configurations ended in a status."""
        return int(self.results['counts'].get(status, 0))


def read_outcome(
    summary: str | None,
    units: Mapping[str, tuple[str, bytes]],
    inputs: Configurations,
    task: Task,
) -> Outcome:
    """Read all that the job left.

    Args:
        summary: Text of the results file; None if there is none, because the job was killed.
        units: Progress and frames of each unit, by name.
        inputs: Configurations that went in, of which domains, blocks and info are taken over.
        task: What was asked for.
    """
    damages: list[str] = []
    n_stages = len(task.stages)
    job = {'status': 'interrupted', 'message': 'the job was killed'}
    if summary is not None:
        try:
            job = json.loads(summary)
            if not isinstance(job, dict) or not {'status', 'message', 'versions'} <= set(job):
                raise ValueError('it is not complete')
        except ValueError as exception:
            damages.append(f'the results file: {exception}')
            job = {'status': 'interrupted', 'message': 'the results file is damaged'}
    reports: list[dict[str, Any]] = []
    rows: list[Floats] = []
    for name in sorted(units):
        progress, data = units[name]
        try:
            report = _report(progress, len(inputs))
            found = _rows(data, report['bytes'], inputs.n_atoms)
            if zlib.crc32(data[: report['bytes']]) != report['crc']:
                raise ValueError('the frames are not those that were written')
            if n_stages and any(row[1] not in range(n_stages) for row in found):
                raise ValueError(f'a frame belongs to none of the {n_stages} stages')
        except (ValueError, TypeError, KeyError) as exception:
            damages.append(f'unit {name}: {exception}')
            continue
        reports.append(report)
        rows += found
    tally = _tally(reports, len(inputs), task.kind)
    lost = sum(tally['counts'].get(name, 0) for name in ('waiting', 'unfinished'))
    if job['status'] == 'finished' and lost and not damages:
        damages.append(f'{lost} configurations have no result in a job that finished')
    results = {'kind': task.kind, **job, **tally}
    frames = _frames(rows, inputs, task) if rows else None
    name = str(job.get('name', ''))
    return Outcome(str(job['status']), str(job['message']), name, frames, results, damages)


def _report(text: str, n: int) -> dict[str, Any]:
    """Read the progress of a unit.

    Raises:
        ValueError: If it is not complete or does not fit n configurations.
    """
    report = json.loads(text)
    kinds = {'bytes': int, 'crc': int, 'done': int, 'status': str, 'message': str, 'failures': list}
    if not isinstance(report, dict) or {'configurations', *kinds, *REPORTED} - set(report):
        raise ValueError('the progress is not complete')
    for key, kind in kinds.items():
        if not isinstance(report[key], kind):
            raise ValueError(f'the progress has {key} {report[key]!r}')
    members = [item['configuration'] for item in report['failures']] + report['configurations']
    if any(index not in range(n) for index in members):
        raise ValueError(f'the progress has configurations {members} of {n}')
    return report


def _rows(data: bytes, size: int, n_atoms: Integers) -> list[Floats]:
    """Cut a stream into its frames: what the progress counts, and nothing after it.

    Raises:
        ValueError: If frames are missing or the stream is none.
    """
    if len(data) < size:
        raise ValueError(f'{len(data)} bytes of frames where {size} were written')
    stream = np.frombuffer(data[: size - size % 8], dtype='<f8')
    rows: list[Floats] = []
    first = 0
    while first < len(stream):
        configuration = stream[first]
        if not (0 <= configuration < len(n_atoms) and configuration == int(configuration)):
            raise ValueError(f'frame {len(rows)} belongs to configuration {configuration}')
        last = first + _REST + 6 * int(n_atoms[int(configuration)])
        if last > len(stream):
            raise ValueError(f'frame {len(rows)} is not complete')
        if not np.isfinite(np.delete(stream[first:last], _MAY_BE_NAN)).all():
            raise ValueError(f'frame {len(rows)} holds values that are not finite')
        rows.append(stream[first:last])
        first = last
    return rows


def _frames(rows: list[Floats], inputs: Configurations, task: Task) -> Configurations:
    head = np.array([row[: len(HEAD)] for row in rows])
    values = dict(zip(HEAD, head.T, strict=True))
    origin = values['configuration'].astype(np.int64)
    stresses = np.array([row[_STRESS:_CELL] for row in rows]).reshape(-1, 3, 3)
    halves = [np.split(row[_REST:], 2) for row in rows]
    more = SIGMA if task.sigma else ()
    return Configurations(
        n_atoms=inputs.n_atoms[origin],
        numbers=inputs.numbers[inputs.atom_index(origin)],
        positions=np.concatenate([half[0] for half in halves]).reshape(-1, 3),
        cells=np.array([row[_CELL:_REST] for row in rows]).reshape(-1, 3, 3),
        pbc=inputs.pbc[origin],
        domains=_domains(inputs.domains[origin], values['stage'], task),
        blocks=inputs.blocks[origin] if task.kind == 'label' else origin,
        energies=values['energy'].copy(),
        forces=np.concatenate([half[1] for half in halves]).reshape(-1, 3),
        stresses=stresses if np.isfinite(stresses).any() else None,
        info={name: value[origin] for name, value in inputs.info.items()}
        | {name: values[name].copy() for name in ('configuration', *INFO[task.kind], *more)},
    )


def _domains(own: Any, stages: Floats, task: Task) -> Any:
    if not task.stages:
        return own
    pairs = zip(own.tolist(), stages.astype(np.int64).tolist(), strict=True)
    return np.array([task.stages[stage].label(domain) for domain, stage in pairs])


def _tally(reports: list[dict[str, Any]], n: int, kind: str) -> dict[str, Any]:
    """Count how the configurations ended, and list those that did not end well."""
    status = dict.fromkeys(range(n), 'waiting')
    failures, units = [], []
    for report in reports:
        messages = {item['configuration']: item['message'] for item in report['failures']}
        indices = report['configurations']
        if kind == 'label':  # the unit may be unfinished, but each of these labels is
            ended = dict.fromkeys(indices[: report['done']], 'finished')
        else:
            ended = dict.fromkeys(indices, report['status'])
            if report['status'] in ('exploded', 'unconverged'):
                messages[indices[0]] = report['message']
        bad = report['status'] if report['status'] in ('exploded', 'unconverged') else 'failed'
        ended |= dict.fromkeys(messages, bad)
        status |= ended
        failures += [
            {'configuration': index, 'status': bad, 'message': message}
            for index, message in sorted(messages.items())
        ]
        units.append({key: report[key] for key in REPORTED})
    names = list(status.values())
    counts = {name: names.count(name) for name in sorted(set(names))}
    return {'n_configurations': n, 'counts': counts, 'failures': failures, 'units': units}


def last_words(texts: Iterable[str]) -> str:
    """Return the last line of the first text that is not empty."""
    for text in texts:
        if lines := [line.strip() for line in text.splitlines() if line.strip()]:
            return lines[-1]
    return 'it printed nothing'


def missing_module(line: str) -> str | None:
    """Return the module that Python says it does not find, or None."""
    found = re.search(r"No module named '([\w.]+)'", line)
    return found.group(1) if found else None
