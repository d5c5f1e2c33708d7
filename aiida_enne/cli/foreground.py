"""Runs in this terminal: never the same one twice at a time, interrupted cleanly, resumed."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from types import FrameType
from typing import Any, NoReturn, Self

import click

from aiida_enne.cli import ledger
from aiida_enne.cli.journal import without_waiting
from aiida_enne.cli.locks import Lock
from aiida_enne.cli.progress import watch_code

#: Extra of a process that was launched in a terminal: what it runs, and by which command.
MARK = 'enne_foreground'
SIGNALS = ('SIGINT', 'SIGTERM', 'SIGHUP')


class Interruption:
    """Signals that ask to stop between two steps of AiiDA; a second one exits at once.

    Args:
        loop: The event loop of the processes.
        keep_jobs: Whether jobs are left running; the user is informed.
    """

    def __init__(self, loop: Any, *, keep_jobs: bool) -> None:
        self.loop, self.keep_jobs = loop, keep_jobs
        self.wish = loop.create_future()
        self.number: int | None = None
        self.ending: subprocess.Popen[bytes] | None = None
        self._kept: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (getattr(signal, name) for name in SIGNALS):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` has it
                self._kept[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._kept.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.number is not None:
            if self.ending is not None:
                self.ending.terminate()
            say('The jobs that have not ended run on; the same command follows them.')
            os._exit(128 + number)
        self.number = number
        if number == signal.SIGHUP:
            self.keep_jobs = True  # nobody has asked to stop: the terminal went away
        elif self.keep_jobs:
            say('\nStopping; the jobs run on.')
        else:
            say('\nStopping, and ending the jobs; Ctrl-C once more leaves them running.')
        self.loop.call_soon_threadsafe(self._wish)

    def _wish(self) -> None:
        if not self.wish.done():
            self.wish.set_result(None)


def say(text: str) -> None:
    """Write a line to the terminal, if it still exists; safe in a signal handler."""
    with contextlib.suppress(OSError):
        os.write(2, f'{text}\n'.encode())


def run(builder: Any, code: Any, *, keep_jobs: bool = False, **progress: str) -> Any:
    """Run a process in this interpreter while its progress is shown, and return its node.

    What was interrupted goes on: its jobs are followed, or begin from their checkpoints. While the
    same runs in another terminal, this one waits for it.

    Args:
        builder: The process and its inputs.
        code: Where its trainings run.
        keep_jobs: Whether the jobs run on when this is interrupted.
        progress: What is done `before` and `after` something trains.

    Raises:
        click.ClickException: If it cannot go on, or the daemon has it.
    """
    from aiida_enne.aiida_private import fingerprint, reread

    key = f'{loaded_profile().uuid}-{fingerprint(builder)[:32]}'
    with writing(), Lock(key) as lock:
        waited = not lock.acquire(wait=False)
        if waited:
            click.echo(
                f'The same runs already in process {lock.holder()}: waiting for its end. '
                'Ctrl-C ends the waiting and nothing else.'
            )
            lock.acquire(wait=True)
        reread()
        known = latest(key)
        if known is not None and known.is_terminated:
            if waited:
                return known
            known = None
        plan = ledger.plan_of(builder)
        watch = watch_code(code, **progress, plan=plan, epochs=ledger.epochs_of(builder))
        return drive(builder, known, key, watch, plan, keep_jobs=keep_jobs)


def drive(builder: Any, known: Any, key: str, watch: Any, plan: Any, *, keep_jobs: bool) -> Any:
    """Run a process to its end, or go on with a known one; leave when interrupted."""
    from aiida_enne.aiida_private import foreground_runner, run_until, schedule

    with (
        without_waiting(),
        foreground_runner(None if plan is None else plan.follow) as runner,
        Interruption(runner.loop, keep_jobs=keep_jobs) as interruption,
    ):
        if known is None:
            node, end = schedule(runner, builder)
            command = shlex.join(['aiida-enne', *sys.argv[1:]])
            node.base.extras.set(MARK, {'key': key, 'command': command})
        else:
            node, end = take_up(runner, known)
            if plan is not None:
                plan.catch_up(node)
        with watch:
            run_until(runner, end, interruption.wish)
        if interruption.number is not None and not node.is_terminated:
            leave(node, interruption)
        if not node.is_terminated and (reason := end.exception()) is not None:
            raise click.ClickException(
                f'{node.process_label} <{node.pk}> was cut short ({type(reason).__name__}: '
                f'{reason}): run the same again, nothing that is finished is repeated'
            ) from reason
        return node


def why_ended(node: Any) -> str:
    """Return how a process has ended that did not finish well, and why."""
    if node.exit_status is not None:
        return f'exit status {node.exit_status}: {node.exit_message}'
    state = 'unknown' if node.process_state is None else node.process_state.value
    why = node.exception or node.process_status or 'it gave no reason'
    return f'{state}, not finished: {why}; `{own("status", node.pk)}` tells more'


def take_up(runner: Any, node: Any) -> tuple[Any, Any]:
    """Schedule a process that was interrupted, with all that it waits for.

    Raises:
        click.ClickException: If the daemon has it, or it cannot be read any more.
    """
    from aiida_enne.aiida_private import revive, schedule, tasks_of_daemon

    name = f'{node.process_label} <{node.pk}>'
    if node.pk in tasks_of_daemon():
        raise click.ClickException(f'{name} runs in the daemon: `aiida-enne status {node.pk}`')
    click.echo(f'Going on with {name}, which was interrupted.')
    try:
        processes = revive(runner, node)
    except Exception as exception:  # a checkpoint of another version may fail in any way
        raise click.ClickException(
            f'{name} was interrupted and cannot go on ({type(exception).__name__}: {exception}): '
            f'`{own("stop", node.pk)}` gives it up, then run this again'
        ) from exception
    scheduled = [schedule(runner, process) for process in processes]
    return scheduled[0]


def leave(node: Any, interruption: Interruption) -> NoReturn:
    """End the jobs unless they are kept, say how to continue, and exit.

    AiiDA's processes are left as they are: they wait, and the same command takes them up.
    """
    if not interruption.keep_jobs:
        # apart: a connection that has to be opened for it would let the processes here go on
        words = [*profile_words(), 'stop', '--jobs', '--of-caller', str(node.pk)]
        command = [sys.executable, '-m', 'aiida_enne', *words]
        interruption.ending = subprocess.Popen(command, stdout=2)
        interruption.ending.wait()
    mark = node.base.extras.get(MARK)
    if interruption.number != signal.SIGHUP:
        say(
            f'{node.process_label} <{node.pk}> was interrupted and can go on: nothing that is '
            f'finished is repeated. To go on, run the same again:\n  {mark["command"]}\n'
            f'To give it up: {own("stop", node.pk)}'
        )
    os._exit(128 + int(interruption.number or 0))


@contextlib.contextmanager
def writing() -> Any:
    """Hold the lock of the profile where two writers would block each other.

    Raises:
        click.ClickException: If another one writes to an SQLite database that is not shareable.
    """
    from aiida_enne.cli.journal import is_shareable

    if is_shareable():
        yield
        return
    profile = loaded_profile()
    with Lock(f'{profile.uuid}-writer') as lock:
        if not lock.acquire(wait=False):
            raise click.ClickException(
                f'process {lock.holder()} writes to the profile {profile.name}, whose SQLite '
                'database has no write-ahead log, so that only one process may write: wait for '
                'its end, then `aiida-enne doctor --fix`'
            )
        yield


def latest(key: str) -> Any:
    """Return the most recent process that was launched in a terminal with the same inputs."""
    from aiida import orm

    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={f'extras.{MARK}.key': key}, tag='process')
    found = query.order_by({'process': {'id': 'desc'}}).limit(1).first()
    return None if found is None else found[0]


def is_interrupted(root: Any) -> bool:
    """Return whether a process was launched in a terminal that no longer exists."""
    mark = root.base.extras.get(MARK, None)
    return mark is not None and not root.is_terminated and Lock(mark['key']).holder() is None


def own(*words: Any) -> str:
    """Return a command of this package that acts on the same profile, wherever it is typed."""
    command = shlex.join(['aiida-enne', *profile_words(), *map(str, words)])
    path = os.environ.get('AIIDA_PATH')
    return command if path is None else f'AIIDA_PATH={shlex.quote(path)} {command}'


def profile_words() -> list[str]:
    """Return the option that names the loaded profile."""
    return ['-p', loaded_profile().name]


def loaded_profile() -> Any:
    """Return the profile in use."""
    from aiida.manage import get_manager

    return get_manager().get_profile()
