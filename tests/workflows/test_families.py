"""Every family, and members trained together, go through the same work chains to an audit."""

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching

from aiida_enne import families
from aiida_enne.data.prediction import stack_predictions
from aiida_enne.families.nequip import choice
from aiida_enne.provenance import (
    Material,
    find_snapshots,
    join_members,
    joint_audit,
    joint_quantities,
)
from aiida_enne.workflows.audit import AuditWorkChain
from aiida_enne.workflows.training.ensemble import EnsembleWorkChain

TRAINING = 'aiida.calculations:enne.nequip.train'


def overrides_of(family, strategy):
    """Return what asks for a family and a strategy, for two epochs."""
    parameters = {'trainer': {'max_epochs': 2}}
    train = {'parameters': parameters, 'strategy': strategy, 'processes': 1}
    return {'family': family, 'training': {'train': train}}


@pytest.fixture
def train(dataset, split, train_code):
    """Return a function: `node = train('allegro', 'sequential')`."""

    def run(family, strategy, **others):
        asked = overrides_of(family, strategy) | others
        builder = EnsembleWorkChain.get_builder_from_protocol(
            train_code, dataset, split, protocol='test', overrides=asked
        )
        return run_get_node(builder)[1]

    return run


@pytest.fixture
def ask(dataset, train_code):
    """Return a function: `audit, statistics = ask(models, **inputs)`, of all configurations."""

    def run(models, options=None, **inputs):
        audit = AuditWorkChain.get_builder_from_protocol(
            train_code,
            models,
            {'all': dataset},
            protocol='test',
            overrides={'audit': options or {}},
            **inputs,
        )
        node = run_get_node(audit)[1]
        assert node.is_finished_ok, node.exit_message
        (statistics,) = dict(node.outputs.statistics).values()
        return node, statistics

    return run


@pytest.mark.slow
@pytest.mark.nequip
def test_families_are_trained_predict_and_are_audited_alone_and_as_one(split, train, ask):
    nodes = {
        'allegro': train('allegro', 'sequential'),
        'nequip': train('nequip', 'vectorised', snapshots=2),
    }
    for name, node in nodes.items():
        assert node.is_finished_ok, [one.get_dict() for one in dict(node.outputs.results).values()]
        models = dict(node.outputs.models)
        assert {model.family for model in models.values()} == {name}
        results = dict(node.outputs.results).values()
        kernels = {result.get_dict().get('kernel') for result in results}
        assert kernels == {families.load(name).kernels.get('vectorised')}
    _, statistics = ask(dict(nodes['allegro'].outputs.models), splits={'all': split})
    assert statistics.base.attributes.get('pooled')['force_rmse'] > 0
    one_of_all_is_compared_with_snapshots(nodes, ask)


def one_of_all_is_compared_with_snapshots(nodes, ask):
    """Members of two architectures, audited as one ensemble beside the last epochs of a member."""
    members = join_members([node.pk for node in nodes.values()])
    assert {model.family for model in members.values()} == set(nodes)
    snapshots = find_snapshots(nodes['nequip'].pk, 'seed_1')
    options = {'estimator': 'snapshots', 'calibration_domain': 'cold'}
    node, statistics = ask(members, options, snapshots=snapshots, trained_frames='include')
    assert statistics.base.attributes.get('n_members') == 4
    (dataset,) = dict(node.inputs.datasets).values()
    frames = dataset.get_configurations()
    mean, rival = (
        stack_predictions(dict(found['all']), dataset)[1]['energies'] / frames.n_atoms
        for found in (node.outputs.predictions, node.outputs.rivals)
    )
    assert len(rival) == 2
    error = mean.mean(axis=0) - frames.energies / frames.n_atoms
    spread, cold = rival.std(axis=0, ddof=1), frames.domains == 'cold'
    factor = np.sqrt(np.mean((error[cold] / spread[cold]) ** 2))
    (found,) = statistics.get_arrays(['energy_spread']).values()
    np.testing.assert_allclose(found, factor * spread, rtol=1e-9)
    material = Material.of(node.pk)
    assert {row.n_members for row in joint_audit(material).verdicts} == {4}
    rows, samples = joint_quantities(material)
    np.testing.assert_array_equal(samples['energy'].snapshots, rival[:, rows.indices])
    assert samples['force'].snapshots.shape == (2, 3 * rows.configurations.n_atoms.sum())


@pytest.mark.slow
@pytest.mark.nequip
def test_what_was_trained_together_is_another_model_and_found_again(train, monkeypatch):
    alone = dict(train('nequip', 'sequential').outputs.models)
    together = dict(train('nequip', 'vectorised').outputs.models)
    for label, model in together.items():
        identities = {one.base.attributes.get('identity') for one in (model, alone[label])}
        assert len(identities) == 2
    with enable_caching(identifier=TRAINING):
        for strategy, models in (('vectorised', together), ('sequential', alone)):
            again = train('nequip', strategy)
            assert uuids(again.outputs.models) == uuids(models)
        # whichever the cost model chooses, what that would give is known
        assert uuids(train('nequip', 'auto').outputs.models) == uuids(alone)
        monkeypatch.setattr(choice, 'ONCE', -1e6)
        assert uuids(train('nequip', 'auto').outputs.models) == uuids(together)
    job = together['seed_1'].creator
    output = job.outputs.retrieved.get_object_content('nequip_train.out')
    assert output.startswith('strategy vectorised: as asked for')


def uuids(models):
    return {label: model.uuid for label, model in dict(models).items()}


@pytest.mark.nequip
def test_what_was_chosen_trains_together_and_says_why(train, monkeypatch):
    monkeypatch.setattr(choice, 'ONCE', -1e6)
    node = train('nequip', 'auto')
    assert node.is_finished_ok, node.exit_message
    (job,) = {model.creator for model in dict(node.outputs.models).values()}
    assert job.inputs.kernel.value == families.load('nequip').kernels['vectorised']
    output = job.outputs.retrieved.get_object_content('nequip_train.out')
    assert output.startswith('strategy vectorised: 2 members of ')
    assert '2 members are trained together' in output


def test_auto_of_a_single_job_is_refused_with_the_remedy(prepare, train_inputs):
    with pytest.raises(ValueError, match='`strategy` of nequip must be one of'):
        prepare('enne.nequip.train', train_inputs | {'strategy': 'auto'})


def test_a_family_without_the_strategy_refuses_it_by_name(dataset, split, train_code):
    asked = overrides_of('allegro', 'vectorised')
    with pytest.raises(ValueError, match='allegro has no strategy `vectorised`; use `auto`'):
        EnsembleWorkChain.get_builder_from_protocol(
            train_code, dataset, split, protocol='test', overrides=asked
        )


def test_a_misspelt_family_is_named(dataset, split, train_code):
    with pytest.raises(ValueError, match='did you mean `allegro`'):
        EnsembleWorkChain.get_builder_from_protocol(
            train_code, dataset, split, protocol='test', overrides={'family': 'alegro'}
        )
