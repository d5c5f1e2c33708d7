"""Laws of the progress of a study: its total never moves, and it comes to an end."""

import asyncio
from types import SimpleNamespace

import pytest
from aiida.engine import WorkChain

from aiida_enne.aiida_private import foreground_runner, run_until, schedule
from aiida_enne.cli import ledger, progress
from aiida_enne.workflows.study.study import StudyWorkChain


def part(name, jobs, core_hours):
    return SimpleNamespace(name=name, jobs=jobs, core_hours=core_hours, gpu_hours=0.0)


@pytest.fixture
def plan():
    parts = [
        part('liquids', 4, 1.0),
        part('ensemble', 1, 6.0),
        part('own relaxations', 3, 1.0),
        part('scan size', 2, 2.0),
        part('samples', 0, 0.0),
    ]
    return ledger.Ledger(parts)


def test_the_total_stays_and_what_is_done_only_grows(plan):
    """Retries do not count twice; a branch that needed fewer jobs is done all the same."""
    said, shares = [], []
    ends = [plan.begin(2, 1, 'liquid', job=False)]
    ends += [plan.begin(10 + n, 2, f'density_{n}', job=True) for n in range(6)]
    ends += [plan.begin(3, 1, 'ensemble', job=False), plan.begin(30, 3, 'from_seed_1', job=True)]
    ends += [
        plan.begin(4, 1, 'own__defect', job=False),
        plan.begin(5, 1, 'own__surface', job=False),
    ]
    ends += [plan.begin(6, 1, 'scan__size', job=False)]
    for end in [*ends[1:], ends[0]]:
        end()
        said.append((plan.done, plan.jobs))
        shares.append(plan.share())
    assert {total for _, total in said} == {10}
    assert said == sorted(said)
    assert shares == sorted(shares)
    assert said[-1] == (10, 10)
    assert shares[-1] == pytest.approx(1.0)


def test_own_relaxations_end_with_the_last_of_them(plan):
    defect = plan.begin(4, 1, 'own__defect', job=False)
    surface = plan.begin(5, 1, 'own__surface', job=False)
    plan.begin(41, 4, 'vacancy', job=True)()
    defect()
    assert plan.done == 1
    surface()
    assert plan.done == 3


def test_the_time_left_follows_from_costs_not_from_jobs(plan):
    assert plan.say(10.0) == '0 of 10 jobs'
    end = plan.begin(2, 1, 'liquid', job=False)
    end()
    assert plan.say(60.0) == '4 of 10 jobs, about 9 min left'
    plan.begin(3, 1, 'ensemble', job=False)
    assert plan.say(120.0, epochs=0.5) == '4 of 10 jobs, about 3 min left'
    # a part that was planned too cheap does not make the rest shorter than what trains now
    assert plan.say(120.0, epochs=0.5, training=600.0) == '4 of 10 jobs, about 10 min left'


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [(3, '10 s'), (44, '40 s'), (400, '7 min'), (5000, '83 min'), (10_000, '3 h')],
)
def test_one_digit_of_a_duration_matters(seconds, text):
    assert ledger.duration(seconds) == f'about {text}'


class Leaf(WorkChain):
    """Ends at once."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.outline(cls.rest)

    def rest(self):
        """Do nothing."""


class Root(WorkChain):
    """Has one branch, as a study has."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.outline(cls.branch, cls.rest)

    def branch(self):
        return self.to_context(one=self.submit(Leaf, metadata={'call_link_label': 'liquid'}))

    def rest(self):
        """Do nothing."""


@pytest.mark.usefixtures('aiida_profile_clean')
def test_processes_are_followed_by_what_has_called_them_also_after_an_interruption(plan):
    with foreground_runner(plan.follow) as runner:
        node, end = schedule(runner, Root.get_builder())
        run_until(runner, end)
        runner.loop.run_until_complete(asyncio.sleep(0))
    assert node.is_finished_ok
    assert plan.done == 4
    again = ledger.Ledger([part('liquids', 4, 1.0), part('ensemble', 1, 1.0)])
    again.catch_up(node)
    assert (again.done, again.jobs) == (4, 5)


@pytest.mark.usefixtures('aiida_profile_clean')
def test_a_study_has_a_plan_and_its_line_says_so(aiida_code_installed, tmp_path):
    code = aiida_code_installed('enne.ase.run', filepath_executable='/bin/true')
    builder = StudyWorkChain.get_builder_from_protocol(code, protocol='test')
    found = ledger.plan_of(builder)
    branches = ['liquid', 'eos', 'defect', 'surface', 'ensemble', 'own__defect', 'audit']
    assert {ledger.part_of(name) for name in branches} <= set(found.parts)
    assert {f'scan {name}' for name in builder.scans.get_dict()} <= set(found.parts)
    watch = progress.Watch(tmp_path, 'reference calculations', 'predicting', found)
    assert watch._line() == f'0 of {found.jobs} jobs; reference calculations'
    assert ledger.plan_of(Leaf.get_builder()) is None
    assert ledger.epochs_of(builder) == ledger.epochs_of(Leaf.get_builder()) == 0
