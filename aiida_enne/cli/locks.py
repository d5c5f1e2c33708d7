"""Locks that end with the process that holds them, however it ends."""

import fcntl
import os
import time
from pathlib import Path
from typing import Self


class Lock:
    """A lock among the processes of one user; the kernel releases it when its holder dies."""

    def __init__(self, name: str) -> None:
        from aiida.manage import AiiDAConfigDir

        self.path = Path(AiiDAConfigDir.get()) / 'enne-locks' / f'{name}.lock'
        self._handle: int | None = None

    def acquire(self, *, wait: bool) -> bool:
        """Take the lock and note who holds it; return whether it was free."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        tries = 3  # whoever only asks for the holder has it for a moment
        while True:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
                same = self.path.exists() and os.path.samestat(os.fstat(handle), self.path.stat())
            except BlockingIOError:
                os.close(handle)
                tries -= 1
                if not tries:
                    return False
                time.sleep(0.05)
                continue
            except BaseException:
                os.close(handle)
                raise
            if same:
                break
            os.close(handle)  # whoever held it has removed it meanwhile
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        self._handle = handle
        return True

    def release(self) -> None:
        """Give the lock back and remove its file."""
        if self._handle is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None

    def holder(self) -> str | None:
        """Return the number of the process that holds the lock; None where nobody does."""
        try:
            handle = os.open(self.path, os.O_RDONLY)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.read(handle, 32).decode(errors='replace') or 'unknown'
        finally:
            os.close(handle)
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
