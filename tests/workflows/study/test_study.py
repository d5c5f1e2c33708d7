"""The whole study, for real, on a handful of configurations: what it hands out, and its reuse."""

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching

from aiida_enne.workflows.study.study import StudyWorkChain

pytestmark = [pytest.mark.slow, pytest.mark.nequip, pytest.mark.lammps]

#: What costs: everything but calculation functions.
JOBS = 'aiida.calculations:enne.*'


def run(code, **overrides):
    builder = StudyWorkChain.get_builder_from_protocol(code, protocol='test', overrides=overrides)
    with enable_caching(identifier=JOBS):
        return run_get_node(builder).node


def jobs(node, *, fresh=True):
    """Return the calculation jobs below a process, those that were really run or all."""
    found = [one for one in node.called_descendants if isinstance(one, orm.CalcJobNode)]
    return [one for one in found if not (fresh and one.base.caching.is_created_from_cache)]


@pytest.fixture(scope='module')
def study(aiida_profile, python_code):
    """Run the study once, from first structure to last scan."""
    node = run(python_code)
    assert node.is_finished_ok, node.exit_message
    return node


def test_it_hands_out_every_role(study):
    roles = set(study.outputs.datasets)
    assert roles == {
        *('liquid', 'training', 'eos_diamond', 'eos_beta_tin', 'defect_vacancy_2', 'surface_8'),
        *('own_defect_vacancy_2', 'own_surface_8'),
    }
    members = {'seed_1', 'seed_2'}
    assert set(study.outputs.models) == members
    assert set(study.outputs.predictions) == roles
    assert all(set(found) == members for found in study.outputs.predictions.values())
    assert set(study.outputs.statistics) == {role for role in roles if not role.startswith('own_')}
    assert study.outputs.lattice_constant.value == pytest.approx(5.431, abs=2e-3)
