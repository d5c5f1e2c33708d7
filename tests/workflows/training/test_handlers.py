"""Tests for the decisions of `NequipTrainBaseWorkChain`, on jobs that were not run."""

import json

import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.plugins import WorkflowFactory
from plumpy import ProcessState

from aiida_enne.calculations.nequip_train import NequipTrainCalculation as Train
from aiida_enne.families.nequip import FAMILY
from aiida_enne.workflows.base import why_failed
from aiida_enne.workflows.restarts import ENDED

CODES = Train.exit_codes


@pytest.fixture
def chain(train_inputs):
    """Return a function: `chain = chain(attempts)`, a work chain whose jobs ended as told.

    Each attempt is the exit code of the job and per member first epoch, epochs and exit label.
    """
    train_inputs |= {'strategy': 'parallel', 'processes': 3}
    train_inputs['seeds'] = {f'seed_{seed}': orm.Int(seed) for seed in (1, 2, 3)}

    def run(*attempts):
        process = instantiate_process(
            get_manager().get_runner(), WorkflowFactory('enne.nequip.base'), train=train_inputs
        )
        process.setup()
        process.ctx.children, verdicts = [], []
        for code, members in attempts:
            process.ctx.iteration += 1
            process.ctx.children.append(job(train_inputs, process, code, members))
            verdicts.append(process.inspect_process())
        return process, verdicts

    return run


def job(inputs, process, code, members):
    node = orm.CalcJobNode(
        computer=inputs['code'].computer, process_type=Train.build_process_type()
    )
    for label, seed in process.ctx.inputs.seeds.items():
        node.base.links.add_incoming(seed.store(), LinkType.INPUT_CALC, f'seeds__{label}')
    node.set_process_state(ProcessState.FINISHED)
    node.set_exit_status(code.status)
    node.store()
    outputs = {'remote_folder': orm.RemoteData(remote_path='/x', computer=node.computer)}
    for label, (first, epochs, verdict, *said) in members.items():
        status = CODES[verdict].status if verdict else 0
        result = {
            'first_epoch': first,
            'epochs': epochs,
            'exit_status': status,
            'exit_label': verdict,
            'status': said[0] if said else 'killed',
        }
        outputs[f'results__{label}'] = orm.Dict(json.loads(json.dumps(result)))
    for label, output in outputs.items():
        output.base.links.add_incoming(node, LinkType.CREATE, label)
        output.store()
    return node


def test_only_the_unfinished_are_continued(chain):
    members = {
        'seed_1': (0, 9, None),
        'seed_2': (0, 4, 'ERROR_OUT_OF_WALLTIME'),
    }  # and the third did not begin
    process, (verdict,) = chain((CODES.ERROR_OUT_OF_WALLTIME, members))
    assert not verdict.status
    assert set(process.ctx.inputs.seeds) == {'seed_2', 'seed_3'}
    assert (
        process.ctx.inputs.parent_folder.uuid == process.ctx.children[0].outputs.remote_folder.uuid
    )


def test_an_unreadable_result_is_written_anew(chain):
    members = {'seed_1': (0, 9, 'ERROR_RESULT_UNREADABLE'), 'seed_2': (0, 9, None)}
    process, (verdict,) = chain((CODES.ERROR_RESULT_UNREADABLE, members))
    assert not verdict.status
    assert set(process.ctx.inputs.seeds) == {'seed_1', 'seed_3'}


def test_diverged_members_are_not_continued(chain):
    members = {'seed_1': (0, 4, 'ERROR_MEMBERS_DIVERGED'), 'seed_2': (0, 4, 'ERROR_MEMBERS_KILLED')}
    process, _ = chain((CODES.ERROR_MEMBERS_KILLED, members))
    assert set(process.ctx.inputs.seeds) == {'seed_2', 'seed_3'}


def test_memory_halves_the_processes(chain):
    killed = {f'seed_{seed}': (0, 1, 'ERROR_OUT_OF_MEMORY') for seed in (1, 2, 3)}
    process, verdicts = chain((CODES.ERROR_OUT_OF_MEMORY, killed))
    assert process.ctx.inputs.processes == 1
    assert not verdicts[0].status


def test_memory_is_tried_with_ever_fewer_before_giving_up(chain):
    """Attempts without an epoch do not count as long as fewer at a time have not been tried."""
    lacking = {f'seed_{seed}': (0, 0, 'ERROR_OUT_OF_MEMORY') for seed in (1, 2, 3)}
    process, verdicts = chain(*[(CODES.ERROR_OUT_OF_MEMORY, lacking)] * 3)
    assert [bool(verdict.status) for verdict in verdicts] == [False, False, True]
    assert process.ctx.inputs.processes == 1
    assert verdicts[2].status == process.exit_codes.ERROR_NO_PROGRESS.status


@pytest.fixture
def together(train_inputs, chain):
    """Return `chain` for three members of one process."""

    def run(*attempts):
        kernel = orm.Str(FAMILY.kernels['vectorised'])
        train_inputs.update(strategy='vectorised', kernel=kernel, processes=1)
        return chain(*attempts)

    return run


def test_memory_halves_the_members_of_a_process(together):
    """The job was killed with all its processes: the next tries two at once, then one."""
    killed = {f'seed_{seed}': (0, 1, 'ERROR_OUT_OF_MEMORY') for seed in (1, 2, 3)}
    for attempts, group in ((1, 2), (2, 1)):
        process, verdicts = together(*[(CODES.ERROR_OUT_OF_MEMORY, killed)] * attempts)
        assert (process.ctx.inputs.group, process.ctx.inputs.processes) == (group, 1)
        assert not any(verdict.status for verdict in verdicts)


def test_a_job_that_outlived_the_lack_of_memory_is_left_fewer_processes(together, train_inputs):
    lacking = {f'seed_{seed}': (0, 1, 'ERROR_OUT_OF_MEMORY', 'out_of_memory') for seed in (1, 2, 3)}
    process, _ = together((CODES.ERROR_OUT_OF_MEMORY, lacking))
    process.ctx.inputs.processes, process.ctx.inputs.group = 2, 32
    process.train_fewer_at_a_time(process.ctx.children[-1])
    assert (process.ctx.inputs.group, process.ctx.inputs.processes) == (1, 1)


def test_one_attempt_without_an_epoch_is_bad_luck_two_are_not(chain):
    idle = {f'seed_{seed}': (4, 4, 'ERROR_MEMBERS_KILLED') for seed in (1, 2, 3)}
    process, verdicts = chain(*[(CODES.ERROR_MEMBERS_KILLED, idle)] * 2)
    assert not verdicts[0].status
    assert verdicts[1] == process.exit_codes.ERROR_NO_PROGRESS.format(
        labels='seed_1, seed_2, seed_3', reason=why_failed(process.ctx.children[-1])
    )


def test_final_verdicts_name_the_members(chain):
    members = {
        'seed_1': (0, 9, None),
        'seed_2': (0, 4, 'ERROR_MEMBERS_DIVERGED'),
        'seed_3': (0, 0, 'ERROR_MEMBERS_FAILED'),
    }
    process, (verdict,) = chain((CODES.ERROR_MEMBERS_FAILED, members))
    assert not verdict.status
    assert not process.should_run_process()
    final = process.results()
    assert final.status == 410
    assert 'seed_2 (ERROR_MEMBERS_DIVERGED), seed_3 (ERROR_MEMBERS_FAILED)' in final.message
    assert set(process.outputs['results']) == {'seed_1', 'seed_2', 'seed_3'}


def test_what_its_user_ended_before_it_began_goes_once_more(chain):
    """Ctrl-C in the first seconds of a job leaves nothing to go on from, and is no failure."""
    process, (verdict,) = chain((CODES.ERROR_NOTHING_LEFT, {}))
    assert verdict is not None
    process.ctx.children[-1].base.extras.set(ENDED, True)
    process.ctx.unhandled_failure = False
    children, iteration = len(process.ctx.children), process.ctx.iteration
    assert process.inspect_process() is None
    assert (len(process.ctx.children), process.ctx.iteration) == (children - 1, iteration - 1)
    assert not process.ctx.unhandled_failure
