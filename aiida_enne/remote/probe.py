"""Script that says what the Python of a job can do, where the job runs: one JSON object."""

import importlib
import json
import os
import platform
import shutil
import socket
import sys
from importlib.metadata import PackageNotFoundError, version

RESULT = 'probe.json'
PACKAGES = ('nequip', 'torch', 'ase')


def main() -> None:
    """Import what the jobs import, and write down what became of it."""
    report = {
        'python': platform.python_version(),
        'executable': sys.executable,
        'host': socket.gethostname(),
        'cores': len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else 1,
        'free_bytes': shutil.disk_usage('.').free,
        'compiler': shutil.which(os.environ.get('CXX', 'g++')) is not None,
        'mps': shutil.which('nvidia-cuda-mps-control') is not None,
        'visible': os.environ.get('CUDA_VISIBLE_DEVICES'),
        'packages': {name: look_at(name) for name in PACKAGES},
        'cuda': look_at_cuda(),
    }
    with open(f'.{RESULT}', 'w') as handle:  # noqa: PTH123 - must run on any Python 3
        json.dump(report, handle)
    os.replace(f'.{RESULT}', RESULT)  # noqa: PTH105


def look_at(name: str) -> dict:
    """Return the version of a package, and why it cannot be imported where it cannot."""
    try:
        found = {'version': version(name), 'error': ''}
    except PackageNotFoundError:
        return {'version': None, 'error': 'it is not installed'}
    try:
        importlib.import_module(name)
    except Exception as exception:  # a broken installation may raise anything
        found['error'] = f'{type(exception).__name__}: {exception}'
    return found


def look_at_cuda() -> dict:
    """Return the GPUs that torch sees, and what it was built for."""
    try:
        import torch

        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        names = [torch.cuda.get_device_name(index) for index in range(count)]
    except Exception as exception:
        return {'devices': [], 'built': None, 'error': f'{type(exception).__name__}: {exception}'}
    return {'devices': names, 'built': torch.version.cuda, 'error': ''}


if __name__ == '__main__':
    main()
