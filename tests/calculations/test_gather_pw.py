"""Runs of pw.x as users have them: a bare job, a relaxation with its cell, atoms held in place."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.build import bulk
from click.testing import CliRunner

from aiida_enne.calculations.gatherers import contract
from aiida_enne.cli.main import main
from aiida_enne.science.fields import GPA_PER_EV_PER_CUBIC_ANGSTROM
from tests.pseudos import NORM_CONSERVING

pytest_plugins = ['tests.pseudos']
pytestmark = pytest.mark.qe
#: The second atom may not move along y and z.
FIXED = [[False, False, False], [False, True, True]]


@pytest.fixture
def relaxed(fast_runner, aiida_code_installed, pw_executable, pseudo_folder):
    """Return a finished `PwRelaxWorkChain` that relaxed two atoms and their cell."""
    chain = pytest.importorskip('aiida_quantumespresso.workflows.pw.relax').PwRelaxWorkChain
    words = ('--label', 'SIQE', '--only', NORM_CONSERVING, '--cutoffs', '12,48')
    made = CliRunner().invoke(main, ['pseudo', 'install', str(pseudo_folder), *words])
    assert made.exit_code == 0, made.output
    code = aiida_code_installed(
        label='pw',
        default_calc_job_plugin='quantumespresso.pw',
        filepath_executable=pw_executable,
        prepend_text='export OMP_NUM_THREADS=1',
    )
    atoms = bulk('Si')
    atoms.positions[1] += [0.1, 0.06, -0.03]
    kpoints = orm.KpointsData()
    kpoints.set_kpoints_mesh([2, 2, 2])
    structure = orm.StructureData(ase=atoms)
    (family,) = orm.QueryBuilder().append(orm.Group, filters={'label': 'SIQE'}).all(flat=True)
    pw = {
        'code': code,
        'pseudos': family.get_pseudos(structure=structure),
        'parameters': orm.Dict(
            {
                'CONTROL': {
                    'calculation': 'vc-relax',
                    'tprnfor': True,
                    'tstress': True,
                    'forc_conv_thr': 0.05,
                },
                'SYSTEM': {'ecutwfc': 12.0, 'ecutrho': 48.0, 'occupations': 'fixed'},
                'ELECTRONS': {'conv_thr': 1e-8},
                'CELL': {'press_conv_thr': 20.0},
            }
        ),
        'settings': orm.Dict({'FIXED_COORDS': FIXED}),
        'metadata': {'options': {'resources': {'num_machines': 1}, 'withmpi': False}},
    }
    inputs = {
        'structure': structure,
        'meta_convergence': orm.Bool(False),
        'base_relax': {'pw': pw, 'kpoints': kpoints},
    }
    node = run_get_node(chain, **inputs).node
    assert node.is_finished_ok, node.exit_message
    return node


def test_a_job_and_its_relaxation_give_the_same_with_what_was_held_in_place_masked(relaxed):
    (job,) = [one for one in relaxed.called_descendants if isinstance(one, orm.CalcJobNode)]
    assert len(contract.check_gatherer('quantumespresso', relaxed)) > 2
    found = []
    for node in (job, relaxed):
        words = ['dataset', 'gather', str(node.pk), '--label', f'from {node.pk}']
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, result.output
        said = ' '.join(result.output.split())
        assert '2 of 6 components of forces are zero by a constraint' in said
        dataset = orm.load_node(f'from {node.pk}')
        trajectory = job.outputs.output_trajectory
        inputs = dataset.creator.base.links.get_incoming().all_nodes()
        assert trajectory.uuid in {one.uuid for one in inputs}
        found.append(dataset.get_configurations())
    one, two = found
    assert one.as_arrays().keys() == two.as_arrays().keys()
    for name, array in one.as_arrays().items():
        np.testing.assert_array_equal(array, two.as_arrays()[name], err_msg=name)
    n = len(one)
    assert (~one.known_forces.reshape(n, 2, 3) == np.array(FIXED)).all()
    assert one.cells[0, 0].tolist() != one.cells[-1, 0].tolist(), 'the cell was relaxed, too'
    # the last cell is computed once more, with plane waves of its own
    forces = trajectory.get_array('forces')[[*range(n - 1), -1]]
    np.testing.assert_allclose(one.forces[one.known_forces], forces[:, ~np.array(FIXED)].ravel())
    # pw.x gives pressures, in GPa
    pressure = np.trace(trajectory.get_array('stress')[0]) / 3 / GPA_PER_EV_PER_CUBIC_ANGSTROM
    assert np.trace(one.stresses[0]) / 3 == pytest.approx(-pressure, rel=1e-6)
