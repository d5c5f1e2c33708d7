"""Jobs of pw.x, whose plugin is another's: how far they are, read in their work folder."""

import tempfile
import time
from pathlib import Path
from typing import Any

from aiida_enne.codes.qe.progress import Progress, read_progress

#: Process type of a job of pw.x.
PW = 'aiida.calculations:quantumespresso.pw'
#: Columns of a table of such jobs.
HEADERS = ('pw.x', 'step', 'of at most', 'iteration', 'accuracy (Ry)')


def is_running(job: Any) -> bool:
    """Return whether a process is a job of pw.x that was uploaded and has not ended."""
    return job.process_type == PW and not job.is_terminated and 'remote_folder' in job.outputs


def progress_of(job: Any) -> Progress | None:
    """Return how far a job is; None where it has said nothing, or cannot be asked."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'output'
        try:
            job.outputs.remote_folder.getfile(job.get_option('output_filename'), str(path))
        except Exception:  # a computer may be out of reach in many ways
            return None
        return read_progress(path)


def rows(jobs: list[Any]) -> list[list[Any]]:
    """Return a row for each job of pw.x that runs: steps done, and the iteration of the next."""
    found = []
    for job in jobs:
        if is_running(job):
            at = progress_of(job)
            cells: list[Any] = ['', '', '', '']
            if at is not None:
                accuracy = '' if at.accuracy is None else f'{at.accuracy:.1e}'
                cells = [at.steps, at.of, at.iteration, accuracy]
            found.append([job.pk, *cells])
    return found


def silent_hours(job: Any) -> float | None:
    """Return for how long a job of pw.x has written nothing; None where that cannot be seen."""
    try:
        with job.get_transport() as transport:
            path = f'{job.get_remote_workdir()}/{job.get_option("output_filename")}'
            written = transport.get_attribute(path)['st_mtime']
    except Exception:  # a computer may be out of reach in many ways
        return None
    return (time.time() - float(written)) / 3600


def say(at: Progress | None) -> str:
    """Return in words how far a job is."""
    if at is None:
        return 'before its first iteration'
    return f'{at.steps} of at most {at.of} steps done, iteration {at.iteration}'
