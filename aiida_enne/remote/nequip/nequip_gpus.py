"""Deals the GPUs of a job out to its processes, and lets processes share one by CUDA MPS."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

CONTROL = 'nvidia-cuda-mps-control'
#: Seconds that the control daemon may take to start or to stop.
PATIENCE = 30


def visible(count: int) -> list[str]:
    """Return the GPUs of the job by the names that CUDA has for them."""
    named = os.environ.get('CUDA_VISIBLE_DEVICES')
    if named is not None:
        return [name for name in named.split(',') if name][:count]
    return [str(index) for index in range(count)]


def pick(devices: Sequence[str], busy: Sequence[str]) -> str | None:
    """Return the GPU that the fewest processes work on; None where there is none."""
    return min(devices, key=lambda name: (busy.count(name), devices.index(name)), default=None)


@contextlib.contextmanager
def shared(devices: list[str], processes: int) -> Iterator[list[str]]:
    """Let more processes than GPUs work at the same time, where the driver offers it.

    Without MPS they take turns on the GPU, which is slower and otherwise the same. The daemon
    belongs to this job alone: it has folders of its own and ends with the job.

    Args:
        devices: GPUs of the job.
        processes: Processes at a time.

    Yields:
        The GPUs by the names that they have inside: the daemon counts its own from zero.
    """
    control = shutil.which(CONTROL)
    if not devices or processes <= len(devices) or control is None:
        yield devices
        return
    # short, for the path of a socket has room for about a hundred letters
    folder = Path(tempfile.mkdtemp(prefix='mps-'))
    places = {'CUDA_MPS_PIPE_DIRECTORY': str(folder), 'CUDA_MPS_LOG_DIRECTORY': str(folder)}
    own = os.environ | places | {'CUDA_VISIBLE_DEVICES': ','.join(devices)}
    try:
        subprocess.run([control, '-d'], env=own, check=True, timeout=PATIENCE)
    except (OSError, subprocess.SubprocessError) as exception:
        print(f'no CUDA MPS, processes take turns: {exception}', flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        yield devices
        return
    print(f'CUDA MPS lets {processes} processes share {len(devices)} GPUs', flush=True)
    os.environ.update(places)
    try:
        yield [str(index) for index in range(len(devices))]
    finally:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run([control], input=b'quit\n', env=own, check=False, timeout=PATIENCE)
        shutil.rmtree(folder, ignore_errors=True)
