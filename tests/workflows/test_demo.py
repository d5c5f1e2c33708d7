"""The whole main job, for real, on a handful of configurations."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching

from aiida_enne import provenance
from aiida_enne.provenance import Material
from aiida_enne.report.collect import collect
from aiida_enne.report.write import write_report
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.workflows.study.study import StudyWorkChain

pytestmark = [pytest.mark.slow, pytest.mark.nequip, pytest.mark.lammps]


@pytest.fixture(scope='module')
def study(aiida_profile, python_code):
    """Run the study once, from structures to statistics."""
    builder = StudyWorkChain.get_builder_from_protocol(python_code, protocol='demo-test')
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    return node


def test_every_node_has_its_parents(study):
    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={'uuid': study.uuid}, tag='study')
    query.append(orm.Data, with_incoming='study', project='*')
    returned = query.all(flat=True)
    assert returned
    assert all(node.creator is not None for node in returned)


def test_nothing_trained_on_is_tested(study):
    split = study.outputs.split.get_split()
    assert not set(split.train) & set(split.test)
    for prediction in study.outputs.predictions['training'].values():
        np.testing.assert_array_equal(prediction.get_arrays()['indices'], split.test)


def test_crystals_and_liquids_are_audited(study):
    (statistics,) = provenance.find_statistics(study.uuid)
    assert set(statistics.domains) == {
        'liquid, 2000 K',
        'liquid, 1600 K',
        'liquid, 3000 K',
        'diamond',
        'bcc',
    }
    scalars = statistics.domains['diamond']
    assert scalars['n_members'] == 2
    assert scalars['energy_rmse'] > 0


def test_whether_the_members_fit_their_training_is_decided(study):
    (statistics,) = provenance.find_statistics(study.uuid)
    stored = {one.name: one for one in statistics.load_audit().gates['energy']}['training']
    found = provenance.find_gates(Material.of(study.uuid), AuditOptions())
    asked = {one.name: one for one in found if not one.quantity}
    assert stored.state in ('passed', 'failed')
    assert asked['training'] == stored


def test_the_report_is_written(study, tmp_path):
    page = write_report(collect(study.uuid), tmp_path).read_text()
    assert study.uuid in page
    assert (tmp_path / 'figures' / 'F4_1.png').exists()
    assert (tmp_path / 'figures' / 'training.png').exists()


def test_a_second_run_calculates_nothing(study, python_code):
    builder = StudyWorkChain.get_builder_from_protocol(python_code, protocol='demo-test')
    with enable_caching(identifier='aiida.calculations:enne.*'):
        again = run_get_node(builder).node
    assert again.is_finished_ok, again.exit_message
    jobs = [n for n in again.called_descendants if isinstance(n, orm.CalculationNode)]
    assert jobs
    fresh = [job.process_label for job in jobs if not job.base.caching.is_created_from_cache]
    assert not fresh
    first, second = (provenance.find_statistics(node.uuid)[0] for node in (study, again))
    assert first.domains == second.domains
