"""Tests for estimators on last-layer features and on stresses, in a calculator that is in use."""

from dataclasses import replace

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType
from ase.calculators.calculator import PropertyNotImplementedError

import aiida_enne
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.prediction import PredictionData
from aiida_enne.data.split import SplitData
from aiida_enne.deploy.widths import Choice, fit_judge, fit_portable
from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.data.splits import Split
from aiida_enne.science.uncertainty.estimators import Asked, make_estimator
from tests.audited import chain, link
from tests.members import alloys

#: Frames trained on, and the first that is tested: the one between validates.
N_TRAINED, FIRST = 6, 7


@pytest.fixture(scope='module')
def frames():
    """Return labelled alloys, of which the first were trained on; their stresses are their own."""
    made = from_atoms(alloys(27, seed=2))
    stresses = np.random.default_rng(0).normal(size=(27, 3, 3))
    stresses += stresses.swapaxes(1, 2)
    domains = np.repeat(['trained', 'alloy'], [FIRST, 27 - FIRST])
    return replace(made, domains=domains, blocks=np.arange(27), stresses=stresses)


@pytest.fixture
def dataset(aiida_profile_clean, frames):
    return DatasetData.from_configurations(frames, level_of_theory='EMT').store()


@pytest.fixture
def said(models, frames):
    """Return what the members say of each frame, their features too."""
    calculator = aiida_enne.Ensemble.from_nodes(*(node.pk for node in models.values()))
    return [calculator.ask(atoms) for atoms in alloys(27, seed=2)]


@pytest.fixture
def store(models, dataset, said, aiida_localhost):
    """Return a function that stores a training and what its members predicted.

    Their stresses may be `alike`, all of them those of the first member.
    """
    split = Split(np.arange(N_TRAINED), np.array([N_TRAINED]), np.arange(FIRST, 27))
    part = SplitData.from_split(split, dataset, method='by hand', shared=True).store()

    def run(kind, alike=False):
        process = chain('EnsembleWorkChain', {'dataset': dataset})
        link(process, {f'models__{label}': node for label, node in models.items()})
        for row, (label, node) in enumerate(models.items()):
            job = orm.CalcJobNode(computer=aiida_localhost)
            for port, given in (('dataset', dataset), ('split', part)):
                job.base.links.add_incoming(given, LinkType.INPUT_CALC, port)
            job.store()
            copy = node.clone()
            copy.base.links.add_incoming(job, LinkType.CREATE, f'models__{label}')
            copy.store()
            for name, indices in (('train', split.train), ('test', split.test)):
                own = [said[i] for i in indices]
                features = [one['features'][row] for one in own]
                arrays = {
                    'indices': indices,
                    'energies': np.array([one['energy'][row] for one in own]),
                    'forces': np.concatenate([one['forces'][row] for one in own]),
                    'stresses': np.array([full(one['stress'][0 if alike else row]) for one in own]),
                }
                if kind == 'per_atom':
                    arrays['features'] = np.concatenate(features)
                else:
                    arrays['summed_features'] = np.array([f.sum(axis=0) for f in features])
                PredictionData.from_arrays(
                    arrays, dataset_sha256=dataset.sha256, part=name, seed=node.seed,
                    weights_sha256=node.weights_sha256,
                ).store()  # fmt: skip
        return process

    return run


def full(voigt):
    xx, yy, zz, yz, xz, xy = voigt
    return [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]


def means(said, chosen):
    """Return mean features of frames by member, each (n, f)."""
    rows = range(len(said[0]['features']))
    return [np.array([said[i]['features'][row].mean(axis=0) for i in chosen]) for row in rows]


def samples(said, frames, chosen):
    """Return energies per atom of frames with all that an estimator on features asks."""
    n, train = frames.n_atoms[0], np.arange(N_TRAINED)
    members = np.array([said[i]['energy'] for i in chosen]).T / n
    known = np.array([said[i]['energy'] for i in train]).T / n
    volumes = [round(np.log(v / n) / 0.02) for v in frames.volumes[train]]
    return Asked(
        members, np.arange(len(chosen)), frames.energies[chosen] / n, means(said, chosen),
        means(said, train), list(known - frames.energies[train] / n), len(known) * [volumes],
    )  # fmt: skip


@pytest.mark.nequip
@pytest.mark.parametrize('kind', ['per_atom', 'summed'])
@pytest.mark.parametrize(
    ('name', 'options'),
    [
        ('llpr', {}),
        ('conformal', {'score': 'leverage', 'level': 0.8}),
        ('mahalanobis', {}),
        ('neighbours', {'k': 2}),
        ('mixture', {'components': 1}),
    ],
)
def test_what_is_fitted_to_features_judges_a_structure_as_an_audit_does(
    store, said, frames, name, options, kind
):
    process = store(kind)
    estimator, n = make_estimator(name, options), frames.n_atoms[0]
    calculator = aiida_enne.Ensemble.from_nodes(
        process.pk,
        estimator=name,
        calibration_domain='alloy' if estimator.calibrated else '',
        estimator_options=options,
    )
    atoms = alloys(27, seed=2)[9]
    learnt = samples(said, frames, np.arange(FIRST, 27)) if estimator.calibrated else None
    (expected,) = estimator.fit(learnt)(samples(said, frames, [9]))
    what = 'sigma' if estimator.unit else 'score'
    scale = n if estimator.unit else 1
    found = calculator.get_property(f'energy_{what}', atoms)
    assert found == pytest.approx(scale * expected, rel=1e-4)
    if kind == 'summed':
        with pytest.raises(PropertyNotImplementedError, match='`per_atom` has them'):
            calculator.get_property(f'forces_{what}', atoms)
    else:
        forces = calculator.get_property(f'forces_{what}', atoms)
        assert forces.shape == (n, 3)
        assert (forces > 0).all()
    spread = calculator.get_property('energy_members', atoms).std()
    if estimator.unit is None:  # σ is then what it always was, and the score stands beside it
        assert calculator.get_property('energy_sigma', atoms) == pytest.approx(spread)
    else:
        with pytest.raises(PropertyNotImplementedError, match='features are of energies'):
            calculator.get_property('stress_sigma', atoms)
    with pytest.raises(ValueError, match=r'plain numbers do not say it|features of the training'):
        fit_portable(process.pk, Choice(name, 'alloy', options))


@pytest.mark.nequip
def test_the_stress_has_a_factor_of_its_own(store, said, frames):
    """That of rank ⌈21 · 0.8⌉ of 20 blocks, of |ε|/s of six components each, by NumPy."""
    chosen = Choice('conformal', 'alloy', {'level': 0.8})
    found = fit_portable(store('summed').pk, chosen)
    assert set(found['widths']) == {'energy', 'forces', 'stress'}
    assert set(found['unfitted']) == {'energies_sigma'}
    members = np.array([one['stress'] for one in said[FIRST:]])
    labels = frames.stresses[FIRST:].reshape(-1, 9)[:, [0, 4, 8, 5, 2, 1]]
    ratio = np.abs(members.mean(axis=1) - labels) / members.std(axis=1, ddof=1)
    expected = np.sort(ratio.reshape(-1))[6 * 17 - 1]
    assert found['widths']['stress'] == {'factor': pytest.approx(expected, rel=1e-6), 'ddof': 1}


@pytest.mark.nequip
def test_a_stress_that_cannot_be_fitted_has_no_sigma_and_says_why(store):
    process = store('summed', alike=True)
    calculator = aiida_enne.Ensemble.from_nodes(
        process.pk, estimator='conformal', calibration_domain='alloy'
    )
    (atoms,) = alloys(1)
    assert calculator.get_property('forces_sigma', atoms).shape == (4, 3)
    assert 'stress' in calculator.results
    assert not {'stress_sigma', 'energies_sigma'} & set(calculator.results)
    with pytest.raises(PropertyNotImplementedError, match='agree to the last digit'):
        calculator.get_property('stress_sigma', atoms)
    with pytest.raises(PropertyNotImplementedError, match='no label says what share'):
        calculator.get_property('energies_sigma', atoms)


@pytest.mark.nequip
def test_snapshots_are_refused_with_what_to_do(models):
    process = chain('EnsembleWorkChain', {})
    link(process, {f'models__{label}': node for label, node in models.items()})
    with pytest.raises(ValueError, match=r'`provenance\.find_snapshots` of its training'):
        fit_judge(process.pk, 'snapshots', 'alloy')
