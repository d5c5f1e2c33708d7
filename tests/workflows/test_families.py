"""Every family, and members trained together, go through the same work chains to an audit."""

import pytest
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching

from aiida_enne import families
from aiida_enne.families.nequip import choice
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

    def run(family, strategy):
        builder = EnsembleWorkChain.get_builder_from_protocol(
            train_code, dataset, split, protocol='test', overrides=overrides_of(family, strategy)
        )
        return run_get_node(builder)[1]

    return run


@pytest.mark.slow
@pytest.mark.nequip
@pytest.mark.parametrize(
    ('name', 'strategy'), [('allegro', 'sequential'), ('nequip', 'vectorised')]
)
def test_a_family_is_trained_predicts_and_is_audited(
    dataset, split, train, train_code, name, strategy
):
    node = train(name, strategy)
    assert node.is_finished_ok, [one.get_dict() for one in dict(node.outputs.results).values()]
    models = dict(node.outputs.models)
    assert {model.family for model in models.values()} == {name}
    assert {model.get_config()['training_module']['model']['_target_'] for model in models.values()}
    family = families.load(name)
    kernels = {result.get_dict().get('kernel') for result in dict(node.outputs.results).values()}
    assert kernels == {family.kernel or None}
    audit = AuditWorkChain.get_builder_from_protocol(
        train_code, models, {'all': dataset}, protocol='test', splits={'all': split}
    )
    audited = run_get_node(audit)[1]
    assert audited.is_finished_ok, audited.exit_message
    (statistics,) = dict(audited.outputs.statistics).values()
    assert statistics.base.attributes.get('pooled')['force_rmse'] > 0


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
    assert job.inputs.kernel.value == families.load('nequip').kernel
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
