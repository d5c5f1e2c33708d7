"""Laws of a plan of branches that share slots, on schedules that are played through."""

import math

from hypothesis import given
from hypothesis import strategies as st

from aiida_enne.science.plans.slots import Needs, deal, find_ready


@st.composite
def plans(draw):
    """Return branches: what each needs, the jobs it has, how long each takes, its own limit."""
    names = [f'branch_{number}' for number in range(draw(st.integers(1, 7)))]
    earlier = {name: names[:number] for number, name in enumerate(names)}
    some = {
        name: st.lists(st.sampled_from(before), unique=True, max_size=3) if before else st.just([])
        for name, before in earlier.items()
    }
    needs = {
        name: Needs(tuple(draw(one)), tuple(draw(one)) if draw(st.booleans()) else ())
        for name, one in some.items()
    }
    jobs = {name: draw(st.lists(st.integers(1, 5), min_size=1, max_size=6)) for name in names}
    own = {name: draw(st.one_of(st.none(), st.integers(1, 4))) for name in names}
    order = draw(st.permutations(names))
    return {name: needs[name] for name in order}, jobs, own


class Played:
    """A schedule on a clock: branches take as many of their jobs at a time as they were dealt."""

    def __init__(self, plan, jobs, own, limit):
        self.plan, self.limit, self.now = plan, limit, 0
        self.left = {name: list(durations) for name, durations in jobs.items()}
        self.widths = {name: min(len(jobs[name]), own[name] or math.inf) for name in plan}
        self.held, self.waiting, self.ended, self.at_work = {}, [], [], []

    def deal(self):
        begun = [*self.waiting, *self.held]
        self.waiting += find_ready(self.plan, self.ended, begun)
        self.waiting.sort(key=list(self.plan).index)
        dealt = deal(self.limit, self.held, self.waiting, self.widths)
        assert all(share > self.held.get(name, 0) for name, share in dealt.items()), 'taken away'
        self.held |= dealt
        self.waiting = [name for name in self.waiting if name not in dealt]
        for name, share in self.held.items():
            while self.left[name] and self.busy(name) < share:
                self.at_work.append((self.now + self.left[name].pop(0), name))

    def busy(self, name):
        return sum(one == name for _, one in self.at_work)

    def tick(self):
        """Go to the moment when the next job ends."""
        self.now = min(end for end, _ in self.at_work)
        self.at_work = [one for one in self.at_work if one[0] > self.now]
        for name in list(self.held):
            if not self.left[name] and not self.busy(name):
                del self.held[name]
                self.ended.append(name)


@given(plans(), st.integers(1, 8))
def test_no_branch_begins_early_no_limit_is_exceeded_and_no_slot_idles(given_plan, limit):
    plan, jobs, own = given_plan
    played = Played(plan, jobs, own, limit)
    played.deal()
    while played.held:
        for name in played.held:
            assert set(plan[name].ended) <= set(played.ended)
        assert sum(played.held.values()) <= limit
        assert len(played.at_work) <= limit
        assert all(played.busy(name) <= played.widths[name] for name in played.held)
        idle = limit - sum(played.held.values())
        able = [name for name, share in played.held.items() if share < played.widths[name]]
        assert not idle or not (played.waiting or able)
        played.tick()
        played.deal()
    assert sorted(played.ended) == sorted(plan), 'something never began'
    assert not any(played.left.values())


def test_what_goes_first_is_waited_for_only_where_it_can_begin():
    plan = {
        'ensemble': Needs(),
        'surface': Needs(),
        'audit': Needs(('ensemble', 'surface')),
        'scan': Needs(('ensemble',), first=('audit',)),
    }
    assert find_ready(plan, [], []) == ['ensemble', 'surface']
    assert find_ready(plan, ['ensemble'], ['surface']) == ['scan'], 'the audit waits for a surface'
    assert find_ready(plan, ['ensemble', 'surface'], []) == ['audit']
    assert find_ready(plan, ['ensemble', 'surface'], ['audit']) == []
    assert find_ready(plan, ['ensemble', 'surface', 'audit'], []) == ['scan']


def test_needs_that_the_plan_does_not_have_are_no_needs():
    assert find_ready({'defect': Needs(('eos',), first=('liquid',))}, [], []) == ['defect']


def test_slots_go_to_what_begins_then_to_what_runs():
    widths = {'liquid': 10, 'eos': 2, 'defect': None}
    assert deal(8, {}, ['liquid', 'eos'], widths) == {'liquid': 6, 'eos': 2}
    assert deal(8, {'liquid': 6}, ['defect'], widths) == {'defect': 2}
    assert deal(8, {'liquid': 3}, [], widths) == {'liquid': 8}
    assert deal(2, {}, ['liquid', 'eos', 'defect'], widths) == {'liquid': 1, 'eos': 1}
    assert deal(2, {'liquid': 3}, ['eos'], widths) == {}
