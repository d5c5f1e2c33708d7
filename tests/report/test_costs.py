"""Laws of what a study was planned to cost beside what it took, from its nodes."""

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager

from aiida_enne.aiida_private import inputs_of
from aiida_enne.provenance.archives import open_archive
from aiida_enne.provenance.durations import cores_of, durations, inputs_of_study
from aiida_enne.report.costs import costs_of
from aiida_enne.report.publishing import publish
from aiida_enne.workflows.study.planning import plan
from aiida_enne.workflows.study.study import StudyWorkChain
from tests.audited import chain


@pytest.fixture
def builder(aiida_profile_clean, aiida_code_installed):
    code = aiida_code_installed('enne.ase.run', filepath_executable='/bin/true')
    return StudyWorkChain.get_builder_from_protocol(code, protocol='test')


@pytest.fixture
def study(builder):
    """Return the node of a study that has been launched and has not begun."""
    process = instantiate_process(get_manager().get_runner(), StudyWorkChain, **inputs_of(builder))
    return process.node


@pytest.fixture
def ran(study, aiida_localhost):
    """Return a function that stores a job of a branch: `ran('eos', cores, seconds, state=…)`."""

    def run(branch, cores, seconds=None, state='finished', cached=False, study=study, **told):
        chain = orm.WorkChainNode()
        chain.base.links.add_incoming(study, LinkType.CALL_WORK, branch)
        chain.store()
        kind = 'aiida.calculations:enne.ase.run'
        job = orm.CalcJobNode(computer=aiida_localhost, process_type=kind)
        job.set_process_label('AseRunCalculation')
        job.set_option('resources', {'num_machines': 1, 'num_mpiprocs_per_machine': cores})
        job.base.attributes.set_many({'process_state': state, 'metadata_inputs': told})
        job.base.links.add_incoming(chain, LinkType.CALL_CALC, 'iteration_01')
        job.store()
        if cached:
            job.base.extras.set('_aiida_cached_from', 'x')
        folder = orm.RemoteData(computer=aiida_localhost, remote_path='/x')
        for label, node in (('remote_folder', folder), ('retrieved', orm.FolderData())):
            node.base.links.add_incoming(job, LinkType.CREATE, label)
            node.store()
        if seconds is not None:
            said = orm.Dict({'wall_time_seconds': seconds})
            said.base.links.add_incoming(job, LinkType.CREATE, 'output_parameters')
            said.store()
        return job

    return run


def test_the_plan_of_a_stored_study_is_that_of_its_builder(builder, study):
    assert plan(inputs_of_study(study)) == plan(inputs_of(builder))


def test_jobs_are_summed_by_part_with_their_cores(study, ran):
    ran('liquid', 2, 1800), ran('eos', 1, 360), ran('own__defect', 4, 900)
    ran('own__surface', 1, 3600), ran('liquid', 8, 7200, state='waiting')
    ran('eos', 1, 3600, cached=True)
    took = durations(study)
    assert list(took) == ['liquids', 'equations of state', 'own relaxations']
    assert took['liquids'].core_hours == pytest.approx(1.0)
    assert took['liquids'].job_hours == pytest.approx(0.5)
    assert took['own relaxations'].core_hours == pytest.approx(2.0)
    found = took['equations of state']
    assert (found.jobs, found.cached, found.core_hours) == (2, 1, pytest.approx(0.1))
    assert all(one.hours >= 0 for one in took.values())


def test_what_a_code_does_not_say_is_the_time_until_its_files_are_back(study, ran):
    job = ran('audit', 3)
    span = (job.outputs.retrieved.ctime - job.outputs.remote_folder.ctime).total_seconds()
    assert durations(study)['audit'].core_hours == pytest.approx(3 * span / 3600)
    assert span > 0


def test_cores_that_a_script_uses_beyond_those_asked_for_count(ran):
    assert cores_of(ran('ensemble', 1)) == 1
    assert cores_of(ran('ensemble', 1, processes=2, threads=3)) == 6


def test_every_part_has_a_line_and_what_dominates_is_said(study, ran, invoke):
    assert costs_of(study) is None
    ran('liquid', 1, 3600), ran('own_predictions', 1, 1800)
    costs = costs_of(study)
    names = [part.name for part in plan(inputs_of_study(study)).parts]
    assert [row[0] for row in costs.rows] == [*names, 'own predictions']
    assert costs.rows[0][4] == '1'
    assert costs.numbers['own_predictions']['planned'] is None
    assert costs.numbers['ensemble']['taken'] is None
    assert 'Most of it: liquids, 1 of 1.5 hours' in costs.lines[1]
    shown = invoke('status', study.pk)
    assert shown.exit_code == 0, shown.output
    assert all(line in shown.output for line in costs.lines)
    assert 'core hours planned' in shown.output


def test_a_public_archive_has_the_same_costs(study, ran, tmp_path):
    jobs = [ran('liquid', 2, 3600, account='proj-4711'), ran('own_predictions', 1, 1800)]
    study.base.attributes.set('process_state', 'finished')
    for node in (*jobs, *(one for one in study.called), study):
        node.seal()
    uuid, expected = study.uuid, costs_of(study)
    publish(study, tmp_path / 'public.aiida')
    with open_archive(tmp_path / 'public.aiida'):
        assert costs_of(orm.load_node(uuid)) == expected


def test_a_study_that_cannot_be_planned_says_why_and_what_it_took(ran):
    study = chain('study', {'liquid__engine': orm.Str('nothing').store()})
    ran('liquid', 1, 3600, study=study)
    costs = costs_of(study)
    assert 'no plan: ' in costs.lines[0]
    assert 'nothing' in costs.lines[0]
    assert [row[0] for row in costs.rows] == ['liquids']
    assert 'planned: not known' in costs.lines[1]


def test_other_processes_have_no_plan(aiida_profile_clean):
    assert costs_of(orm.WorkChainNode(process_type='aiida.workflows:enne.audit').store()) is None
