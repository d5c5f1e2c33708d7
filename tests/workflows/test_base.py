"""Tests of the pool: no place stays idle, nothing runs twice, a checkpoint is enough to go on."""

import asyncio
from contextlib import suppress

import pytest
from aiida import orm
from aiida.calculations.arithmetic.add import ArithmeticAddCalculation as Add
from aiida.common import LinkType, NotExistent
from aiida.engine import WorkChain, run_get_node, while_
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from plumpy import Bundle, ClosedError, ProcessState

from aiida_enne.aiida_private import revive
from aiida_enne.workflows.base import PoolWorkChain, process_of, why_failed


class Waits(WorkChain):
    """Goes through as many steps as it is told, then ends, well or not."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input('steps', valid_type=orm.Int)
        spec.outline(cls.begin, while_(cls.more)(cls.pass_one), cls.end)
        spec.output('steps', valid_type=orm.Int)
        spec.exit_code(410, 'ERROR_ODD', message='13 steps are too many')

    def begin(self):
        self.ctx.done = 0

    def more(self):
        return self.ctx.done < self.inputs.steps.value

    def pass_one(self):
        self.ctx.done += 1

    def end(self):
        if self.ctx.done == 13:
            return self.exit_codes.ERROR_ODD
        self.out('steps', orm.Int(self.ctx.done).store())
        return None


class Pool(PoolWorkChain):
    """Runs one `Waits` for each number, and for a string a job that sleeps for so many seconds."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input('numbers', valid_type=orm.List)
        spec.input('sleeper', valid_type=orm.AbstractCode, required=False)
        spec.input('max_concurrent', valid_type=int, is_metadata=True, required=False)
        spec.outline(cls.begin, while_(cls.has_work)(cls.work), cls.conclude)
        spec.output('order', valid_type=orm.List)
        spec.output('busiest', valid_type=orm.Int)

    def begin(self):
        self.open_pool()
        self.ctx.waiting = [str(index) for index in range(len(self.inputs.numbers))]
        self.ctx.order, self.ctx.busiest, self.ctx.log, self.ctx.again = [], 0, [], []

    def job(self, key):
        steps, label = self.inputs.numbers[int(key)], {'call_link_label': f'job_{key}'}
        self.ctx.busiest = max(self.ctx.busiest, len(self.ctx.running) + 1)
        if isinstance(steps, str):
            metadata = label | {'options': {'sleep': int(steps)}}
            return Add, {
                'code': self.inputs.sleeper,
                'x': orm.Int(1),
                'y': orm.Int(1),
                'metadata': metadata,
            }
        if steps < 0:
            raise ValueError(f'{steps} steps')
        return Waits, {'steps': orm.Int(steps), 'metadata': label}

    def refuse(self, key, reason):
        self.ctx.log.append(f'{key}: {reason}')

    def take(self, key, node):
        self.ctx.order.append(key)
        if not node.is_finished_ok:
            self.ctx.log.append(why_failed(node))
            if key not in self.ctx.again:  # goes once more, before all others
                self.ctx.again.append(key)
                self.ctx.waiting.insert(0, key)

    def conclude(self):
        assert not self.ctx.running
        assert not [name for name in self.ctx if name.startswith('process_')]
        self.out('order', orm.List(self.ctx.order).store())
        self.out('busiest', orm.Int(self.ctx.busiest).store())


def run(numbers, **inputs):
    _, node = run_get_node(Pool, numbers=orm.List(numbers), **inputs)
    assert node.is_finished_ok, node.exit_message
    return node


@pytest.fixture
def sleeper(aiida_profile_clean, aiida_code_installed):
    del aiida_profile_clean
    return aiida_code_installed('core.arithmetic.add', filepath_executable='/bin/bash')


def test_one_slow_job_does_not_idle_the_others(sleeper):
    """With two places, one taken by a slow job, the others go through the second meanwhile."""
    node = run(['20', *[1] * 4], sleeper=sleeper, max_concurrent=2)
    order = node.outputs.order.get_list()
    assert sorted(order) == [str(index) for index in range(5)]
    assert order[-1] == '0', 'in waves the slow one ends before the third begins'
    assert node.outputs.busiest.value == 2
    slow = next(one for one in node.called if one.process_label == Add.__name__)
    assert max(one.ctime for one in node.called) < slow.mtime


@pytest.mark.usefixtures('aiida_profile_clean')
@pytest.mark.parametrize(('limit', 'busiest'), [(None, 5), (1, 1), (3, 3), (9, 5)])
def test_as_many_run_as_may(limit, busiest):
    node = run([2, 1, 3, 1, 2], **({} if limit is None else {'max_concurrent': limit}))
    assert node.outputs.busiest.value == busiest
    assert len(node.called) == 5


@pytest.mark.usefixtures('aiida_profile_clean')
def test_what_fails_may_go_again_and_what_is_refused_takes_nothing_along():
    node = run([13, -1, 2], max_concurrent=2)
    assert node.outputs.order.get_list().count('0') == 2
    assert len(node.called) == 3
    failed = [one for one in node.called if not one.is_finished_ok]
    assert {one.exit_status for one in failed} == {410}
    assert why_failed(failed[0]) == f'Waits<{failed[0].uuid}>: 13 steps are too many'


@pytest.mark.usefixtures('aiida_profile_clean')
def test_nothing_to_do_is_done_at_once():
    assert not run([]).called


def lose(runner, process, task):
    """Stop a process as if its worker had died."""
    process.close()
    task.cancel()
    with suppress(asyncio.CancelledError, ClosedError):
        runner.loop.run_until_complete(task)


def test_a_pool_goes_on_from_its_checkpoint(sleeper):
    """Saved in the middle and loaded anew, as by another worker: no job runs twice."""
    runner = get_manager().get_runner()
    inputs = {'numbers': orm.List(['3', 1, 1, 1]), 'sleeper': sleeper, 'max_concurrent': 2}
    process = instantiate_process(runner, Pool, **inputs)
    task = runner.loop.create_task(process.step_until_terminated())
    while len(process.node.called) < 3:
        runner.loop.run_until_complete(asyncio.sleep(0.01))
    bundle = Bundle(process)
    lose(runner, process, task)
    loaded = bundle.unbundle()
    runner.loop.run_until_complete(loaded.step_until_terminated())
    assert loaded.node.is_finished_ok
    assert sorted(loaded.node.outputs.order.get_list()) == ['0', '1', '2', '3']
    assert len(loaded.node.called) == 4


@pytest.mark.usefixtures('aiida_profile_clean')
def test_what_a_lost_step_has_begun_is_not_submitted_twice():
    """A worker dies after it has submitted and before it could write that down."""
    runner = get_manager().get_runner()
    process = instantiate_process(runner, Pool, numbers=orm.List([3, 3, 3, 3]), max_concurrent=2)
    bundle = Bundle(process)
    task = runner.loop.create_task(process.step_until_terminated())
    while len(process.node.called) < 2:
        runner.loop.run_until_complete(asyncio.sleep(0.01))
    lose(runner, process, task)
    loaded = bundle.unbundle()
    runner.loop.run_until_complete(loaded.step_until_terminated())
    assert loaded.node.is_finished_ok
    assert sorted(loaded.node.outputs.order.get_list()) == ['0', '1', '2', '3']
    assert len(loaded.node.called) == 4


@pytest.mark.usefixtures('aiida_profile_clean')
def test_what_a_lost_step_had_only_created_is_begun_anew():
    """A terminal dies between the creation of a child and its first step; the same goes on."""
    runner = get_manager().get_runner()
    process = instantiate_process(runner, Pool, numbers=orm.List([2, 1]), max_concurrent=2)
    runner.persister.save_checkpoint(process)
    created = orm.WorkChainNode(process_type=Waits.build_process_type())
    created.set_process_label('Waits')
    created.set_process_state(ProcessState.CREATED)
    created.base.links.add_incoming(process.node, LinkType.CALL_WORK, 'job_0')
    created.store()
    process.close()
    (loaded,) = revive(runner, process.node)
    runner.loop.run_until_complete(loaded.step_until_terminated())
    assert loaded.node.is_finished_ok, loaded.node.exit_message
    assert sorted(loaded.node.outputs.order.get_list()) == ['0', '1']
    assert loaded.ctx.log == []
    assert created.is_killed
    assert len(loaded.node.called) == 3


def test_an_unknown_process_is_an_error():
    with pytest.raises((NotExistent, ValueError)):
        process_of(10**9)
