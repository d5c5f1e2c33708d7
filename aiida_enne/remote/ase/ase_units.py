"""Units of work: each writes its frames and its progress so that killing it loses little."""

from __future__ import annotations

import contextlib
import json
import os
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError

FOLDER = 'units'

#: Numbers of a frame between its configuration and its energy; NaN where there is none.
HEAD = (
    'stage', 'step', 'time', 'temperature', 'converged', 'sigma_energy', 'sigma_force',
)  # fmt: skip


class StoppedError(Exception):
    """The job ends before the work does: written down cleanly, it can be continued."""


class Clock:
    """Says when to write a checkpoint and when to stop."""

    def __init__(self, interval: float, deadline: float) -> None:
        """Take seconds between two checkpoints, and the value of `time.time()` to stop at."""
        self.interval, self.deadline = interval, deadline
        self.parent, self.last, self.stopping = os.getppid(), time.time(), False

    def request_stop(self, *_: Any) -> None:
        """Handle a signal: stop at the next step."""
        self.stopping = True

    def check(self) -> None:
        """Raise `StoppedError` if the time is over, a signal came or the parent is gone."""
        if self.stopping:
            raise StoppedError('a signal asked the job to stop')
        if time.time() > self.deadline:
            raise StoppedError('the time is over')
        if os.getppid() != self.parent:
            raise StoppedError('the parent process is gone')

    def is_due(self) -> bool:
        """Whether it is time for a checkpoint."""
        if time.time() - self.last < self.interval:
            return False
        self.last = time.time()
        return True


class Unit:
    """A few configurations with one file of frames and one of progress.

    Frames are appended as plain float64: configuration, stage, step, time (ps), temperature (K),
    converged, σ of the energy (eV/atom) and the largest of a force (eV/Å), energy, stress (9), cell
    (9), positions (3n), forces (3n). What the progress file
    does not count, because the process was killed in between, is cut off on the next start.

    Attributes:
        members: Indices of its configurations.
        job: Digest of the job: progress of any other job is not gone on with.
        report: What became of it, `state` included; all of it is in the progress file.
    """

    def __init__(self, index: int, members: list[int], job: str) -> None:
        """Name the files; nothing is read or written."""
        self.members, self.job = members, job
        self.progress = Path(FOLDER) / f'{index:06}.json'
        self.frames = self.progress.with_suffix('.f8')
        self.report: dict[str, Any] = {}
        self.buffer: list[bytes] = []

    def open(self) -> None:
        """Read the progress of earlier attempts, if there is any that can be used."""
        self.report = {
            'job': self.job,
            'configurations': self.members,
            'status': 'unfinished',
            'message': '',
            'failures': [],
            'attempts': [],
            'done': 0,
            'frames': 0,
            'bytes': 0,
            'crc': 0,
            'seconds': 0.0,
            'state': None,
        }
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError, KeyError):
            earlier = json.loads(self.progress.read_text())
            if earlier['job'] == self.job and self.counts(earlier):
                self.report = earlier
        with self.frames.open('ab') as handle:
            handle.truncate(self.report['bytes'])

    def counts(self, report: dict[str, Any]) -> bool:
        """Return whether the frames are those that a progress counts, down to the last bit."""
        data = self.frames.read_bytes()[: report['bytes']] if self.frames.exists() else b''
        return (len(data), zlib.crc32(data)) == (report['bytes'], report['crc'])

    def begin(self) -> None:
        """Note a new attempt."""
        self.report['attempts'].append([self.report['done'], self.report['done']])
        self.checkpoint(self.report['state'])

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do, by the progress that was read."""
        return bool(self.report['status'] != 'unfinished')

    @property
    def failed(self) -> set[int]:
        """Configurations that failed."""
        return {failure['configuration'] for failure in self.report['failures']}

    def record(self, configuration: int, atoms: Atoms, **values: float) -> None:
        """Add a frame with energy, forces without constraints and, if there is one, stress.

        Raises:
            ValueError: If energy or forces are not finite.
        """
        energy, forces = atoms.get_potential_energy(), atoms.get_forces(apply_constraint=False)
        if not (np.isfinite(energy) and np.isfinite(forces).all()):
            raise ValueError(f'energy or forces are not finite, the energy is {energy}')
        head = [configuration, *(values.get(name, np.nan) for name in HEAD), energy]
        parts = (head, stress(atoms), atoms.cell.array, atoms.positions, forces)
        self.buffer.append(np.concatenate([np.ravel(part) for part in parts]).tobytes())

    def fail(self, configuration: int, message: str) -> None:
        """Note that a configuration has no result."""
        self.report['failures'].append({'configuration': configuration, 'message': message})

    def checkpoint(self, state: dict[str, Any] | None, **changes: Any) -> None:
        """Write down the frames, then the progress that counts them.

        Raises:
            StoppedError: If the disk is full, say: that is no configuration's fault.
        """
        data = b''.join(self.buffer)
        try:
            with self.frames.open('r+b') as handle:
                handle.seek(self.report['bytes'])
                handle.write(data)
                size = handle.tell()
            frames = self.report['frames'] + len(self.buffer)
            crc = zlib.crc32(data, self.report['crc'])
            self.report |= {'bytes': size, 'crc': crc, 'frames': frames, 'state': state} | changes
            self.buffer.clear()
            self.report['attempts'][-1][1] = self.report['done']
            write(self.progress, self.report)
        except OSError as exception:
            raise StoppedError(f'nothing can be written: {exception}') from exception


def stress(atoms: Atoms) -> np.ndarray:
    """Return the stress in eV/Å³ as a 3 × 3 tensor, NaN where the calculator has none."""
    if atoms.cell.rank == 3:
        with contextlib.suppress(PropertyNotImplementedError, NotImplementedError):
            return np.asarray(atoms.get_stress(voigt=False, apply_constraint=False))
    return np.full((3, 3), np.nan)


def write(path: Path, content: Any) -> None:
    """Write JSON in one step: whoever reads it finds the old content or the new."""
    draft = path.with_suffix('.tmp')
    draft.write_text(json.dumps(content))
    draft.replace(path)
