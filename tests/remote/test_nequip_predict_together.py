"""Members that are predicted together: as NequIP predicts each, or else alone and with the reason.

Differences are those of sums in another order: 1e-6 of the largest force, or eV/Å below 1 eV/Å.
"""

import importlib

import numpy as np
import pytest
import torch
from ase import Atoms
from hydra.utils import get_class
from nequip.utils.global_state import set_global_state

from tests.members import alloys
from tests.remote.test_nequip_predict import (  # noqa: F401
    artefacts,
    ase_calculator,
    predict,
    zoo,
)

pytestmark = pytest.mark.nequip
#: What other members have instead of what the trained ones have.
VARIANTS = {
    'wide': {'l_max': 2, 'parity': True, 'num_layers': 3, 'bessel_trainable': True},
    'double': {'model_dtype': 'float64', 'l_max': 3, 'num_features': 2},
    'by_type': {'avg_num_neighbors': {'Al': 9.0, 'Cu': 12.0}, 'radial_mlp_depth': 2},
    'deep': {'readout_mlp_hidden_layers_depth': 1},
    'by_pair': {'per_edge_type_cutoff': {'Al': 3.0}},
}


@pytest.fixture(scope='module')
def checkpoints(checkpoints, tmp_path_factory):
    """Return also checkpoints of other architectures, with the weights that they begin with."""
    set_global_state()
    folder = tmp_path_factory.mktemp('variants')
    content = torch.load(checkpoints['seed_7'], weights_only=False)
    found = content['hyper_parameters']
    trainer = get_class(found['info_dict']['training_module']['_target_'])
    paths = dict(checkpoints)
    for label, changes in VARIANTS.items():
        known = found | {'model': found['model'] | changes}
        state = trainer(**known).state_dict()
        paths[label] = folder / f'{label}.ckpt'
        torch.save(content | {'hyper_parameters': known, 'state_dict': state}, paths[label])
    return paths


@pytest.fixture
def script(predict):  # noqa: F811
    """Return a function that imports a script, which `predict` has put on the path."""
    return importlib.import_module


def short_of(asked):
    """Let memory lack from the third configuration on, which comes after the comparison."""
    asked.append(1)
    if len(asked) > 2:
        raise MemoryError('out of memory')
    return {}


def modes(result):
    return {label: one['mode'] for label, one in result['members'].items()}


def notes(result):
    return {label: one['note'] for label, one in result['members'].items()}


def assert_alike(found, expected, relative=1e-6):
    assert found.keys() == expected.keys()
    for label, prediction in found.items():
        assert prediction.keys() == expected[label].keys()
        for name in set(prediction) - {'indices', 'energies'}:
            other = expected[label][name]
            limit = relative * max(1.0, np.abs(other).max())
            np.testing.assert_allclose(prediction[name], other, rtol=0, atol=limit, err_msg=name)
        np.testing.assert_allclose(prediction['energies'], expected[label]['energies'], rtol=1e-6)


def test_members_are_predicted_as_nequip_predicts_each(predict, zoo, checkpoints):  # noqa: F811
    """Against the eager models, features and energies of atoms too, and NequIP's calculator."""
    labels = ['seed_7', 'seed_8', 'seed_9']
    expected, _ = predict(zoo, labels, features='per_atom')
    found, result = predict(zoo, labels, features='per_atom', mode='vectorised')
    assert set(modes(result).values()) == {'vectorised'}, notes(result)
    assert_alike(found, expected)
    assert np.ptp([found[label]['energies'][0] for label in labels]) > 1e-3
    energies, forces = ase_calculator(checkpoints['seed_9'], zoo)
    np.testing.assert_allclose(found['seed_9']['energies'], energies, rtol=1e-6)
    np.testing.assert_allclose(found['seed_9']['forces'], forces, atol=1e-6 * np.abs(forces).max())


@pytest.mark.parametrize('mode', ['eager', 'vectorised'])
def test_features_are_summed_over_the_atoms_of_each_configuration(predict, zoo, mode):  # noqa: F811
    labels = ['seed_7', 'deep']  # the second one goes alone in either mode
    by_atom, _ = predict(zoo, labels, features='per_atom', mode=mode)
    found, _ = predict(zoo, labels, features='summed', mode=mode)
    starts = np.concatenate([[0], np.cumsum([len(atoms) for atoms in zoo])[:-1]])
    for label, prediction in found.items():
        features = by_atom[label]['features']
        assert features.dtype == prediction['summed_features'].dtype == np.float32
        assert not {'features', 'atomic_energies'} & prediction.keys()
        sums = np.add.reduceat(features, starts, dtype=np.float64)
        np.testing.assert_allclose(prediction['summed_features'], sums, rtol=1e-5, atol=1e-6)


def test_stresses_and_threads(predict):  # noqa: F811
    expected, _ = predict(alloys(4))
    one, result = predict(alloys(4), mode='vectorised', threads=None)
    assert result['threads'] == 1
    assert_alike(one, expected)
    assert np.abs(one['seed_7']['stresses']).max() > 1e-3
    np.testing.assert_allclose(one['seed_7']['stresses'], expected['seed_7']['stresses'], atol=1e-8)
    two, result = predict(alloys(4), mode='vectorised', threads=2)
    assert result['threads'] == 2
    np.testing.assert_array_equal(two['seed_8']['forces'], one['seed_8']['forces'])


def test_architectures_share_a_job(predict, zoo):  # noqa: F811
    """Parity, l up to 3, double precision, trained roots, counts of neighbours by type."""
    labels = ['seed_7', 'wide', 'double', 'by_type']
    expected, _ = predict(zoo, labels, features='per_atom')
    found, result = predict(zoo, labels, features='per_atom', mode='vectorised')
    assert set(modes(result).values()) == {'vectorised'}, notes(result)
    assert_alike(found, expected)
    precise = {'double': found['double']}
    assert_alike(precise, {'double': expected['double']}, relative=1e-9)


def test_who_cannot_be_vectorised_goes_alone_with_the_reason(predict):  # noqa: F811
    labels = ['seed_7', 'deep', 'by_pair']
    expected, _ = predict(alloys(3), labels)
    found, result = predict(alloys(3), labels, mode='vectorised')
    assert modes(result) == {'seed_7': 'vectorised', 'deep': 'fused', 'by_pair': 'fused'}
    assert notes(result)['deep'].startswith('not vectorised: a readout with hidden layers; tensor')
    assert 'cutoffs differ between pairs' in notes(result)['by_pair']
    assert 'tensor product fused 1' in notes(result)['by_pair']
    assert_alike(found, expected)


def test_a_member_that_differs_goes_alone(predict, script, monkeypatch):  # noqa: F811
    """Here all differ by rounding: nothing is tolerated."""
    for name in ('nequip_groups', 'nequip_predict_member'):
        monkeypatch.setattr(script(name), 'TOLERANCE', {torch.float32: 0.0})
    found, result = predict(alloys(3), mode='vectorised')
    assert set(modes(result).values()) == {'eager'}
    assert all('from NequIP’s own, more than 0' in note for note in notes(result).values())
    assert_alike(found, predict(alloys(3))[0], relative=0)


def test_wrong_weights_are_noticed(predict, script, monkeypatch):  # noqa: F811
    """The weights of the second member come from the first one's checkpoint, as if misread."""
    ensemble = script('nequip_ensemble')
    evaluate = ensemble.Evaluator.evaluate

    def mixed(self, *configuration):
        out = evaluate(self, *configuration)
        return {name: values[[0] * self.size] for name, values in out.items()}

    monkeypatch.setattr(ensemble.Evaluator, 'evaluate', mixed)
    _, result = predict(alloys(2), mode='vectorised')
    assert modes(result) == {'seed_7': 'vectorised', 'seed_8': 'fused'}


@pytest.mark.parametrize(('wrong', 'mode'), [(0, 'eager'), (1, 'vectorised')])
def test_what_is_not_finite_is_named(predict, wrong, mode):  # noqa: F811
    """In the first configuration there is nothing to compare with: no number is equal to none."""
    structures = alloys(3)
    structures[wrong].positions[1] = structures[wrong].positions[0]
    found, result = predict(structures, mode='vectorised', batch_atoms=8)
    assert not found
    assert set(modes(result).values()) == {mode}
    for one in result['members'].values():
        assert one['status'] == 'not_finite'
        assert one['message'] == f'the prediction of configuration {wrong} is not finite'


def test_without_a_compiler_members_go_alone(predict, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv('CXX', 'no-such-compiler')
    found, result = predict(alloys(1), mode='vectorised', artefacts=str(tmp_path / 'none'))
    assert set(found) == {'seed_7', 'seed_8'}
    assert set(modes(result).values()) == {'eager'}
    assert all('no-such-compiler' in note for note in notes(result).values())


def test_auto_goes_by_size(predict, script, monkeypatch):  # noqa: F811
    _, result = predict(alloys(2), mode='auto')
    assert set(modes(result).values()) == {'eager'}
    assert 'atoms × members on, here 16' in notes(result)['seed_7']
    together = script('nequip_predict_together')
    monkeypatch.setitem(together.FUSED_FROM, True, 16)
    _, result = predict(alloys(2), mode='auto')
    assert set(modes(result).values()) == {'fused'}
    monkeypatch.setattr(together, 'BREAK_EVEN', 16)
    _, result = predict(alloys(2), mode='auto')
    assert set(modes(result).values()) == {'vectorised'}


def test_one_model_is_built_for_all(predict, script, monkeypatch):  # noqa: F811
    module, built = script('nequip_predict_member'), []
    load = module.load_saved_model
    monkeypatch.setattr(module, 'load_saved_model', lambda path: built.append(path) or load(path))
    predict(alloys(2), ['seed_7', 'seed_8', 'seed_9', 'wide'], mode='vectorised')
    assert [path.split('/')[-1] for path in built] == ['seed_7.ckpt', 'wide.ckpt']


def test_memory_that_lacks_halves_the_members(predict, script, monkeypatch, capsys):  # noqa: F811
    """The compiled code says that memory lacks for more than one member."""
    labels = ['seed_7', 'seed_8', 'seed_9']
    expected, _ = predict(alloys(3), labels, mode='vectorised')
    ensemble, together = script('nequip_ensemble'), script('nequip_predict_together')
    evaluate, asked = ensemble.Evaluator.evaluate, []

    def short(self, *configuration):
        asked.append(self.size)
        if self.size > 1 and len(asked) > 2:
            raise MemoryError('out of memory')
        return evaluate(self, *configuration)

    monkeypatch.setattr(ensemble.Evaluator, 'evaluate', short)
    found, result = predict(alloys(3), labels, mode='vectorised')
    assert 'out of memory with 3 members' in capsys.readouterr().out
    assert modes(result)['seed_7'] == 'vectorised'
    assert_alike(found, expected)
    asked.clear()
    monkeypatch.setattr(ensemble.Evaluator, 'evaluate', lambda *_: evaluate(*_) | short_of(asked))
    found, result = predict(alloys(3), labels[:1], mode='vectorised')
    assert modes(result) == {'seed_7': 'fused'}
    assert 'memory does not suffice for one member' in notes(result)['seed_7']
    np.testing.assert_allclose(
        found['seed_7']['forces'], expected['seed_7']['forces'], rtol=0, atol=1e-6
    )
    monkeypatch.setattr(ensemble.Evaluator, 'evaluate', evaluate)
    monkeypatch.setattr(together, 'MEMORY', 1)
    found, _ = predict(alloys(3), labels, mode='vectorised')
    assert_alike(found, expected)


def test_cells_of_one_atom_and_molecules_have_neighbours_of_nequip(script):
    """Edges are those of NequIP, sorted by length."""
    structures = [Atoms('CuAl', positions=[[0, 0, 0], [2.4, 0, 0]]), *alloys(1)]
    frames, ensemble = script('nequip_frames'), script('nequip_ensemble')
    geometry = frames.Geometry(3.5, None, ('Al', 'Cu'))
    for atoms in structures:
        found = ensemble.find_neighbours(atoms, 3.5)
        data = frames.to_input(atoms, geometry)
        i, j = data['edge_index'].numpy()
        shifts = data['edge_cell_shift'].numpy() @ atoms.cell.array
        vectors = atoms.positions[j] - atoms.positions[i] + shifts
        own = sorted(zip(found.dst, found.src, found.vectors.round(9).tolist(), strict=True))
        assert own == sorted(zip(i, j, vectors.round(9).tolist(), strict=True))
        assert (np.diff(np.linalg.norm(found.vectors, axis=1)) > -1e-12).all()
