"""Tests for `aiida-enne status`: what failed, and why, and what was interrupted."""

from aiida import orm
from aiida.common.links import LinkType
from plumpy import ProcessState

from aiida_enne.cli import foreground


def training(computer):
    """Return a work chain whose job has a member that failed and one that did not."""
    root = orm.WorkChainNode(process_type='aiida.workflows:enne.ensemble')
    root.set_process_label('EnsembleWorkChain')
    root.set_process_state(ProcessState.WAITING)
    root.store()
    job = orm.CalcJobNode(computer=computer, process_type='aiida.calculations:enne.nequip.train')
    job.set_process_label('NequipTrainCalculation')
    job.base.links.add_incoming(root, LinkType.CALL_CALC, 'called')
    job.store()
    for label, status, message in (('seed_1', 0, ''), ('seed_2', 410, 'KeyError:\n no `r_max`')):
        result = {'exit_status': status, 'exit_label': 'ERROR_MEMBERS_FAILED'}
        node = orm.Dict(result | {'exit_message': message})
        node.base.links.add_incoming(job, LinkType.CREATE, f'results__{label}')
        node.store()
    return root, job


def test_the_reason_of_each_failed_member_is_shown(invoke, aiida_localhost):
    root, job = training(aiida_localhost)
    result = invoke('status', root.pk)
    assert result.exit_code == 0, result.output
    assert f'seed_2 of <{job.pk}>: ERROR_MEMBERS_FAILED: KeyError: no `r_max`\n' in result.output
    assert 'seed_1 of' not in result.output


def test_jobs_of_predictions_have_no_failed_members(invoke, aiida_localhost):
    root, _ = training(aiida_localhost)
    job = orm.CalcJobNode(computer=aiida_localhost)
    job.set_process_label('NequipPredictCalculation')
    job.base.links.add_incoming(root, LinkType.CALL_CALC, 'predicted')
    job.store()
    node = orm.Dict({'mode': 'vectorised'})
    node.base.links.add_incoming(job, LinkType.CREATE, 'results')
    node.store()
    result = invoke('status', root.pk)
    assert result.exit_code == 0, result.output


def test_how_an_interrupted_study_goes_on_is_shown(invoke, aiida_localhost):
    root, job = training(aiida_localhost)
    mark = {'key': 'interrupted', 'command': 'aiida-enne launch ensemble'}
    root.base.extras.set(foreground.MARK, mark)
    assert 'To go on:\n  aiida-enne launch ensemble\n' in invoke('status', job.pk).output
