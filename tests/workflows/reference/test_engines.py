"""The contract, for every engine that is registered, and for real runs of those that are here."""

from importlib.metadata import entry_points

import numpy as np
import pytest
from aiida import orm
from aiida.common.exceptions import EntryPointError
from aiida.engine import run_get_node
from ase.build import bulk
from click.testing import CliRunner

from aiida_enne.cli.main import main
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.science.contracts import ContractError
from aiida_enne.workflows.reference import contract
from aiida_enne.workflows.reference.engine import GROUP, load_engine
from tests import warm

pytest_plugins = ['tests.pseudos', 'tests.pw_recordings']

ENGINES = sorted(point.name for point in entry_points(group=GROUP))
#: Packages that an engine needs beside ours.
NEEDS = {'qe': 'aiida_quantumespresso'}


def silicon():
    """Return two cells of two and of eight atoms, of different domains, out of equilibrium."""
    frames = [bulk('Si'), bulk('Si', cubic=True)]
    for index, atoms in enumerate(frames):
        atoms.rattle(0.05, seed=index)
        atoms.info = {'domain': f'cell {index}', 'block': 5 + index}
    return ConfigurationsData.from_atoms(frames)


@pytest.fixture(params=ENGINES)
def engine(request):
    """Return the name of an engine whose packages are installed."""
    if needed := NEEDS.get(request.param):
        pytest.importorskip(needed)
    return request.param


@pytest.mark.usefixtures('aiida_profile')
def test_ports_exit_codes_and_refusals(engine):
    contract.check_class(engine)


def test_every_engine_of_the_package_is_registered():
    assert {'aims', 'ase', 'qe'} <= set(ENGINES)


def test_an_engine_that_nobody_registers():
    with pytest.raises(EntryPointError, match=r'no engine `vasp`; there are .*ase'):
        load_engine('vasp')


@pytest.mark.lammps
@pytest.mark.parametrize('kind', contract.TASKS)
def test_ase_keeps_the_contract(kind, aiida_profile_clean, aiida_code_installed):
    code = aiida_code_installed(
        label='python', default_calc_job_plugin='enne.ase.run', filepath_executable=warm.python()
    )
    keeps_the_contract('ase', code, kind)


@pytest.mark.qe
@pytest.mark.slow
@pytest.mark.parametrize('kind', contract.TASKS)
def test_qe_keeps_the_contract(kind, qe_code, recording_pw, pseudo_folder):
    gathered_alike(keeps_the_contract('qe', qe_code(recording_pw, pseudo_folder), kind), kind)


@pytest.mark.parametrize('kind', contract.TASKS)
def test_qe_keeps_the_contract_where_its_outputs_are_replayed(
    kind, qe_code, recorded_pw, pseudo_stand_in
):
    gathered_alike(keeps_the_contract('qe', qe_code(recorded_pw, pseudo_stand_in), kind), kind)


def keeps_the_contract(engine, code, kind):
    """Run a small task and check what comes out of it."""
    configurations, task = silicon(), contract.TASKS[kind]
    builder = load_engine(engine).get_builder_from_protocol(
        code, configurations, task, seed=1 if kind == 'md' else None, protocol='test'
    )
    node = run_get_node(builder).node
    contract.check_outputs(node, configurations, task)
    with pytest.raises(ContractError):  # the checks do see when something is wrong
        contract.check_outputs(node, ConfigurationsData.from_atoms([bulk('Si')]), task)
    return node


def gathered_alike(node, kind):
    """Check that `dataset gather` finds what the engine made of its runs of pw.x."""
    expected = node.outputs.dataset.get_configurations()
    bases = [one for one in node.called if one.process_label == 'PwBaseWorkChain']
    words = ['dataset', 'gather', *(str(one.pk) for one in bases), '--label', 'gathered']
    # steps of dynamics that two jobs share are labelled twice, and few steps are no trajectory
    result = CliRunner().invoke(main, [*words, '--allow-implausible', '--allow-duplicates'])
    assert result.exit_code == 0, result.output
    gathered = orm.load_node('gathered')
    assert gathered.level_of_theory == node.outputs.dataset.level_of_theory
    found = gathered.get_configurations()
    if kind == 'md':  # the engine records some steps, here are all
        assert set(np.round(expected.energies, 9)) <= set(np.round(found.energies, 9))
    else:
        order = [np.lexsort((one.energies, one.n_atoms)) for one in (expected, found)]
        for name in ('energies', 'stresses'):
            one, two = (getattr(c, name)[i] for c, i in zip((expected, found), order, strict=True))
            np.testing.assert_allclose(two, one, rtol=0, atol=1e-12)
    runs = [one for base in bases for one in base.called if 'output_trajectory' in one.outputs]
    inputs = {one.uuid for one in gathered.creator.base.links.get_incoming().all_nodes()}
    assert {one.outputs.output_trajectory.uuid for one in runs} <= inputs
