"""A cheap job of ours that keeps checkpoints: dynamics of copper by EMT, slow enough to disturb."""

import json
from typing import Any

import numpy as np
from aiida import orm
from aiida.plugins import WorkflowFactory
from ase.build import bulk

from aiida_enne.data.configurations import ConfigurationsData
from tests.services.programs import wait_until
from tests.services.site import GPU, Site, folder_of, jobs_of

STEPS, EVERY = 300, 5
CALCULATOR = {'import_path': 'slow.SlowEMT', 'level_of_theory': 'EMT'}
STAGE = {'thermostat': 'langevin', 'temperature': 300, 'steps': STEPS, 'record_every': EVERY}


def submit_dynamics(
    site: Site, code: orm.AbstractCode, directives: str = GPU, **options: Any
) -> orm.WorkChainNode:
    """Submit a trajectory of six seconds or more, with a checkpoint twice a second."""
    if directives:
        options['custom_scheduler_commands'] = directives
    inputs = {
        'code': code,
        'configurations': ConfigurationsData.from_atoms([bulk('Cu', cubic=True)]),
        'calculator': CALCULATOR,
        'task': {'kind': 'md', 'stages': [STAGE]},
        'seed': 1,
        'checkpoint_seconds': 0.5,
        'metadata': {'options': options},
    }
    return site.submit(WorkflowFactory('enne.ase.base'), ase=inputs, max_iterations=5)


def steps_done(job: orm.CalcJobNode) -> int:
    """Return the steps that the checkpoint of a running job tells."""
    try:
        return json.loads((folder_of(job) / 'units/000000.json').read_text())['done']
    except (FileNotFoundError, NotADirectoryError, TypeError):
        return 0


def await_steps(node: orm.WorkChainNode, steps: int = 40) -> orm.CalcJobNode:
    """Return the youngest job below a process when its checkpoint has so many steps."""

    def running():
        jobs = jobs_of(node)
        return jobs[-1] if jobs and steps_done(jobs[-1]) >= steps else None

    return wait_until(running, f'{node} has done {steps} steps')


def attempts_of(node: orm.WorkChainNode) -> list[list[int]]:
    """Return first and last step of each attempt at the trajectory of a finished process.

    Fails unless each began at the step that the one before had written down: nothing was lost,
    and nothing is in the results twice.
    """
    assert node.is_finished_ok, node.exit_message
    (unit,) = node.outputs.results['units']
    attempts = unit['attempts']
    assert [begin for begin, _ in attempts] == [0, *(end for _, end in attempts[:-1])]
    assert attempts[-1][1] == STEPS
    times = node.outputs.dataset.get_configurations().info['time']
    np.testing.assert_allclose(times, 1e-3 * np.arange(EVERY, STEPS + 1, EVERY))
    return attempts


def assert_same(node: orm.WorkChainNode, calm: orm.WorkChainNode) -> None:
    """Fail unless a trajectory is the undisturbed one.

    Neighbour lists, and with them the order of sums, have a history: hence the tolerance.
    """
    expected = calm.outputs.dataset.get_arrays()
    for name, array in node.outputs.dataset.get_arrays().items():
        if array.dtype.kind == 'f':
            np.testing.assert_allclose(array, expected[name], rtol=0, atol=1e-10, err_msg=name)
        else:
            np.testing.assert_array_equal(array, expected[name], err_msg=name)
