"""A small study on Quantum ESPRESSO, really run: an ensemble held against first principles."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from click.testing import CliRunner

from aiida_enne.cli.main import main
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.science.properties.formation import formation
from aiida_enne.science.structures.lattice import diamond_supercell
from aiida_enne.workflows.audit import AuditWorkChain
from aiida_enne.workflows.reference.engine import load_engine
from aiida_enne.workflows.study.study import StudyWorkChain
from tests import warm
from tests.pseudos import NORM_CONSERVING

pytestmark = [pytest.mark.qe, pytest.mark.slow, pytest.mark.nequip]
pytest_plugins = ['tests.pseudos']


@pytest.fixture
def codes(fast_runner, aiida_computer_local, pw_executable, pseudo_folder):
    """Return pw.x and this Python as codes of one computer, and a family of pseudopotentials."""
    words = ('--label', 'SIQE', '--only', NORM_CONSERVING, '--cutoffs', '22,88')
    made = CliRunner().invoke(main, ['pseudo', 'install', str(pseudo_folder), *words])
    assert made.exit_code == 0, made.output
    computer = aiida_computer_local(label='localhost')
    computer.set_minimum_job_poll_interval(0)
    return {
        label: orm.InstalledCode(
            label=label,
            computer=computer,
            filepath_executable=path,
            prepend_text='export OMP_NUM_THREADS=1',
        ).store()
        for label, path in (('pw', pw_executable), ('python', warm.python()))
    }


def vacancy(lattice_constant):
    """Return the perfect cubic cell and the same less one atom, its neighbours displaced."""
    crystal = diamond_supercell(lattice_constant)
    hole = crystal.copy()
    del hole[0]
    hole.rattle(0.05, seed=1)
    for block, (atoms, domain) in enumerate(((crystal, 'bulk 1³'), (hole, 'vacancy 1³'))):
        atoms.info = {'domain': domain, 'block': block}
    return ConfigurationsData.from_atoms([crystal, hole])


def test_diamond_beta_tin_and_a_vacancy(codes):
    builder = StudyWorkChain.get_builder_from_protocol(
        codes['pw'], 'qe', python=codes['python'], protocol='test'
    )
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    roles = {'liquid', 'training', 'eos_diamond', 'eos_beta_tin'}
    assert set(node.outputs.datasets) == set(node.outputs.statistics) == roles
    levels = {dataset.level_of_theory for dataset in node.outputs.datasets.values()}
    assert len(levels) == 1
    assert levels.pop().startswith('QE PW91 (input_dft)')
    fits = node.outputs.equilibrium.get_dict()
    lattice_constant = (8 * fits['diamond']['volume']) ** (1 / 3)
    # with so few k-points not as near to 5.47 Å and 89 GPa as `test_qe_runs` comes
    assert lattice_constant == pytest.approx(5.47, rel=0.02)
    assert fits['diamond']['bulk_modulus'] == pytest.approx(89, rel=0.25)
    # B' of a metal with so few k-points is no crystal's: such a fit is refused by name
    assert ('refused' in fits['beta_tin']) != (0 < fits['beta_tin'].get('derivative', -1) < 15)
    scan = node.outputs.datasets['eos_beta_tin'].get_configurations()
    energies = scan.energies / scan.n_atoms
    lowest = int(np.argmin(energies))
    assert 0.1 < energies[lowest] - fits['diamond']['energy'] < 0.6
    assert 14 < scan.volumes[lowest] / scan.n_atoms[lowest] < 17

    task = {'kind': 'relax', 'fmax': 0.5, 'max_steps': 8}
    options = {'kpoints_mesh': None, 'kpoints_distance': 0.6}
    relaxed = run_get_node(
        load_engine('qe').get_builder_from_protocol(
            codes['pw'], vacancy(lattice_constant), task, protocol='test', overrides=options
        )
    ).node
    assert relaxed.is_finished_ok, relaxed.exit_message
    audit = run_get_node(
        AuditWorkChain.get_builder_from_protocol(
            codes['python'],
            dict(node.outputs.models),
            {'vacancy': relaxed.outputs.dataset},
            protocol='test',
        )
    ).node
    assert audit.is_finished_ok, audit.exit_message
    frames = relaxed.outputs.dataset.get_configurations()
    energies = np.stack(
        [one.get_arrays()['energies'] for one in audit.outputs.predictions['vacancy'].values()]
    )
    found = formation(frames, energies, 'vacancy 1³')
    # 3.6 eV in large cells; so small a cell is one of vacancies side by side
    assert 1.0 < found.reference[-1] < 6.0
    assert found.reference[-1] <= found.reference[0]
    assert np.isfinite(found.error).all()
    scalars = audit.outputs.statistics['vacancy'].domains['vacancy 1³']
    assert scalars['energy_rmse'] > 0
