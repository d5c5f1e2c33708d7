"""Tests for what an audit takes from the graph, and for trained frames among its own."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.tools.archive import create_archive, import_archive

from aiida_enne.aiida_private import inputs_of
from aiida_enne.calculations.functions import leave_out_trained
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.split import SplitData
from aiida_enne.data.trainings import TrainedOn
from aiida_enne.provenance import Material, find_gates
from aiida_enne.science.data.configurations import concatenate
from aiida_enne.science.data.splits import Split
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.workflows import protocols
from aiida_enne.workflows.audit import AuditWorkChain, notes
from aiida_enne.workflows.training.ensemble import EnsembleWorkChain
from tests import studied
from tests.audited import model


@pytest.fixture
def trained(dataset, split, aiida_localhost):
    """Two members: frames 0 to 5 train, 6 and 7 validate, 8 and 9 test."""
    return studied.train(dataset, split, (1, 2), aiida_localhost)


@pytest.fixture
def mixed(dataset, configurations, rng):
    """Two trained frames and one of validation, moved by a rounding error, and two new ones."""
    old = configurations.select([1, 6, 4])
    new = configurations.select([8, 9])
    for one, size in ((old, 1e-6), (new, 0.05)):
        one.positions[:] += rng.uniform(-size, size, one.positions.shape)
    return DatasetData.from_configurations(concatenate([old, new]), level_of_theory='EMT').store()


@pytest.fixture
def build(trained, aiida_code_installed):
    """Return a function that fills a builder: `builder, why it is refused, notes`."""
    code = aiida_code_installed(filepath_executable='/bin/true')

    def run(node, models=None, options=None, **inputs):
        builder = AuditWorkChain.get_builder_from_protocol(
            code,
            models or trained,
            {'mine': node},
            protocol='test',
            overrides={'audit': options or {}},
            **inputs,
        )
        return builder, protocols.complaint(builder), notes(inputs_of(builder))

    return run


def test_split_and_training_domains_are_those_of_the_training(build, dataset, split):
    builder, why, said = build(dataset)
    assert (why, said) == (None, [])
    assert builder.splits['mine'].uuid == split.uuid
    assert builder.audit['training_domains'] == ['cold']


def test_equal_content_is_the_same_dataset(build, dataset, split):
    copy = dataset.clone().store()
    builder, why, _ = build(copy)
    assert copy.uuid != dataset.uuid
    assert (why, builder.splits['mine'].uuid) == (None, split.uuid)


def test_what_is_given_wins_and_the_difference_is_named(build, dataset, split):
    given = SplitData.from_split(Split([0], [1], [8]), dataset, method='other', shared=True).store()
    builder, why, said = build(
        dataset, options={'training_domains': ['hot']}, splits={'mine': given}
    )
    assert why is None
    assert builder.audit['training_domains'] == ['hot']
    assert builder.splits['mine'].uuid == given.uuid
    assert f'the split given is <{given.uuid}>' in said[0]
    assert f'was trained with <{split.uuid}>' in said[0]
    assert "given are ['hot'], the ensemble was trained on ['cold']" in said[1]


def test_trained_frames_of_another_dataset_are_refused_by_count_frame_and_dataset(
    build, dataset, mixed
):
    _, why, _ = build(mixed)
    assert 'knows 3 of the 5 configurations' in why
    assert '(2 trained on, 1 validated with)' in why
    assert f'copies of those of the dataset <{dataset.uuid}>: frames 0, 1, 2. ' in why
    assert '`trained_frames: exclude` leaves them out' in why
    assert '`trained_frames: include` audits them' in why


def test_trained_frames_are_audited_where_that_is_asked_for(build, dataset, mixed):
    builder, why, said = build(mixed, trained_frames='include')
    assert why is None
    assert 'They are audited all the same' in said[-1]
    builder, why, _ = build(dataset, trained_frames='include')
    assert why is None
    assert 'splits' not in inputs_of(builder)


def test_trained_frames_are_left_out_by_a_calculation_function(build, trained, mixed):
    builder, why, said = build(mixed, trained_frames='exclude')
    assert why is None
    assert 'They are left out' in said[-1]
    process = instantiate_process(get_manager().get_runner(), builder)
    process.leave_out()
    kept = process.ctx.datasets['mine']
    np.testing.assert_array_equal(
        kept.get_configurations().positions,
        mixed.get_configurations().select([3, 4]).positions,
    )
    assert kept.level_of_theory == mixed.level_of_theory
    made = kept.creator
    assert made.process_label == 'leave_out_trained'
    assert made.inputs.dataset.uuid == mixed.uuid
    assert made.inputs.trainings['set_0'].split.uuid == trained['seed_1'].creator.inputs.split.uuid


def test_of_a_split_only_its_part_is_left(dataset, split):
    given = SplitData.from_split(Split([0], [1], [4, 7, 9]), dataset, method='x', shared=True)
    sets = {'set_0': {'dataset': dataset, 'split': split}}
    kept = leave_out_trained(dataset, trainings=sets, split=given.store())
    np.testing.assert_array_equal(
        kept.get_configurations().energies, dataset.get_configurations().energies[[9]]
    )


def test_where_nothing_would_be_left_the_audit_is_refused(build, dataset, configurations):
    known = DatasetData.from_configurations(configurations.select([0, 7]), level_of_theory='EMT')
    _, why, _ = build(known.store(), trained_frames='exclude')
    assert 'nothing is left to audit; `trained_frames: include`' in why


def test_a_domain_to_learn_from_must_remain(build, mixed):
    options = {'estimator': 'recalibrated', 'calibration_domain': 'cold'}
    _, why, _ = build(mixed, options=options, trained_frames='exclude')
    assert "nothing that is audited has the domains ['cold']; there are ['hot']" in why
    _, why, _ = build(mixed, options=options, trained_frames='include')
    assert why is None
    _, why, _ = build(mixed, options={'alignment': {'domain': 'cold', 'by': 'mean'}})
    assert 'trained_frames' in why


def test_members_of_different_splits_have_none_by_default(build, trained, dataset, aiida_localhost):
    other = SplitData.from_split(Split([8, 9], [0, 1], [2, 3]), dataset, method='other').store()
    models = trained | studied.train(dataset, other, (3,), aiida_localhost)
    builder, why, said = build(dataset, models=models)
    assert 'splits' not in inputs_of(builder)
    assert '`mine`: members were trained with 2 splits of it' in said
    assert 'knows 10 of the 10 configurations' in why
    assert builder.audit['training_domains'] == ['cold', 'hot']


def test_a_model_is_of_its_own_training_even_if_another_has_its_weights(
    trained, dataset, aiida_localhost
):
    # trainings that differ in what they validate with may end in equal weights
    given = Split(range(6), [8, 9], [])
    other = SplitData.from_split(given, dataset, method='other').store()
    twins = studied.train(dataset, other, (1, 2), aiida_localhost)
    assert twins['seed_1'].weights_sha256 == trained['seed_1'].weights_sha256
    for models, expected in ((trained, [6, 7]), (twins, [8, 9])):
        ((_, split),) = TrainedOn.of(models).sets
        assert split.get_split().validation.tolist() == expected
    stranger = model(1).store()
    assert not TrainedOn.of({'seed_1': stranger}).unknown


def test_what_the_graph_does_not_know_is_said(build, dataset):
    models = {f'seed_{number}': model(number).store() for number in (11, 12)}
    builder, why, said = build(dataset, models=models)
    assert why is None
    assert builder.audit['training_domains'] == []
    assert 'the graph does not know all that seed_11, seed_12 were trained on' in said[0]
    assert 'state `training_domains`' in said[0]


def test_a_model_that_began_from_a_finished_one_is_not_wholly_known(build, trained, dataset):
    begun = model(13)
    begun.base.repository.put_object_from_bytes(
        b'training_module: {model: {_target_: nequip.model.ModelFromCheckpoint}}', 'config.yaml'
    )
    _, _, said = build(dataset, models=trained | {'seed_13': begun.store()})
    assert 'all that seed_13 were trained on' in said[0]


@pytest.mark.parametrize('whole', [True, False])
def test_members_of_an_archive_are_known_as_far_as_it_goes(
    trained, dataset, mixed, tmp_path, aiida_profile_clean, aiida_localhost, whole
):
    content = mixed.get_configurations()
    create_archive(
        list(trained.values()),
        filename=tmp_path / 'members.aiida',
        create_backward=whole,
        test_run=False,
    )
    names = {label: node.uuid for label, node in trained.items()}
    aiida_profile_clean.reset_storage()
    import_archive(tmp_path / 'members.aiida')
    models = {label: orm.load_node(uuid) for label, uuid in names.items()}
    code = orm.InstalledCode(
        label='python',
        computer=orm.Computer('other', 'localhost', '', 'core.local', 'core.direct').store(),
        filepath_executable='/bin/true',
    ).store()
    again = DatasetData.from_configurations(content, level_of_theory='EMT').store()
    builder = AuditWorkChain.get_builder_from_protocol(
        code, models, {'mine': again}, protocol='test'
    )
    why, said = protocols.complaint(builder), notes(inputs_of(builder))
    if whole:
        assert 'knows 3 of the 5 configurations' in why
        assert said == []
    else:
        assert why is None
        assert 'the graph does not know' in said[0]


def llpr_by_hand(judged, frames, n_known):
    """Return RMSE/σ of LLPR from stored arrays alone; the first frames calibrate it."""
    known, asked = judged.outputs.trained['set_0'], judged.outputs.predictions['mine']
    assert set(known) == set(asked)
    size, n_atoms = np.zeros(len(frames)), frames.n_atoms[0]
    for label in known:
        own, before = (
            one[label].get_arrays()['features'].reshape(len(one[label].indices), n_atoms, -1)
            for one in (asked, known)
        )
        own, before = own.mean(axis=1), before.mean(axis=1, dtype=np.float64)
        normal = before.T @ before
        normal += 1e-6 * np.trace(normal) / len(normal) * np.eye(len(normal))
        leverage = np.einsum('ij,jk,ik->i', own, np.linalg.inv(normal), own)
        size += np.sqrt(leverage) / len(known)
    energies = np.mean([one.get_arrays()['energies'] for one in asked.values()], axis=0)
    error = (energies - frames.energies) / frames.n_atoms
    width = np.sqrt(np.mean((error[:n_known] / size[:n_known]) ** 2)) * size
    return np.sqrt(np.mean(error[n_known:] ** 2) / np.mean(width[n_known:] ** 2))


@pytest.mark.slow
@pytest.mark.nequip
def test_all_three_ways_of_a_real_ensemble_and_llpr_on_its_features(
    dataset, split, mixed, train_code, caplog
):
    training = run_get_node(
        EnsembleWorkChain.get_builder_from_protocol(
            train_code, dataset, split, protocol='test', overrides={'members_per_job': 2}
        )
    ).node
    assert training.is_finished_ok, training.exit_message
    models = dict(training.outputs.models)

    def audit(node, **inputs):
        builder = AuditWorkChain.get_builder_from_protocol(
            train_code, models, {'mine': node}, protocol='test', **inputs
        )
        found = run_get_node(builder).node
        assert found.is_finished_ok, found.exit_message
        return found

    options = {'estimator': 'llpr', 'calibration_domain': 'cold'}
    judged = audit(mixed, overrides={'audit': options}, trained_frames='include')
    ratio = llpr_by_hand(judged, mixed.get_configurations(), 3)
    found = judged.outputs.statistics['mine']
    assert found.domains['hot']['energy_rmse_over_spread'] == pytest.approx(ratio, rel=1e-3)
    states = {one['name']: one['state'] for one in found.base.attributes.get('gates')['energy']}
    assert states['training'] in ('passed', 'failed')
    assert 'trying to save checkpoint' not in caplog.text  # a daemon could continue it

    def counts(node):
        domains = node.outputs.statistics['mine'].domains
        return {name: one['n_configurations'] for name, one in domains.items()}

    plain = audit(dataset, fit_frames=2)
    assert counts(plain) == {'hot': 2}
    some = split.get_split().train[[0, -1]]
    frames, fitted = dataset.get_configurations().select(some), plain.outputs.trained['set_0']
    arrays = [fitted[label].get_arrays() for label in models]
    assert all(np.array_equal(one['indices'], some) for one in arrays)
    energies = np.mean([one['energies'] for one in arrays], axis=0)
    rmse = np.sqrt(np.mean(((energies - frames.energies) / frames.n_atoms) ** 2))
    (gate, *_) = plain.outputs.statistics['mine'].base.attributes.get('gates')['energy']
    assert f'RMSE {1000 * rmse:.3g} meV/atom on training frames of cold' in gate['reason']
    assert find_gates(Material.of(plain.pk), AuditOptions())[0].state == gate['state']
    assert 'trained' not in audit(dataset, fit_frames=0).outputs
    with pytest.raises(ValueError, match='knows 3 of the 5 configurations'):
        audit(mixed)
    assert counts(audit(mixed, trained_frames='include')) == {'cold': 3, 'hot': 2}
    assert counts(audit(mixed, trained_frames='exclude')) == {'hot': 2}
