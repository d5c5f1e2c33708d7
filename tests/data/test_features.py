"""Features of stored predictions, beside those of what the members were trained on."""

import numpy as np
import pytest
from aiida import orm

from aiida_enne import provenance
from aiida_enne.calculations.audits import judges_of
from aiida_enne.calculations.functions import audit_ensemble
from aiida_enne.data.features import are_summed, find_training_sets, read_features
from aiida_enne.data.prediction import PredictionData
from aiida_enne.data.split import SplitData
from aiida_enne.provenance.features import find_fitted, find_trained
from aiida_enne.science.data.splits import Split
from aiida_enne.science.uncertainty.estimators.features import leverage
from aiida_enne.science.uncertainty.estimators.interface import Asked
from aiida_enne.science.uncertainty.options import AuditOptions
from tests import studied
from tests.audited import chain, link

OF_FIT = ('training', 'refit')
LLPR = {'estimator': 'llpr', 'calibration_domain': 'cold', 'n_bootstrap': 0, 'n_subsets': 2}


@pytest.fixture
def split(dataset):
    """Frames 0 to 3 train, 4 is validated with, 5 (cold) to 9 are predicted."""
    found = Split(np.arange(4), np.array([4]), np.arange(5, 10))
    return SplitData.from_split(found, dataset, method='by hand', shared=True).store()


@pytest.fixture
def members(dataset, split, aiida_localhost):
    return studied.train(dataset, split, (1, 2), aiida_localhost)


def predict(dataset, model, part, indices, *, error=0.01, kind='per_atom'):
    """Return a stored prediction whose features are drawn from the seed of its member."""
    rng = np.random.default_rng(model.seed)
    frames = dataset.get_configurations()
    features = rng.normal(size=(len(frames.numbers), 3)).astype(np.float32)
    wrong = error * rng.normal(size=len(frames)) * frames.n_atoms
    forces = frames.forces + error * rng.normal(size=frames.forces.shape)
    chosen = frames.select(indices)
    atoms = frames.atom_index(indices)
    arrays = {
        'indices': np.asarray(indices),
        'energies': chosen.energies + wrong[indices],
        'forces': forces[atoms],
    }
    if kind == 'per_atom':
        arrays['features'] = features[atoms]
    elif kind == 'summed':
        sums = np.add.reduceat(features[atoms], chosen.offsets[:-1], axis=0)
        arrays['summed_features'] = sums
    known = {'weights_sha256': model.weights_sha256, 'seed': model.seed, 'part': part}
    return PredictionData.from_arrays(arrays, dataset_sha256=dataset.sha256, **known).store()


@pytest.fixture
def predicted(dataset, members):
    """Return a function that makes predictions of the test and of the training part."""

    def run(kind='per_atom', **options):
        return tuple(
            {
                label: predict(dataset, model, part, indices, kind=kind, **options)
                for label, model in members.items()
            }
            for part, indices in (('test', np.arange(5, 10)), ('train', np.arange(4)))
        )

    return run


def audit(dataset, test, trained, parameters):
    options = orm.Dict(parameters)
    compared = {'datasets': {'set_0': dataset}, 'predictions': {'set_0': trained}}
    return audit_ensemble(
        options,
        judges_of(options),
        datasets={'mine': dataset},
        predictions={'mine': test},
        trained=compared,
    )['mine']


def test_training_sets_are_known_by_their_members(dataset, split, members, aiida_localhost):
    other = SplitData.from_split(Split([8, 9], [0], [2, 3]), dataset, method='other').store()
    third = studied.train(dataset, other, (3,), aiida_localhost)
    found = find_training_sets(members | third)
    assert sorted((one.split.uuid, one.members) for one in found.values()) == sorted(
        [(split.uuid, ('seed_1', 'seed_2')), (other.uuid, ('seed_3',))]
    )


def test_an_audit_takes_features_from_the_nodes(dataset, predicted):
    """Against the formula of LLPR, from the stored arrays alone."""
    test, trained = predicted()
    found = audit(dataset, test, trained, LLPR)
    frames = dataset.get_configurations()
    n_atoms = frames.n_atoms[0]
    arrays = [node.get_arrays() for node in test.values()]
    own, known = (
        [one.get_arrays()['features'].reshape(-1, n_atoms, 3).mean(axis=1) for one in nodes]
        for nodes in (test.values(), trained.values())
    )
    mean = np.mean([one['energies'] for one in arrays], axis=0)
    error = (mean - frames.energies[5:]) / n_atoms
    size = leverage(Asked(np.zeros((2, 5)), np.arange(5), None, own, known))
    cold = frames.domains[5:] == 'cold'
    width = np.sqrt(np.mean((error[cold] / size[cold]) ** 2)) * size[~cold]
    ratio = np.sqrt(np.mean(error[~cold] ** 2) / np.mean(width**2))
    hot = found.domains['hot']
    assert hot['energy_rmse_over_spread'] == pytest.approx(ratio, rel=1e-6)
    assert hot['force_rmse_over_spread'] > 0
    verdicts = {row['domain']: row for row in found.base.attributes.get('verdicts')}
    assert verdicts['hot']['novelty'] > 0


def test_sums_say_the_same_of_energies(dataset, predicted):
    scalars = [
        audit(dataset, *predicted(kind), LLPR).domains['hot'] for kind in ('per_atom', 'summed')
    ]
    ratios = [one['energy_rmse_over_spread'] for one in scalars]
    assert ratios[1] == pytest.approx(ratios[0], rel=1e-5)
    assert scalars[1]['force_rmse_over_spread'] is None


@pytest.mark.parametrize(('error', 'state'), [(1e-4, 'passed'), (1.0, 'failed')])
def test_errors_on_training_frames_are_a_gate_of_the_audit(dataset, predicted, error, state):
    found = audit(dataset, *predicted(error=error), {'n_bootstrap': 0, 'n_subsets': 2})
    gates = {one['name']: one for one in found.base.attributes.get('gates')['energy']}
    assert gates['training']['state'] == state
    assert gates['refit']['state'] == 'unknown'  # four frames
    assert 'too few to refit' in gates['refit']['reason']
    # that of forces caps what is said of forces alone
    own = [one for one in found.base.attributes.get('gates')['force'] if one.get('quantity')]
    assert [(one['state'], one['quantity']) for one in own] == [(state, 'force')]
    assert 'eV/Å on training frames of' in own[0]['reason']


def test_predictions_without_features_are_named(dataset, predicted):
    test, trained = predicted('none')
    with pytest.raises(ValueError, match='without last-layer features'):
        audit(dataset, test, trained, LLPR)


def test_sums_and_atoms_meet_as_sums(dataset, members):
    model = members['seed_1']
    atoms = predict(dataset, model, 'test', np.arange(5, 10))
    sums = predict(dataset, model, 'test', np.arange(5, 10), kind='summed')
    assert not are_summed([atoms])
    assert are_summed([atoms, sums])
    frames = dataset.get_configurations().select(atoms.indices)
    found = [read_features(one, frames, summed=True) for one in (atoms, sums)]
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_stored_predictions_are_audited_again_by_an_estimator_on_features(
    dataset, members, predicted
):
    predicted()
    training = chain('EnsembleWorkChain', {'dataset': dataset})
    link(training, {f'models__{label}': node for label, node in members.items()})
    known = provenance.find_ensemble(training.uuid)
    options = AuditOptions.from_dict(LLPR)
    found = provenance.audit_again(known, [dataset], options)[dataset.uuid]
    # the training frames are no more than what features are compared with
    counts = {name: one['n_configurations'] for name, one in found.domains.items()}
    assert counts == {'cold': 3, 'hot': 2}
    assert found.domains['hot']['energy_rmse_over_spread'] > 0
    (trained, *_) = find_trained(known).values()
    assert trained[1].indices.tolist() == [0, 1, 2, 3]


def test_predictions_of_training_frames_alone_decide_the_gate(dataset, members):
    """Without features, and of some frames only: the audit, and any audit of stored numbers."""
    test, some = (
        {
            label: predict(dataset, model, part, indices, error=error, kind='none')
            for label, model in members.items()
        }
        for part, indices, error in (('test', np.arange(5, 10), 1e-4), ('train', [0, 2], 0.05))
    )
    found = audit(dataset, test, some, {'n_bootstrap': 0, 'n_subsets': 2})
    (gate,) = (one for one in found.base.attributes.get('gates')['energy'] if one['name'] in OF_FIT)
    frames = dataset.get_configurations().select([0, 2])
    energies = np.mean([one.get_arrays()['energies'] for one in some.values()], axis=0)
    error = np.sqrt(np.mean(((energies - frames.energies) / frames.n_atoms) ** 2))
    assert gate['state'] == 'failed'
    assert f'RMSE {1000 * error:.3g} meV/atom on training frames of cold' in gate['reason']
    training = chain('EnsembleWorkChain', {'dataset': dataset})
    link(training, {f'models__{label}': node for label, node in members.items()})
    known = provenance.find_ensemble(training.uuid)
    options = AuditOptions(n_bootstrap=0, n_subsets=2, training_domains=())
    again = provenance.audit_again(known, [dataset], options)[dataset.uuid]
    (same,) = (one for one in again.gates['energy'] if one.name in OF_FIT)
    # it knows the domains trained on, and with them what is held out of these
    assert same.reason.replace(', 0.0709 on held-out ones', '') == gate['reason']
    material = provenance.Material.of(training.uuid)
    (same, *_) = provenance.find_gates(material, AuditOptions())
    assert (same.state, same.name) == ('failed', 'training')
    # what they say of frames of another training is not asked
    other = predict(dataset, members['seed_1'], 'train', np.array([0, 7, 8]), kind='none')
    assert other.uuid not in {node.uuid for _, node in find_fitted(known).values()}
