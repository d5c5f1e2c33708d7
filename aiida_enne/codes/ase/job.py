"""The files of one job of the ASE script."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiida_enne.codes.ase.calculators import complete_calculator, is_ensemble
from aiida_enne.remote import MEMBERS_SCRIPTS, read_script
from aiida_enne.science.plans.tasks import Task

JOB, CONFIGURATIONS, RESULTS, UNITS = 'job.json', 'configurations.npz', 'results.json', 'units'

#: The first one is run, the others are its modules.
SCRIPTS = (
    'ase_run.py',
    'ase_calculators.py',
    'ase_dynamics.py',
    'ase_tasks.py',
    'ase_units.py',
    'ase_watch.py',
)

#: Added where the calculator is an ensemble; checkpoints are `members/<label>.ckpt`.
ENSEMBLE_SCRIPTS = ('ase_ensemble.py', *MEMBERS_SCRIPTS)
MEMBERS = 'members'


def render(calculator: Mapping[str, Any], task: Task, seed: int | None) -> dict[str, str]:
    """Return the text of every file that the job needs, by name, but for the configurations.

    Args:
        calculator: See `complete_calculator`.
        task: What the job does.
        seed: Seed of velocities and thermostats; trajectory i draws from the stream (seed, i).

    Raises:
        ValueError: If the calculator cannot be used, or dynamics lack their seed.
    """
    chosen = complete_calculator(calculator)
    if task.kind == 'md' and seed is None:
        raise ValueError('molecular dynamics needs a `seed`')
    if seed is not None and seed < 0:
        raise ValueError(f'`seed` must not be negative, got {seed}')
    content = {
        'calculator': {
            'import_path': chosen.import_path,
            'keywords': dict(chosen.keywords),
            'reuse': chosen.reuse,
        },
        'packages': list(chosen.packages),
        'task': task.complete(),
        'seed': seed,
    }
    names = SCRIPTS + ENSEMBLE_SCRIPTS * is_ensemble(calculator)
    scripts = {name: read_script(name) for name in names}
    return {JOB: json.dumps(content, indent=1) + '\n', **chosen.files, **scripts}


def arguments(processes: int, checkpoint: float, seconds: int | None) -> list[str]:
    """Return the command line: what does not change the result.

    Args:
        processes: Units worked on at a time.
        checkpoint: Seconds between two checkpoints.
        seconds: Time after which the scheduler kills the job; None if it does not.
    """
    limit = [] if seconds is None else ['--seconds', str(seconds)]
    return [SCRIPTS[0], '--processes', str(processes), '--checkpoint', str(checkpoint), *limit]
