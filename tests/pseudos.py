"""Quantum ESPRESSO as the tests find it: the executable, pseudopotentials, a fast runner."""

import shutil
from pathlib import Path

import pytest
from aiida.manage import get_manager

#: Folders in which distributions put the pseudopotentials of the examples.
FOLDERS = ('/usr/share/espresso/pseudo', '/usr/local/share/espresso/pseudo')
NORM_CONSERVING = 'Si.pbe-rrkj.UPF'
#: A pseudopotential that parses and computes nothing: for tests of inputs.
DUMMY = '<UPF version="2.0.1">\n<PP_HEADER\n element="Si"\n z_valence="4.0"\n/>\n</UPF>\n'


@pytest.fixture(scope='session')
def pseudo_folder():
    """Return a folder with the norm-conserving pseudopotential of silicon, or skip."""
    for folder in map(Path, FOLDERS):
        if (folder / NORM_CONSERVING).is_file():
            return folder
    return pytest.skip(f'no {NORM_CONSERVING} in {" or ".join(FOLDERS)}')


@pytest.fixture(scope='session')
def pw_executable():
    """Return the path of pw.x, or skip."""
    return shutil.which('pw.x') or pytest.skip('Quantum ESPRESSO is not here: no pw.x')


@pytest.fixture
def fast_runner(aiida_profile_clean):
    """Let work chains look for their children every second instead of every minute."""
    manager = get_manager()
    config, profile = manager.get_config(), manager.get_profile()
    config.set_option('runner.poll.interval', 1, scope=profile.name)
    manager.reset_runner()
    yield
    manager.reset_runner()


@pytest.fixture
def dummy_family(tmp_path, aiida_profile_clean):
    """Return a family of a pseudopotential of silicon that no code could use."""
    pseudo = pytest.importorskip('aiida_pseudo.data.pseudo')
    family = pytest.importorskip('aiida_pseudo.groups.family').CutoffsPseudoPotentialFamily
    (tmp_path / 'upf').mkdir()
    (tmp_path / 'upf' / 'Si.dummy.UPF').write_text(DUMMY)
    found = family.create_from_folder(tmp_path / 'upf', 'SIQE', pseudo_type=pseudo.UpfData)
    found.set_cutoffs({'Si': {'cutoff_wfc': 22.0, 'cutoff_rho': 88.0}}, 'standard', unit='Ry')
    return found
