"""A training that really fails: its reason stands wherever a user looks for it."""

import pytest
from aiida.cmdline.commands.cmd_process import process_report
from aiida.engine import run_get_node
from click.testing import CliRunner

from aiida_enne.workflows.training.ensemble import EnsembleWorkChain


@pytest.mark.nequip
@pytest.mark.parametrize(
    ('section', 'value', 'reason'),
    [
        # found by the script before a member begins
        (
            'training_module',
            {'optimizer': {'_target_': 'torch.optim.NoSuch', 'lr': 0.01}},
            '`training_module.optimizer._target_` torch.optim.NoSuch cannot be imported',
        ),
        # found by the trainer, in the member
        ('trainer', {'accelerator': 'abacus'}, 'You selected an invalid accelerator name'),
    ],
)
def test_the_reason_of_a_failed_member_is_the_same_everywhere(
    invoke, dataset, split, train_code, section, value, reason
):
    train = {'parameters': {section: value}, 'strategy': 'sequential'}
    builder = EnsembleWorkChain.get_builder_from_protocol(
        train_code,
        dataset,
        split,
        protocol='test',
        overrides={'seeds': [4], 'training': {'train': train}},
    )
    ensemble = run_get_node(builder).node
    base = next(one for one in ensemble.called if one.process_label == 'NequipTrainBaseWorkChain')
    (job,) = base.called
    assert reason in job.outputs.results['seed_4']['exit_message']
    assert ensemble.outputs.summary['failed']['seed_4']['exit_status'] == 410
    where = {
        'member job': job.exit_message,
        'base work chain': base.exit_message,
        'ensemble': ensemble.exit_message,
        'status': invoke('status', ensemble.pk).output,
        'process report': CliRunner().invoke(process_report, [str(ensemble.pk)]).output,
    }
    assert not {place: text for place, text in where.items() if reason not in str(text)}


@pytest.mark.nequip
def test_the_reason_of_a_job_that_left_no_trace_is_the_same_everywhere(
    invoke, dataset, split, train_code, aiida_code_installed
):
    """Not even its Python knows NequIP: the reason is the end of the output."""
    blind = aiida_code_installed(
        label='blind',
        default_calc_job_plugin='enne.nequip.train',
        filepath_executable=train_code.filepath_executable.as_posix(),
        prepend_text='echo \'raise ImportError("no NequIP here")\' > nequip_train_member.py',
    )
    ensemble = run_get_node(
        EnsembleWorkChain.get_builder_from_protocol(
            blind, dataset, split, protocol='test', overrides={'seeds': [4]}
        )
    ).node
    base = next(one for one in ensemble.called if one.process_label == 'NequipTrainBaseWorkChain')
    where = {
        'job': base.called[-1].exit_message,
        'base work chain': base.exit_message,
        'ensemble': ensemble.exit_message,
        'status': invoke('status', ensemble.pk).output,
        'process report': CliRunner().invoke(process_report, [str(ensemble.pk)]).output,
    }
    assert not {k: text for k, text in where.items() if 'no NequIP here' not in str(text)}
