"""Tests of branches that begin as soon as they can, on processes that only wait."""

from functools import partial

import pytest
from aiida import orm
from aiida.engine import ToContext, WorkChain, while_
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager

from aiida_enne.aiida_private import fill_builder, foreground_runner, inputs_of, run_until, schedule
from aiida_enne.science.plans.slots import Needs, find_ready
from aiida_enne.workflows.base import SHARE, PoolWorkChain, share_of
from aiida_enne.workflows.study.branches import Branch, Branches, Job
from aiida_enne.workflows.study.study import StudyWorkChain


class Nothing(WorkChain):
    """Has nothing to do."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.outline(cls.rest)

    def rest(self):
        """Do nothing."""


class Waits(WorkChain):
    """Waits for so many others, one after another: how long it takes needs no clock."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input('turns', valid_type=orm.Int)
        spec.outline(cls.begin, while_(cls.more)(cls.wait))

    def begin(self):
        self.ctx.done = 0

    def more(self):
        return self.ctx.done < self.inputs.turns.value

    def wait(self):
        self.ctx.done += 1
        return ToContext(nothing=self.submit(Nothing))


class Several(PoolWorkChain):
    """Runs a `Waits` for each number, and says how many it had at a time."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input('turns', valid_type=orm.List)
        spec.input('max_concurrent', valid_type=int, is_metadata=True, required=False)
        spec.outline(cls.begin, while_(cls.has_work)(cls.work), cls.conclude)
        spec.output('busiest', valid_type=orm.Int)
        spec.exit_code(400, 'ERROR_ODD', message='it is odd')

    def begin(self):
        self.open_pool()
        self.ctx.waiting = [str(index) for index in range(len(self.inputs.turns))]
        self.ctx.busiest = 0

    def job(self, key):
        self.ctx.busiest = max(self.ctx.busiest, len(self.ctx.running) + 1)
        turns = orm.Int(self.inputs.turns[int(key)])
        return Waits, {'turns': turns, 'metadata': {'call_link_label': f'job_{key}'}}

    def take(self, key, node):
        """Nothing is taken over."""

    def conclude(self):
        self.out('busiest', orm.Int(self.ctx.busiest).store())
        return self.exit_codes.ERROR_ODD if len(self.inputs.turns) == 3 else None


class Plan(Branches):
    """Branches by name: the turns of their jobs, and what they need."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input('plan', valid_type=orm.Dict)
        spec.input('max_concurrent', valid_type=int, is_metadata=True, required=False)
        spec.outline(cls.begin, while_(cls.has_work)(cls.work), cls.conclude)
        spec.output('log', valid_type=orm.List)
        spec.output('failures', valid_type=orm.Dict)

    def branches(self):
        return {
            name: Branch(
                partial(self.build, given['turns']),
                partial(self.note_end, name),
                Needs(tuple(given.get('needs', ()))),
                partial(given.get, 'wanted', True),
            )
            for name, given in self.inputs.plan.get_dict().items()
        }

    def build(self, turns):
        if not turns:
            raise ValueError('no jobs')
        return Job(Several, {'turns': orm.List(turns)}, len(turns))

    def note_end(self, name, _):
        self.ctx.log = [*self.ctx.get('log', []), f'{name} ended']

    def start(self, key):
        self.ctx.log = [*self.ctx.get('log', []), f'{key} begins with {self.ctx.shares[key]}']
        super().start(key)

    def conclude(self):
        self.out('log', orm.List(self.ctx.log).store())
        self.out('failures', orm.Dict(self.ctx.failures).store())


@pytest.fixture
def play(aiida_profile_clean):
    """Return a function that runs a plan: its node, its log."""

    def run(plan, **inputs):
        builder = Plan.get_builder()
        fill_builder(builder, {'plan': orm.Dict(plan), **inputs})
        with foreground_runner() as runner:
            node, end = schedule(runner, builder)
            run_until(runner, end)
        assert node.is_finished_ok, node.exit_message
        return node, node.outputs.log.get_list()

    return run


def called(node, label):
    return node.base.links.get_outgoing(link_label_filter=label).one().node


STUDY = {
    'liquid': {'turns': [0]},
    'ensemble': {'turns': [0], 'needs': ['liquid']},
    'eos': {'turns': [12]},
    'defect': {'turns': [0], 'needs': ['eos']},
    'audit': {'turns': [0, 0], 'needs': ['ensemble', 'defect']},
}


def test_what_is_slow_delays_only_what_needs_it(play):
    """The phases take long; the ensemble begins and ends meanwhile."""
    node, log = play(STUDY, max_concurrent=2)
    assert log.index('ensemble ended') < log.index('eos ended') < log.index('defect begins with 1')
    assert log.index('defect ended') < log.index('audit begins with 2')
    assert called(node, 'ensemble').mtime < called(node, 'eos').mtime


def test_all_begin_at_once_where_nothing_limits_them(play):
    node, log = play({name: {'turns': [0]} for name in ('liquid', 'eos', 'audit')})
    assert log[:3] == ['liquid begins with None', 'eos begins with None', 'audit begins with None']
    assert SHARE not in called(node, 'liquid').base.extras.all


def test_a_branch_that_runs_gets_the_slots_of_one_that_ends(play):
    """Told while it runs, it has more of its own jobs at a time, and never more than there are."""
    node, log = play({'long': {'turns': [4] * 6}, 'short': {'turns': [0]}}, max_concurrent=3)
    assert log[:2] == ['long begins with 2', 'short begins with 1']
    long = called(node, 'long')
    assert share_of(long) == 3
    assert long.outputs.busiest.value == 3


def test_what_fails_is_refused_or_not_wanted_takes_nothing_along(play):
    plan = {
        'fails': {'turns': [0, 0, 0]},
        'refused': {'turns': []},
        'unwanted': {'turns': [0], 'wanted': False},
        'last': {'turns': [0], 'needs': ['fails', 'refused', 'unwanted']},
    }
    node, log = play(plan, max_concurrent=1)
    assert log[-1] == 'last ended'
    failures = node.outputs.failures.get_dict()
    assert set(failures) == {'fails', 'refused'}
    assert failures['refused'] == 'no jobs'
    assert 'it is odd' in failures['fails']
    assert not node.base.links.get_outgoing(link_label_filter='unwanted').all()


@pytest.mark.usefixtures('aiida_profile_clean')
def test_what_an_older_version_left_half_done_goes_on():
    """Its branches came stage by stage, each with the same share of the limit."""
    runner = get_manager().get_runner()
    process = instantiate_process(runner, Plan, plan=orm.Dict(STUDY), max_concurrent=2)
    process.open_pool()
    process.ctx.update(failures={}, stages=['training', 'audit'], share=1, log=[])
    process.ctx.planned = {'liquid': ['liquid', ''], 'eos': ['eos', '']}
    process.ctx.waiting = ['eos']  # the liquids have ended
    assert process.has_work()
    assert process.ctx.waiting == ['ensemble', 'eos']
    assert 'stages' not in process.ctx
    process.begin_more()
    assert process.ctx.log == ['ensemble begins with 1', 'eos begins with 1']


def test_a_study_trains_before_its_phases_have_ended(python):
    """And defects wait for the fit to diamond, scans for what their members are asked about."""
    builder = StudyWorkChain.get_builder_from_protocol(python, protocol='test')
    study = instantiate_process(get_manager().get_runner(), StudyWorkChain, **inputs_of(builder))
    table = study.branches()
    plan = {name: branch.needs for name, branch in table.items()}
    assert list(plan) == [
        *('liquid', 'ensemble', 'eos', 'defect', 'surface', 'own__defect', 'own__surface'),
        *('audit', 'own_predictions', 'scan__degree', 'scan__size', 'scan__subset'),
    ]
    assert find_ready(plan, [], []) == ['liquid', 'eos']
    assert find_ready(plan, ['liquid'], ['eos']) == ['ensemble']
    assert find_ready(plan, ['eos'], ['liquid']) == ['defect', 'surface']
    both = ['liquid', 'ensemble', 'eos']
    assert find_ready(plan, both, ['defect', 'surface']) == [
        *('own__defect', 'own__surface', 'scan__degree')
    ], 'the grid of degrees asks about nothing but the liquids'
    relaxed = [*both, 'defect', 'surface']
    own = ['own__defect', 'own__surface']
    assert find_ready(plan, relaxed, own) == ['audit'], 'it asks the main members first'
    assert find_ready(plan, [*relaxed, 'audit'], own) == ['scan__degree']
    assert find_ready(plan, [*both, 'scan__degree'], ['defect', 'surface', *own]) == ['scan__size']
    assert table['liquid'].build().width == 2
    assert table['eos'].build().width == 2
