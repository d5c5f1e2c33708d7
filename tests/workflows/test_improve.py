"""Tests for `ImproveWorkChain`: real training of tiny members, real labels by EMT."""

import json
import re

import numpy as np
import pytest
from aiida.common.exceptions import NotExistent
from aiida.engine import run_get_node
from click.testing import CliRunner

from aiida_enne.cli.main import main
from aiida_enne.provenance.ensembles import find_ensemble
from aiida_enne.science.data.copies import find_copies
from aiida_enne.science.selection import GROUP
from aiida_enne.workflows.improve.improve import ImproveWorkChain
from tests.improving import EPOCH, LEVEL, builder_of, make_data


@pytest.fixture(scope='module')
def data(python_code):
    """Return what is trained on, what judges, and a pool that knows some of both."""
    return make_data()


@pytest.fixture(scope='module')
def improved(python_code, data):
    """Return an improvement of three arms in two rounds."""
    node = run_get_node(builder_of(python_code, data, **EPOCH)).node
    assert node.is_finished_ok, node.exit_message
    return node


class Broken:
    """Another package's way to choose, which cannot."""

    name = 'broken'
    needs = ()

    def choose(self, candidates, count, rng):
        raise ValueError('nothing pleases')


@pytest.mark.nequip
@pytest.mark.slow
class TestRounds:
    def test_every_arm_buys_as_many_labels(self, improved):
        paths = improved.outputs.summary['paths']
        assert set(paths) == {'ensemble_1', 'random_1', 'farthest_1'}
        assert all(one['labels'] == [0, 2, 4] for one in paths.values())
        assert all(len(one['force_rmse']) == 3 for one in paths.values())

    def test_arms_begin_with_one_ensemble(self, improved):
        first = {improved.outputs.statistics[path].round_0.uuid for path in self.paths(improved)}
        last = {improved.outputs.statistics[path].round_2.uuid for path in self.paths(improved)}
        assert (len(first), len(last)) == (1, 3)
        trainings = [one for one in improved.called if one.process_label == 'EnsembleWorkChain']
        assert len(trainings) == 1 + 3 + 3

    def test_nothing_is_labelled_twice(self, improved):
        labels = [one.get_configurations() for one in dict(improved.outputs.labels).values()]
        for number, one in enumerate(labels):
            assert find_copies(one, one).tolist() == list(range(len(one)))
            for other in labels[:number]:
                assert (find_copies(one, other) < 0).all()
        bought = sum(len(one) for one in labels)
        assert bought <= 8

    def test_two_members_calibrate_nothing_and_say_so(self, improved):
        assert set(improved.outputs.calibrations) == set(self.paths(improved))
        for path in self.paths(improved):
            (node,) = dict(improved.outputs.calibrations[path]).values()
            assert node.get_dict().keys() == {'energy', 'force'}
            assert all(
                '4 or more members, got 2' in one['reason'] for one in node.get_dict().values()
            )
            inputs = node.creator.base.links.get_incoming().all_link_labels()
            assert 'bought__round_0' in inputs, 'what is judged must not be learnt from'
            assert not any('round_1' in label for label in inputs)

    def test_what_is_known_or_held_out_is_refused_by_name(self, improved):
        for path in self.paths(improved):
            refused = dict(improved.outputs.selections[path].round_0['refused'])
            assert refused[8] == 'a copy of configuration 0 of the training set'
            assert refused[10] == 'a copy of configuration 0 of the held-out set'
            second = dict(improved.outputs.selections[path].round_1['refused'])
            assert len(second) == len(refused) + 2

    def test_labels_are_judged_by_an_ensemble_that_does_not_know_them(self, improved):
        for path in self.paths(improved):
            for one in dict(improved.outputs.prequential[path]).values():
                assert sum(s['n_configurations'] for s in one.domains.values()) == 2
                audit = one.creator
                bought = audit.inputs.datasets__bought.get_configurations()
                for prediction in audit.base.links.get_incoming(
                    link_label_filter='predictions__bought__%'
                ).all_nodes():
                    model = prediction.creator.inputs.models__seed_1
                    split = model.creator.inputs.split.get_split()
                    known = model.creator.inputs.dataset.get_configurations()
                    used = np.concatenate([split.train, split.validation])
                    assert (find_copies(bought, known.select(used)) < 0).all()

    def test_the_training_set_grows_by_what_was_bought(self, improved, data):
        for path in self.paths(improved):
            dataset, split = improved.outputs.datasets[path], improved.outputs.splits[path]
            assert dataset.n_frames == 10
            sizes = {name: len(one) for name, one in split.get_split().as_arrays().items()}
            assert sizes == {'train': 6, 'validation': 4, 'test': 0}
            assert (
                dataset.creator.inputs.dataset.creator.inputs.dataset.uuid == data['dataset'].uuid
            )

    def test_errors_are_those_of_the_stored_predictions(self, improved, data):
        held = data['held_out'].get_configurations()
        summary = improved.outputs.summary['paths']
        for path in self.paths(improved):
            audits = dict(improved.outputs.statistics[path])
            assert summary[path]['force_rmse'] == [
                pytest.approx(self.error(audits[f'round_{r}'], held), rel=1e-12) for r in range(3)
            ]

    def test_one_repeat_decides_nothing(self, improved):
        arms = improved.outputs.summary['arms']
        assert set(arms) == {'ensemble', 'farthest'}
        assert all(one['verdict'] == 'undecided' for one in arms.values())
        assert all('an interval needs 3' in one['reason'] for one in arms.values())

    def test_the_command_says_what_it_found(self, improved, tmp_path):
        picture = tmp_path / 'improvement.svg'
        words = ['improvement', str(improved.pk)]
        result = CliRunner().invoke(main, [*words, '--figure', str(picture)])
        assert result.exit_code == 0, result.output
        assert '`ensemble` against `random`: undecided; 1 repeat: an interval' in result.output
        assert 'random_1 ended: all rounds are done' in result.output
        refused = r'a copy of configuration … of the training set +2 to 4'
        assert re.search(refused, result.output), result.output
        assert 'labels bought' in picture.read_text()
        found = json.loads(CliRunner().invoke(main, [*words, '--json']).output)
        assert [one['labels'] for one in found['curves']] == 3 * [[0, 2, 4]]
        assert len(found['bought']) == 6
        assert all(one['refused'] == sum(one['reasons'].values()) for one in found['bought'])

    def test_an_ensemble_of_a_path_is_named_by_its_training(self, improved):
        with pytest.raises(NotExistent, match='name one of its trainings') as caught:
            find_ensemble(improved.pk)
        found = re.findall(r'(\d+) \((\w+)\)', str(caught.value))
        assert [path for _, path in found] == self.paths(improved)
        for pk, path in found:
            members = find_ensemble(int(pk)).members
            uuids = {node.uuid for node in dict(improved.outputs.models[path]).values()}
            assert {one.uuid for one in members} == uuids

    @staticmethod
    def paths(improved):
        return sorted(dict(improved.outputs.statistics))

    @staticmethod
    def error(statistics, held):
        nodes = statistics.creator.base.links.get_incoming(
            link_label_filter='predictions__held_out__%'
        ).all_nodes()
        forces = np.mean([one.get_arrays(['forces'])['forces'] for one in nodes], axis=0)
        return np.sqrt(np.mean((forces - held.forces) ** 2))


@pytest.mark.nequip
@pytest.mark.slow
def test_dynamics_of_the_ensemble_give_candidates_until_the_budget_is_spent(
    python_code, data, install
):
    install({GROUP: {'broken': f'{__name__}:Broken'}})
    explored = {
        'temperatures': [300],
        'start': {'count': 2},
        'stage': {'thermostat': 'langevin', 'steps': 4, 'timestep': 1.0, 'record_every': 2},
        'sigma': {'every': 1, 'force': 1e-9},
    }
    builder = builder_of(
        python_code,
        {name: node for name, node in data.items() if name != 'pool'} | {'starts': data['dataset']},
        arms={'farthest': None, 'broken': {'kind': 'broken'}},
        improving={'batch': 2, 'budget': 1, 'rounds': 3, 'warm': True},
        exploration=explored,
        **EPOCH,
    )
    node = run_get_node(builder).node
    assert node.exit_status == ImproveWorkChain.exit_codes.ERROR_PATHS_FAILED.status
    paths = node.outputs.summary['paths']
    failed = paths.pop('broken_1')
    assert (failed['labels'], failed['ended']) == ([0], 'its choice failed: nothing pleases')
    assert set(paths) == {'ensemble_1', 'random_1'}
    for path in paths.values():
        assert path['labels'] == [0, 1]
        assert path['ended'] == '1 labels are bought, as many as the budget allows'
    bought = node.outputs.labels.round_0
    assert list(bought.domains) == ['explored warm, 300 K']
    assert bought.level_of_theory == LEVEL
    selection = node.outputs.selections.ensemble_1.round_0.creator.inputs
    assert selection.parameters['explored'] == {
        'number': selection.candidates.n_frames,
        'record_every': 2,
        'timestep': 1.0,
    }
    # every step passed the threshold, so that all are candidates; chance had every second of them
    assert selection.candidates.n_frames == 2 * 4
    left = dict(node.outputs.selections.random_1.round_0['left'])
    times = selection.candidates.get_configurations().info['time']
    assert [times[i] for i in left] == pytest.approx([0.001, 0.003] * 2)
    assert_second_begins_with_first(node)


def assert_second_begins_with_first(node):
    """The members of round 1 began with those of round 0, each with its own."""
    first, *later = sorted(
        (one for one in node.called if one.process_label == 'EnsembleWorkChain'),
        key=lambda one: one.pk,
    )
    assert 'initial_models' not in first.inputs
    assert len(later) == 2
    for second, label in ((one, label) for one in later for label in one.outputs.models):
        model = second.outputs.models[label]
        before = first.outputs.models[label]
        assert second.inputs.initial_models[label].uuid == before.uuid
        assert model.creator.inputs.initial_models[label].uuid == before.uuid
        assert model.base.attributes.get('identity') != before.base.attributes.get('identity')
