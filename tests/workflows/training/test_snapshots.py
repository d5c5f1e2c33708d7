"""Snapshots: the models of the last epochs, beside the best."""

import pytest
from aiida import orm
from aiida.common.exceptions import NotExistent
from aiida.engine import run_get_node

from aiida_enne.families.nequip import FAMILY
from aiida_enne.provenance import find_ensemble, find_histories, find_snapshots
from tests.workflows.training.test_ensemble import build  # noqa: F401


@pytest.mark.nequip
@pytest.mark.slow
@pytest.mark.parametrize('strategy', ['sequential', 'vectorised'])
def test_the_last_epochs_hand_out_their_models_too(build, strategy):  # noqa: F811
    """Three epochs, the last two are kept: the model of the best is one of them, or older."""
    builder = build(snapshots=2)
    builder.training.train.strategy = strategy
    if strategy == 'vectorised':
        builder.training.train.kernel = orm.Str(FAMILY.kernels['vectorised'])
    outputs, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert set(outputs['snapshots']) == set(outputs['models']) == {'seed_1', 'seed_2'}
    for label, model in outputs['models'].items():
        snapshots = outputs['snapshots'][label]
        assert set(snapshots) == {'epoch_1', 'epoch_2'}
        digests = {one.weights_sha256 for one in snapshots.values()}
        assert len(digests) == 2
        best = snapshots.get(f'epoch_{model.base.attributes.get("best_epoch")}')
        assert best is None or best.weights_sha256 == model.weights_sha256
        metric = 'val0_epoch/forces_mae'
        history = outputs['histories'][label].get_array('val0_epoch_forces_mae')
        for epoch, one in snapshots.items():
            attributes = one.base.attributes.all
            number = int(epoch.removeprefix('epoch_'))
            assert (attributes['seed'], attributes['best_epoch']) == (model.seed, number)
            assert attributes['metrics'][metric] == pytest.approx(history[number], rel=1e-12)
            assert attributes['identity'] != model.base.attributes.get('identity')
        assert find_snapshots(node.pk, label) == snapshots
    assert set(find_histories(find_ensemble(node.pk))) == {'seed_1', 'seed_2'}
    with pytest.raises(NotExistent, match='no member seed_3; there are seed_1, seed_2'):
        find_snapshots(node.pk, 'seed_3')
