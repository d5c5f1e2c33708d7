"""A real fine-tuning by the work chains: from a package, then from one of its own members."""

import pytest
from aiida.engine import run_get_node

from aiida_enne.data.base_model import BaseModelData
from aiida_enne.data.trainings import TrainedOn
from aiida_enne.workflows.training.ensemble import EnsembleWorkChain

QUICK = {
    'seeds': [1, 2],
    'members_per_job': 2,
    'training': {
        'train': {
            'strategy': 'sequential',
            'parameters': {'trainer': {'max_epochs': 1}},
            'metadata': {'options': {'max_wallclock_seconds': 600}},
        }
    },
}


@pytest.mark.slow
@pytest.mark.nequip
def test_members_are_tuned_and_know_what_they_began_with(dataset, split, train_code, package):
    def tune(base):
        builder = EnsembleWorkChain.get_builder_from_protocol(
            train_code, dataset, split, protocol='fine-tune', overrides=QUICK, base_model=base
        )
        node = run_get_node(builder).node
        assert node.is_finished_ok, node.exit_message
        return dict(node.outputs.models)

    base = BaseModelData.from_file(package).store()
    models = tune(base)
    assert {model.creator.inputs.base_model.uuid for model in models.values()} == {base.uuid}
    assert {tuple(model.elements) for model in models.values()} == {('Al', 'Cu')}
    assert len({model.weights_sha256 for model in models.values()}) == 2
    assert TrainedOn.of(models).unknown == ('seed_1', 'seed_2')
    # the work folder has the package, the graph has it once
    files = models['seed_1'].creator.base.repository.list_object_names()
    assert 'base.nequip.zip' not in files

    again = tune(models['seed_1'])
    identities = {
        one.base.attributes.get('identity') for one in [*models.values(), *again.values()]
    }
    assert len(identities) == 4
    assert TrainedOn.of(again).unknown == ('seed_1', 'seed_2')  # the package is behind them, too
