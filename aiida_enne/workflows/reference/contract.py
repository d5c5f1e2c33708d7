"""The contract of an engine as checks, for the tests of any package that registers one."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from aiida import orm

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import UNKNOWN_LEVEL
from aiida_enne.science.contracts import require
from aiida_enne.workflows.reference.engine import ReferenceWorkChain, load_engine

#: Tasks that every engine must refuse.
BAD_TASKS: tuple[dict[str, Any], ...] = (
    {},
    {'kind': 'dream'},
    {'kind': 'label', 'steps': 1},
    {'kind': 'md', 'stages': []},
    {'kind': 'md', 'stages': [{'thermostat': 'warm', 'temperature': 300, 'steps': 1}]},
    {'kind': 'relax', 'fmax': -1},
)
#: A small task of each kind that every engine must be able to do.
TASKS: dict[str, dict[str, Any]] = {
    'label': {'kind': 'label'},
    'md': {
        'kind': 'md',
        'stages': [
            {
                'thermostat': 'langevin',
                'temperature': 600,
                'steps': 4,
                'record_every': 2,
                'domain': '{domain} 600 K',
            }
        ],
    },
    'relax': {'kind': 'relax', 'fmax': 0.2, 'max_steps': 20},
}
#: Info that frames of each kind of task carry beside the index of their configuration.
INFO = {'label': (), 'md': ('time', 'temperature'), 'relax': ('step', 'converged')}


def check_class(name: str) -> type[ReferenceWorkChain]:
    """Check class, ports, exit codes, protocols and refusals of an engine; return its class.

    Raises:
        ContractError: If something is missing or of another type.
    """
    engine = load_engine(name)
    require(
        issubclass(engine, ReferenceWorkChain), f'{engine} is not a subclass of ReferenceWorkChain'
    )
    spec, common = engine.spec(), ReferenceWorkChain.spec()
    for kind in ('inputs', 'outputs'):
        for port_name, port in getattr(common, kind).items():
            found = getattr(spec, kind).get(port_name)
            require(found is not None, f'{name}: {kind} lack `{port_name}`')
            require(
                found.valid_type == port.valid_type and found.required == port.required,
                f'{name}: `{port_name}` must be as in ReferenceWorkChain',
            )
    for label, code in common.exit_codes.items():
        found = spec.exit_codes.get(label)
        status = None if found is None else found.status
        require(status == code.status, f'{name}: {label} must have status {code.status}')
    port = spec.inputs['task']
    for task in BAD_TASKS:
        require(port.validate(orm.Dict(task)) is not None, f'{name} accepts the task {task}')
    available = engine.get_available_protocols()
    require(engine.get_default_protocol() in available, f'{name}: its default is not a protocol')
    for protocol, said in available.items():
        require(bool(said.get('description')), f'{name}: {protocol} has no `description`')
    for kind in engine.KINDS:
        error = port.validate(orm.Dict(TASKS[kind]))
        require(error is None, f'{name} refuses the task {TASKS[kind]}: {error}')
    return engine


def check_outputs(
    node: orm.WorkChainNode, configurations: ConfigurationsData, task: dict[str, Any]
) -> None:
    """Check what an engine handed out after one of `TASKS`, run with no failure.

    Raises:
        ContractError: If an output is missing or is not what it must be.
    """
    require(node.is_finished_ok, f'it ended with [{node.exit_status}] {node.exit_message}')
    given, results = configurations.get_configurations(), node.outputs.results.get_dict()
    n, kind = len(given), task['kind']
    expected = {'kind': kind, 'n_configurations': n, 'counts': {'finished': n}, 'failures': []}
    for key, value in expected.items():
        require(results.get(key) == value, f'results: `{key}` is {results.get(key)}, not {value}')
    dataset = node.outputs.dataset
    require(
        dataset.level_of_theory.strip() not in ('', UNKNOWN_LEVEL), 'the level of theory is unknown'
    )
    said = cast('Any', node.process_class).level_of(node.inputs, configurations.elements)
    require(
        said in (None, dataset.level_of_theory),
        f'`level_of` says {said!r}, the labels are of {dataset.level_of_theory!r}',
    )
    frames = dataset.get_configurations()
    for name in ('configuration', *INFO[kind]):
        require(
            name in frames.info and np.isfinite(frames.info[name]).all(), f'info lacks `{name}`'
        )
    origin = frames.info['configuration'].astype(int)
    require(set(origin.tolist()) == set(range(n)), 'not every configuration has a frame')
    require(bool((np.diff(origin) >= 0).all()), 'frames must be in the order of configurations')
    numbers = given.numbers[given.atom_index(origin)]
    require(np.array_equal(frames.numbers, numbers), 'atoms must keep their order')
    {'label': _check_labels, 'md': _check_dynamics, 'relax': _check_relaxation}[kind](
        frames, given, origin, task
    )


def _check_labels(frames: Any, given: Any, origin: Any, _: Any) -> None:
    require(len(frames) == len(given), 'there must be one label for each configuration')
    for name in ('positions', 'cells'):
        same = np.allclose(getattr(frames, name), getattr(given, name), rtol=0, atol=1e-6)
        require(same, f'a label must leave the {name} as they are')
    for name in ('domains', 'blocks'):
        same = np.array_equal(getattr(frames, name), getattr(given, name)[origin])
        require(same, f'a label must leave the {name} as they are')


def _check_dynamics(frames: Any, given: Any, origin: Any, task: Any) -> None:
    (stage,) = task['stages']
    n = stage['steps'] // stage['record_every']
    require(np.bincount(origin).tolist() == [n] * len(given), f'there must be {n} frames of each')
    times = stage['record_every'] * (1 + np.arange(n)) / 1000
    found = frames.info['time'].reshape(len(given), n)
    require(np.allclose(found, times, rtol=0, atol=1e-9), f'times must be {times} ps, got {found}')
    domains = [stage['domain'].replace('{domain}', name) for name in given.domains[origin]]
    require(frames.domains.tolist() == domains, f'domains must be {domains}')
    pairs = set(zip(origin.tolist(), frames.blocks.tolist(), strict=True))
    require(
        len(pairs) == len(given) == len({block for _, block in pairs}),
        'every trajectory must have a block of its own',
    )


def _check_relaxation(frames: Any, given: Any, origin: Any, task: Any) -> None:
    for index in range(len(given)):
        path = frames.select(np.flatnonzero(origin == index))
        require(path.info['converged'][-1] == 1, f'configuration {index} did not converge')
        require(bool((np.diff(path.info['step']) > 0).all()), 'steps must be in their order')
        largest = np.linalg.norm(path.forces[-path.n_atoms[-1] :], axis=1).max()
        require(largest <= task['fmax'], f'a force of {largest} eV/Å is left')
