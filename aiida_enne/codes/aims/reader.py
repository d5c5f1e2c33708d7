"""Reads an output line by line, so that wherever it ends, all whole steps before are kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from aiida_enne.codes.aims import sections
from aiida_enne.codes.aims.errors import Ending, find_error, judge
from aiida_enne.codes.aims.header import Header
from aiida_enne.codes.aims.results import AimsOutput, Frame, Verdict
from aiida_enne.codes.aims.steps import Steps

LEAVE = 'Have a nice day.'


class OutputReader:
    """Takes lines; the result so far can be read at any time.

    Only whole lines may be fed: a number that was cut in two is still a number.
    """

    def __init__(self) -> None:
        self.header = Header()
        self.steps = Steps(self.header)
        self.timings: dict[str, float] = {}
        self.warnings: dict[str, None] = {}
        self.errors: dict[Verdict, str] = {}
        self.in_order = False
        self._paragraph: list[str] = []
        self._section: sections.Section | None = None
        self._store: Callable[[Any], None] | None = None
        self._handlers = (
            self.header.handlers()
            | self.steps.handlers()
            | {
                'Detailed time accounting': lambda _: (sections.timings(), self.timings.update),
                LEAVE: self._leave,
            }
        )
        words = '|'.join(map(re.escape, self._handlers))
        self._begins = re.compile(rf'\s*(?:\|\s*)?({words})').match

    def feed(self, line: str) -> None:
        """Take the next line, without its end."""
        self._read_stars(line.strip())
        self.note_error(line)
        if self._section is not None:
            try:
                self._section.send(line)
            except StopIteration as end:
                self._section = None
                if end.value is not None and self._store is not None:
                    self._store(end.value)
            else:
                return
        match = self._begins(line)
        if match is None:
            return
        if match[1] == 'Begin self-consistency loop':
            self.errors.clear()  # whatever it was, the run went on
        opened = self._handlers[match[1]](line)
        if opened is not None:
            self._section, self._store = opened
            next(self._section)

    def note_error(self, line: str) -> None:
        """Look for an error in a line: of the output, of standard error or of the scheduler."""
        verdict = find_error(line)
        if verdict is not None:
            self.errors.setdefault(verdict, line.strip())

    def result(self) -> AimsOutput:
        """Return what was read so far."""
        header, steps = self.header, self.steps
        frames, unfinished = steps.whole(), steps.unfinished()
        relaxed = steps.is_relaxed if header.is_relaxation else None
        verdict, reason = judge(
            Ending(
                begun=steps.step is not None,
                in_order=self.in_order,
                whole=len(frames),
                left_open=unfinished is not None,
                unconverged=steps.step is not None and not steps.step.converged,
                relaxed=relaxed,
                short=self._is_short(frames[-1].time if frames else None),
                spent=self._spent(),
                missing_species=header.missing_species,
                errors=self.errors,
            )
        )
        warnings = [*self.warnings, *filter(None, [' '.join(self._paragraph)])]
        disagreements = (*header.disagreements, *steps.disagreements, *self._lost(frames))
        warnings += disagreements
        if steps.left_out:
            warnings.append(f'{steps.left_out} steps are left out: they are not whole')
        return AimsOutput(
            verdict=verdict,
            reason=reason,
            version=header.version,
            xc=header.xc,
            frames=frames,
            unfinished=unfinished,
            relaxed=relaxed,
            timings=dict(self.timings),
            warnings=tuple(dict.fromkeys(warnings)),
            left_out=steps.left_out,
            disagreements=tuple(dict.fromkeys(disagreements)),
        )

    def _lost(self, frames: Sequence[Frame]) -> list[str]:
        """Say which steps have no stress although it was asked for or others have one."""
        lack = [step for step, frame in enumerate(frames) if frame.stress is None]
        if not lack or (len(lack) == len(frames) and not self.header.needs_stress):
            return []
        return [f'a stress is asked for, but none is read of the steps {lack[:8]}']

    def _read_stars(self, text: str) -> None:
        """Gather paragraphs marked with stars; boxes of stars are titles, not warnings."""
        if text.startswith('*') and not text.endswith('**'):
            self._paragraph.append(text.lstrip('* '))
        elif self._paragraph:
            self.warnings[' '.join(self._paragraph)] = None
            self._paragraph = []

    def _leave(self, line: str) -> None:
        self.in_order = line.strip() == LEAVE

    def _is_short(self, time: float | None) -> bool:
        header = self.header
        if time is None or header.md_time is None or header.time_step is None:
            return False
        # the last step printed is one time step before the end
        return time + 1.5 * header.time_step < header.md_time

    def _spent(self) -> float | None:
        total, walltime = self.timings.get('Total time'), self.header.walltime
        return total / walltime if total is not None and walltime else None
