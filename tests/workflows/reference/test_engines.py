"""The contract, for every engine that is registered, and for real runs of those that are here."""

import sys
from importlib.metadata import entry_points

import pytest
from aiida.common.exceptions import EntryPointError
from aiida.engine import run_get_node
from ase.build import bulk
from click.testing import CliRunner

from aiida_enne.cli.main import main
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.workflows.reference import contract
from aiida_enne.workflows.reference.engine import GROUP, load_engine
from tests.pseudos import NORM_CONSERVING

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
        label='python', default_calc_job_plugin='enne.ase.run', filepath_executable=sys.executable
    )
    keeps_the_contract('ase', code, kind)


@pytest.mark.qe
@pytest.mark.slow
@pytest.mark.parametrize('kind', contract.TASKS)
def test_qe_keeps_the_contract(kind, qe_code, recording_pw, pseudo_folder):
    keeps_the_contract('qe', qe_code(recording_pw, pseudo_folder), kind)


@pytest.mark.parametrize('kind', contract.TASKS)
def test_qe_keeps_the_contract_where_its_outputs_are_replayed(
    kind, qe_code, recorded_pw, pseudo_stand_in
):
    keeps_the_contract('qe', qe_code(recorded_pw, pseudo_stand_in), kind)


@pytest.fixture
def qe_code(fast_runner, aiida_code_installed):
    """Return a function that installs a pseudopotential and a code: `qe_code(pw, folder)`."""
    pytest.importorskip('aiida_quantumespresso')

    def install(executable, folder):
        words = ('--label', 'SIQE', '--only', NORM_CONSERVING, '--cutoffs', '22,88')
        made = CliRunner().invoke(main, ['pseudo', 'install', str(folder), *words])
        assert made.exit_code == 0, made.output
        return aiida_code_installed(
            label='pw',
            default_calc_job_plugin='quantumespresso.pw',
            filepath_executable=executable,
            prepend_text='export OMP_NUM_THREADS=1',
        )

    return install


def keeps_the_contract(engine, code, kind):
    """Run a small task and check what comes out of it."""
    configurations, task = silicon(), contract.TASKS[kind]
    builder = load_engine(engine).get_builder_from_protocol(
        code, configurations, task, seed=1 if kind == 'md' else None, protocol='test'
    )
    node = run_get_node(builder).node
    contract.check_outputs(node, configurations, task)
    with pytest.raises(contract.ContractError):  # the checks do see when something is wrong
        contract.check_outputs(node, ConfigurationsData.from_atoms([bulk('Si')]), task)
