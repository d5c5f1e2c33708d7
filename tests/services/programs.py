"""Server programs in the foreground: started, stopped, killed by their process, never by name."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest


class Program:
    """One server of this machine; what it prints goes to `<name>.log` in its folder."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        folder: Path,
        ready: Callable[[], bool],
        **settings: Any,
    ) -> None:
        """Plan the process; `settings` (user, env) are those of `subprocess.Popen`."""
        self.name, self.command, self.ready, self.settings = name, command, ready, settings
        self.log, self.end = folder / f'{name}.log', signal.SIGTERM
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start the process and wait until it answers; one that runs is left alone."""
        if self.process is not None and self.process.poll() is None:
            return
        with self.log.open('ab') as log:
            self.process = subprocess.Popen(
                [str(word) for word in self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self.settings,
            )
        wait_until(lambda: self.process.poll() is not None or self.ready(), f'{self.name} answers')
        if self.process.poll() is not None:
            raise RuntimeError(f'{self.name} ended:\n{self.log.read_text()[-2000:]}')

    def stop(self, seconds: float = 20) -> None:
        """Ask the process to end, and kill whatever of it is left."""
        if self.process is not None and self.process.poll() is None:
            family = self.family()
            self.process.send_signal(self.end)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
            kill(family)
            self.process.wait()

    def kill(self) -> None:
        """Kill -9 the process with all its children."""
        kill(self.family())
        self.process.wait()

    def family(self) -> list[psutil.Process]:
        """Return the process and its children of any generation, parents first."""
        try:
            root = psutil.Process(self.process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def kill(processes: Sequence[psutil.Process]) -> None:
    """Kill -9 processes, parents first so that none is begun anew."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=10)


def wait_until(happens: Callable[[], Any], what: str, seconds: float = 300) -> Any:
    """Return the first true answer, or fail with what was waited for."""
    end = time.monotonic() + seconds
    while not (answer := happens()):
        if time.monotonic() > end:
            raise TimeoutError(f'waited {seconds:.0f} s in vain until {what}')
        time.sleep(0.1)
    return answer


def require(*names: str, folders: Sequence[Path] = ()) -> list[str]:
    """Return the paths of programs; skip the tests, saying why, where one is not installed."""
    places = os.pathsep.join([*map(str, folders), os.environ['PATH'], '/usr/sbin', '/sbin'])
    found = {name: shutil.which(name, path=places) for name in names}
    if missing := [name for name, path in found.items() if path is None]:
        pytest.skip(f'not installed: {", ".join(missing)}')
    return list(found.values())


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return one.getsockname()[1]


def answers(port: int) -> bool:
    """Return whether something listens on a port of the loopback."""
    with socket.socket() as one:
        return one.connect_ex(('127.0.0.1', port)) == 0


def account(name: str) -> dict[str, str]:
    """Return the settings that run a program as an account of its own, where root may not."""
    return {'user': name, 'group': name} if os.getuid() == 0 else {}
