"""The prediction scripts as they run on the remote side, against NequIP's own ASE calculator.

Batched and one at a time, sums over edges are taken in another order: float32 models agree to
1e-6 eV/atom and 1e-5 eV/Å, not to the last bit.
"""

import importlib
import json
import runpy
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from nequip.integrations.ase import NequIPCalculator
from nequip.model.saved_models.load_utils import load_saved_model

from aiida_enne.families.nequip import prediction as codec
from aiida_enne.science import npz
from aiida_enne.science.data import frames
from tests.members import alloys

pytestmark = pytest.mark.nequip


@pytest.fixture(scope='session')
def artefacts(tmp_path_factory):
    return tmp_path_factory.mktemp('artefacts')


@pytest.fixture
def predict(tmp_path, checkpoints, artefacts, monkeypatch):
    """Return a function that runs the scripts here: `predictions, result = predict(structures)`.

    The jobs of the other tests run them as processes of their own, which takes seconds more.
    """
    folder = files('aiida_enne.remote.nequip')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv('OMP_NUM_THREADS', '1')

    def run(structures, labels=('seed_7', 'seed_8'), **settings):
        settings = {
            'features': 'none',
            'mode': 'eager',
            'device': 'cpu',
            'threads': 1,
            'batch_atoms': None,
            'artefacts': str(artefacts),
        } | settings
        (tmp_path / codec.MEMBERS).mkdir(exist_ok=True)
        for label in labels:
            path = tmp_path / codec.MEMBERS / f'{label}.ckpt'
            path.write_bytes(checkpoints[label].read_bytes() if label in checkpoints else b'no')
        (tmp_path / codec.SETTINGS).write_text(codec.render_settings(labels, **settings))
        configurations = frames.from_atoms([atoms.copy() for atoms in structures])
        upload = codec.render_configurations(configurations, np.arange(len(configurations)))
        (tmp_path / codec.CONFIGURATIONS).write_bytes(upload)
        status = runpy.run_path(str(folder / codec.SCRIPTS[0]))['main']()
        result = codec.read_result((tmp_path / codec.RESULT).read_text())
        assert status == any(one['status'] != 'finished' for one in result['members'].values())
        predictions = {
            path.stem: codec.read_prediction(path.read_bytes(), configurations)
            for path in sorted((tmp_path / codec.PREDICTIONS).iterdir())
        }
        return predictions, result

    return run


@pytest.fixture(scope='session')
def zoo():
    """Mixed atom counts and elements, molecules, slabs, lone atoms, one-atom cells."""
    slab = bulk('Cu', cubic=True) * (1, 1, 2)
    slab.pbc = (True, True, False)
    return [
        *alloys(5, seed=3),
        bulk('Al') * (3, 2, 1),
        bulk('Cu'),
        Atoms('CuAl', positions=[[0, 0, 0], [2.4, 0, 0]]),
        Atoms('Cu'),
        Atoms('Al', cell=np.eye(3) * 20, pbc=True),
        slab,
    ]


def ase_calculator(checkpoint, structures):
    """Return energies and forces by NequIP's own calculator, one structure after the other."""
    calculator = NequIPCalculator._from_saved_model(checkpoint, device='cpu')
    energies, forces = [], []
    for structure in structures:
        atoms = structure.copy()
        atoms.calc = calculator
        energies.append(atoms.get_potential_energy())
        forces.append(atoms.get_forces())
    return np.array(energies), np.concatenate(forces)


def assert_equal(predictions, others, n_atoms):
    for label, prediction in predictions.items():
        per_atom = (prediction['energies'] - others[label]['energies']) / n_atoms
        assert np.abs(per_atom).max() < 1e-6
        assert np.abs(prediction['forces'] - others[label]['forces']).max() < 1e-5


def test_agrees_with_the_calculator_of_nequip(predict, zoo, checkpoints):
    predictions, result = predict(zoo)
    assert {m['status'] for m in result['members'].values()} == {'finished'}
    expected = {}
    for label in predictions:
        energies, forces = ase_calculator(checkpoints[label], zoo)
        expected[label] = {'energies': energies, 'forces': forces}
        assert predictions[label]['energies'].dtype == np.float64
        assert 'stresses' not in predictions[label]  # some do not repeat, so have none
    assert_equal(predictions, expected, [len(atoms) for atoms in zoo])


def test_stress_is_that_of_the_calculator(predict, checkpoints):
    structures = alloys(3)
    predictions, _ = predict(structures, labels=['seed_7'])
    structures[1].calc = NequIPCalculator._from_saved_model(checkpoints['seed_7'], device='cpu')
    expected = structures[1].get_stress(voigt=False)
    np.testing.assert_allclose(predictions['seed_7']['stresses'][1], expected, atol=1e-8)


@pytest.mark.parametrize('batch_atoms', [1, 7, 1000])
def test_batches_do_not_matter(predict, zoo, batch_atoms):
    order = np.random.default_rng(1).permutation(len(zoo))
    forward, _ = predict(zoo)
    shuffled, _ = predict([zoo[i] for i in order], batch_atoms=batch_atoms)
    for label, prediction in forward.items():
        np.testing.assert_allclose(
            shuffled[label]['energies'], prediction['energies'][order], rtol=1e-6
        )


def test_features_through_the_readout_are_the_energies_of_the_atoms(predict, checkpoints):
    structures = alloys(4)
    predictions, _ = predict(structures, labels=['seed_8'], features='per_atom')
    prediction = predictions['seed_8']
    layers = load_saved_model(str(checkpoints['seed_8'])).model.func
    (readout,) = layers.per_atom_energy_readout.mlp_module.mlp
    weight = (readout.weight * readout.alpha).detach().numpy()
    types = (np.concatenate([atoms.numbers for atoms in structures]) == 29).astype(int)
    scales, shifts = (
        getattr(layers.per_type_energy_scale_shift, name).detach().numpy().reshape(-1)
        for name in ('scales', 'shifts')
    )
    scale = scales[types % len(scales)]
    expected = (prediction['features'] @ weight)[:, 0] * scale + shifts[types % len(shifts)]
    np.testing.assert_allclose(prediction['atomic_energies'], expected, atol=1e-6)
    sums = prediction['atomic_energies'].reshape(4, 4).sum(axis=1)
    np.testing.assert_allclose(sums, prediction['energies'], rtol=1e-12)


def test_a_member_that_cannot_be_loaded_fails_alone(predict):
    predictions, result = predict(alloys(2), labels=['broken', 'seed_7'])
    assert list(predictions) == ['seed_7']
    assert result['members']['broken']['status'] == 'failed'
    assert result['members']['seed_7']['status'] == 'finished'


LIMITED = """\
import resource, runpy, sys
import torch
from nequip.utils.global_state import set_global_state
sys.path.insert(0, {folder!r})
import nequip_predict_member
held = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
if {spare}:
    resource.setrlimit(resource.RLIMIT_AS, (held + {spare}, held + {spare}))
try:
    sys.exit(runpy.run_path({script!r})['main']())
finally:
    peak = next(line for line in open('/proc/self/status') if line.startswith('VmPeak'))
    print('needed', 1024 * int(peak.split()[1]) - held)
"""


@pytest.mark.slow
def test_batches_are_halved_where_memory_is_too_short(predict, tmp_path):
    """The system refuses what a batch of hundreds of structures needs; single ones still fit."""
    structures = [bulk('Cu', cubic=True) * (3, 3, 3) for _ in range(96)]
    for seed, atoms in enumerate(structures):
        atoms.rattle(0.05, seed=seed)
    expected, _ = predict(structures, labels=['seed_7'])
    folder = files('aiida_enne.remote.nequip')
    settings = json.loads((tmp_path / codec.SETTINGS).read_text()) | {'batch_atoms': 10**6}
    (tmp_path / codec.SETTINGS).write_text(json.dumps(settings))

    def run(spare: int) -> str:
        program = LIMITED.format(
            folder=str(folder), script=str(folder / codec.SCRIPTS[0]), spare=spare
        )
        command = [sys.executable, '-c', program]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    free = run(spare=0)
    assert 'out of memory' not in free
    short = run(spare=int(free.split('needed')[1]) // 2)
    assert 'seed_7: out of memory, 48 configurations at a time' in short
    found = npz.loads((tmp_path / codec.PREDICTIONS / 'seed_7.npz').read_bytes())
    np.testing.assert_allclose(found['energies'], expected['seed_7']['energies'], rtol=1e-6)
    np.testing.assert_allclose(found['forces'], expected['seed_7']['forces'], atol=1e-4)


def test_a_configuration_that_never_fits_is_want_of_memory(predict, monkeypatch):
    """What torch raises on a GPU, for the largest structure; the other member goes on."""
    module = importlib.import_module('nequip_predict_member')
    run = module.Member.run

    def short(self, prepared):
        if self.label == 'seed_8' and any(len(one['pos']) > 4 for one in prepared):
            raise torch.OutOfMemoryError('CUDA out of memory.')
        return run(self, prepared)

    monkeypatch.setattr(module.Member, 'run', short)
    predictions, result = predict([*alloys(2), bulk('Cu', cubic=True) * (2, 1, 1)])
    assert set(predictions) == {'seed_7'}
    assert result['members']['seed_8']['status'] == 'out_of_memory'
    assert result['members']['seed_7']['status'] == 'finished'


def test_a_prediction_that_is_not_finite_names_the_configuration(predict):
    structures = alloys(3)
    structures[1].positions[1] = structures[1].positions[0]  # no direction between the two
    predictions, result = predict(structures, labels=['seed_7'], batch_atoms=1)
    assert not predictions
    assert result['members']['seed_7']['status'] == 'not_finite'
    assert 'configuration 1 is not finite' in result['members']['seed_7']['message']


def test_a_lattice_vector_of_zero_is_named(predict):
    slab = bulk('Cu', cubic=True)
    slab.cell[2] = 0
    with pytest.raises(ValueError, match='configuration 1 repeats along'):
        predict([*alloys(1), slab], labels=['seed_7'])


@pytest.mark.slow
def test_compiled_is_eager(predict, zoo, checkpoints):
    labels = sorted(checkpoints)
    eager, _ = predict(zoo, labels=labels, features='per_atom')
    compiled, result = predict(zoo, labels=labels, features='per_atom', mode='compiled')
    assert {m['mode'] for m in result['members'].values()} == {'compiled'}, result
    assert_equal(compiled, eager, [len(atoms) for atoms in zoo])
    for label in labels:
        np.testing.assert_allclose(compiled[label]['features'], eager[label]['features'], atol=1e-5)
    assert np.ptp([compiled[label]['energies'][0] for label in labels]) > 1e-3

    again, result = predict(zoo, labels=labels[1:], mode='auto')
    assert {m['mode'] for m in result['members'].values()} == {'compiled'}, result
    assert result['seconds']['compile'] < 5
    np.testing.assert_array_equal(again['seed_8']['forces'], compiled['seed_8']['forces'])


def test_auto_does_not_compile_for_a_few(predict, tmp_path):
    _, result = predict(alloys(1), mode='auto', artefacts=str(tmp_path / 'none'))
    assert {m['mode'] for m in result['members'].values()} == {'eager'}
    assert 'would gain 0 s' in result['members']['seed_7']['note']
    assert not (tmp_path / 'none').exists()


def test_without_a_compiler_members_stay_eager(predict, tmp_path, monkeypatch):
    monkeypatch.setenv('CXX', 'no-such-compiler')
    _, result = predict(alloys(1), mode='compiled', artefacts=str(tmp_path / 'none'))
    for member in result['members'].values():
        assert member['mode'] == 'eager'
        assert member['note'].startswith('there is no C++ compiler; tensor product of e3nn: ')
