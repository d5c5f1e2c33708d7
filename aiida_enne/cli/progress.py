"""Progress of jobs that run on this machine, read from what they write while they run."""

import getpass
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Self

import click
from tqdm import tqdm

from aiida_enne.cli.common import read_json
from aiida_enne.cli.ledger import Ledger, say_left
from aiida_enne.cli.pw import say
from aiida_enne.codes.qe.progress import read_progress

#: Seconds between two lines where nobody watches a terminal, e.g. in a log file.
QUIET_INTERVAL = 60.0
#: What pw.x writes, as its plugin names it.
PW_OUTPUT = 'aiida.out'
#: Seconds after which an output is taken for that of a job that has ended.
RECENT = 600.0


class Watch:
    """Show how far trainings have come, as long as the context is open.

    Args:
        folder: Where the jobs run, as the computer's work directory says.
        before: What is being done until something trains.
        after: What is being done when all that trained has ended.
        plan: What a study consists of: its total never moves.
        epochs: That the members of a training may take together at most; 0 where it is not known.
    """

    def __init__(
        self, folder: Path, before: str, after: str, plan: Ledger | None = None, epochs: int = 0
    ) -> None:
        self.folder, self.before, self.after, self.plan = folder, before, after, plan
        self.epochs = epochs
        self._started = time.time()
        self._first: tuple[float, int] | None = None
        self._stop = threading.Event()
        watch = self._draw if sys.stderr.isatty() else self._tell
        self._thread = threading.Thread(target=watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join()

    def _draw(self) -> None:
        """Keep a bar up to date."""
        unit = 'epoch' if self.plan is None else 'job'
        with tqdm(total=0, unit=unit, desc=self.before, leave=False) as bar:
            while not self._stop.wait(1.0):
                text, n, total = self._state()
                if self.plan is not None:
                    text, n, total = self._line(), self.plan.done, self.plan.jobs
                bar.set_description(text, refresh=False)
                bar.n, bar.total = n, total
                bar.refresh()

    def _tell(self) -> None:
        """Write a line now and then."""
        while not self._stop.wait(QUIET_INTERVAL):
            click.echo(f'{time.time() - self._started:5.0f} s  {self._line()}')

    def _line(self) -> str:
        """Return how far it is, in words."""
        text, epochs, total = self._state()
        left = self._training_left(epochs, total)
        if self.plan is None:
            return text + f', epoch {epochs} of {total}' * bool(total) + say_left(left)
        seconds = time.time() - self._started
        return f'{self.plan.say(seconds, epochs / total if total else 0.0, left)}; {text}'

    def _training_left(self, epochs: int, total: int) -> float:
        """Return the seconds that the epochs left take at the pace of those seen; 0 if unknown."""
        now = time.time()
        if not epochs:
            return 0.0
        if self._first is None:
            self._first = now, epochs
        begun, before = self._first
        return (now - begun) * (total - epochs) / (epochs - before) if epochs > before else 0.0

    def _state(self) -> tuple[str, int, int]:
        """Return what is being done, epochs done and epochs in all."""
        members = [
            one for path in self._files('members/*/progress.json') if (one := read_json(path))
        ]
        if not members:
            return self.before + self._labels(), 0, 0
        epochs = sum(one['epoch'] for one in members)
        total = max(self.epochs, sum(one['max_epochs'] for one in members))
        if epochs == total:
            return f'{len(members)} members trained, {self.after}', epochs, total
        done = sum(one['epoch'] >= one['max_epochs'] for one in members)
        return f'training, {done} of {len(members)} members done', epochs, total

    def _labels(self) -> str:
        """Return how far jobs of pw.x are that run; nothing without any."""
        found = []
        for path in self._files(PW_OUTPUT):
            # most jobs of a long run have ended long ago: these are not read at each look
            at = None if time.time() - _modified(path) > RECENT else read_progress(path)
            if at is not None and at.runs:
                found.append(say(at))
        return f'; pw.x: {"; ".join(found)}' if found else ''

    def _files(self, name: str = 'members/*/progress.json') -> list[Path]:
        """Return what jobs wrote since this began: older ones lie in the same folder."""
        found = self.folder.glob(f'*/*/*/{name}')
        return [path for path in found if _modified(path) > self._started]


def watch_code(
    code: Any,
    before: str = 'at work',
    after: str = 'at work',
    plan: Ledger | None = None,
    epochs: int = 0,
) -> Any:
    """Return a context that shows the progress of trainings, if the code runs on this machine."""
    if code.computer.transport_type != 'core.local':
        return nullcontext()
    folder = code.computer.get_workdir().format(username=getpass.getuser())
    return Watch(Path(folder), before, after, plan, epochs)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
