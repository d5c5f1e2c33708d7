"""The ensemble as a calculator: a relaxation by the mean of its members, through AiiDA."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory
from nequip.integrations.ase import NequIPCalculator

import aiida_enne
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.model import ensemble_sha256
from tests.members import alloys

ENSEMBLE = {'preset': 'nequip-ensemble'}


@pytest.fixture
def inputs(models, train_code):
    """Return inputs that relax one alloy by the mean of all members."""
    frames = alloys(1)
    frames[0].info = {'domain': 'alloy', 'block': 0}
    return {
        'code': train_code,
        'configurations': ConfigurationsData.from_atoms(frames),
        'calculator': orm.Dict(ENSEMBLE),
        'models': models,
        'task': orm.Dict({'kind': 'relax', 'fmax': 0.05, 'max_steps': 5}),
    }


@pytest.mark.nequip
@pytest.mark.slow
def test_a_relaxation_by_the_mean_of_all_members(inputs, checkpoints):
    node = run_get_node(WorkflowFactory('enne.ase.base'), ase=inputs).node
    dataset = node.outputs.dataset
    digest = ensemble_sha256(inputs['models'])
    assert dataset.level_of_theory == f'mean of NequIP ensemble {digest[:12]}'
    found = dataset.get_configurations()
    assert len(found) >= 2
    assert found.energies[-1] < found.energies[0]
    energies, forces, stresses = [], [], []
    for path in checkpoints.values():  # NequIP's own calculator, one member after the other
        calculator = NequIPCalculator._from_saved_model(path, device='cpu')
        for atoms in dataset.get_atoms():
            atoms.calc = calculator
            energies.append(atoms.get_potential_energy())
            forces.append(atoms.get_forces())
            stresses.append(atoms.get_stress(voigt=False))
    shape = (len(checkpoints), len(found))
    mean = np.reshape(energies, shape).mean(axis=0)
    np.testing.assert_allclose(found.energies, mean, rtol=0, atol=1e-5)
    mean = np.reshape(forces, (*shape, -1, 3)).mean(axis=0)
    np.testing.assert_allclose(found.forces, mean.reshape(-1, 3), rtol=0, atol=1e-5)
    mean = np.reshape(stresses, (*shape, 3, 3)).mean(axis=0)
    np.testing.assert_allclose(found.stresses, mean, rtol=0, atol=1e-6)


@pytest.mark.nequip
def test_members_are_files_of_the_job_and_part_of_its_identity(prepare, inputs):
    job, folder = prepare('enne.ase.run', inputs)
    targets = {target for _, _, target in job.local_copy_list}
    assert {f'members/{label}.ckpt' for label in inputs['models']} < targets
    assert {'ase_ensemble.py', 'nequip_groups.py', 'nequip_ensemble.cpp'} <= set(
        folder.get_content_list()
    )


@pytest.mark.nequip
@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'calculator': {'preset': 'emt'}}, '`models` go with the preset nequip-ensemble'),
        ({'models': {}}, r'`models` go with the preset nequip-ensemble, got \[\]'),
    ],
)
def test_members_go_with_their_calculator(prepare, inputs, change, message):
    with pytest.raises(ValueError, match=message):
        prepare('enne.ase.run', inputs | change)


@pytest.mark.nequip
def test_elements_that_a_member_does_not_know(prepare, inputs):
    atoms = alloys(1)
    atoms[0].numbers[0] = 14
    change = {'configurations': ConfigurationsData.from_atoms(atoms)}
    with pytest.raises(ValueError, match=r"knows only \['Al', 'Cu'\], not \['Si'\]"):
        prepare('enne.ase.run', inputs | change)


MOVE = {
    'kind': 'md',
    'stages': [
        {'thermostat': 'langevin', 'temperature': 600, 'steps': 12, 'record_every': 4},
    ],
}


def sigma_of(models, dataset):
    """Return σ of the energy per atom and the largest of a force of each frame, anew."""
    calculator = aiida_enne.Ensemble.from_nodes(*(node.pk for node in models.values()))
    found = []
    for atoms in dataset.get_atoms():
        energy = calculator.get_property('energy_sigma', atoms) / len(atoms)
        found.append((energy, calculator.get_property('forces_sigma', atoms).max()))
    return np.array(found).T


@pytest.mark.nequip
def test_sigma_along_a_trajectory_is_that_of_its_frames(inputs, models):
    task = MOVE | {'sigma': {'every': 2}}
    node = run_get_node(
        WorkflowFactory('enne.ase.base'), ase=inputs | {'task': task, 'seed': 1}
    ).node
    assert node.is_finished_ok, node.exit_message
    info = node.outputs.dataset.get_configurations().info
    assert len(info['sigma_force']) == 3
    energy, force = sigma_of(models, node.outputs.dataset)
    np.testing.assert_allclose(info['sigma_energy'], energy, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(info['sigma_force'], force, rtol=1e-4, atol=1e-6)


@pytest.mark.nequip
@pytest.mark.parametrize('then', ['keep', 'stop'])
def test_frames_above_the_threshold_are_kept_and_may_end_the_trajectory(inputs, models, then):
    """Of a threshold below all σ, every step that is looked at is above it."""
    task = MOVE | {'sigma': {'every': 3, 'force': 1e-9, 'then': then}}
    node = run_get_node(
        WorkflowFactory('enne.ase.base'), ase=inputs | {'task': task, 'seed': 1}
    ).node
    assert node.is_finished_ok, node.exit_message
    (unit,) = node.outputs.results['units']
    n = len(node.outputs.dataset.get_configurations())
    if then == 'stop':
        assert (unit['done'], n) == (3, 1)
        assert unit['message'].startswith('stopped at step 3: σ of the force is ')
    else:
        assert (unit['done'], n) == (12, 6)  # steps 3, 4, 6, 8, 9 and 12


@pytest.mark.nequip
def test_only_an_ensemble_has_a_sigma(prepare, inputs):
    task = orm.Dict(MOVE | {'sigma': {'force': 1}})
    change = {'calculator': {'preset': 'emt'}, 'models': {}, 'task': task, 'seed': 1}
    with pytest.raises(ValueError, match='`sigma` of a task needs the calculator nequip-ensemble'):
        prepare('enne.ase.run', inputs | change)
