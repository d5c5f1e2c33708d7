"""Progress of jobs that run on this machine, read from what they write while they run."""

import json
import threading
import time
from pathlib import Path
from typing import Any, Self

from tqdm import tqdm


class Watch:
    """Show how far trainings have come, as long as the context is open."""

    def __init__(self, folder: Path, interval: float = 1.0) -> None:
        self.folder, self.interval = folder, interval
        self._started = time.time()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        with tqdm(total=0, unit='epoch', desc='reference', leave=False) as bar:
            while not self._stop.wait(self.interval):
                members = [read_progress(path) for path in self._files()]
                known = [one for one in members if one]
                if known:
                    bar.total = sum(one['max_epochs'] for one in known)
                    bar.n = sum(one['epoch'] for one in known)
                    done = sum(one['epoch'] >= one['max_epochs'] for one in known)
                    bar.set_description(f'training, {done} of {len(known)} members done')
                bar.refresh()

    def _files(self) -> list[Path]:
        """Return what trainings wrote since this began: older jobs lie in the same folder."""
        pattern = 'scratch/*/*/*/*/members/*/progress.json'
        found = self.folder.glob(pattern)
        return [path for path in found if _modified(path) > self._started]


def read_progress(path: Path) -> dict[str, Any] | None:
    """Return one member's progress, or None where it cannot be read at this moment."""
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return None


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
