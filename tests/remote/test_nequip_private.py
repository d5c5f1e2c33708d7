"""NequIP's private API is used in one file only, and with the version that it was proven with."""

import ast
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import aiida_enne
from aiida_enne.remote import import_script

PACKAGE = Path(aiida_enne.__file__).parent
FILES = sorted(
    set((PACKAGE / 'remote').rglob('*.py')) - {PACKAGE / 'remote/nequip/nequip_private.py'}
)
#: What NequIP's documentation imports from.
PUBLIC = {'nequip.data', 'nequip.model', 'nequip.nn', 'nequip.train', 'nequip.integrations.ase'}


@pytest.fixture(scope='module')
def private():
    return import_script('nequip_private')


def test_the_installed_version_is_the_one_that_was_proven(private):
    installed = version('nequip')
    assert installed.startswith(f'{private.PROVEN}.'), (
        f'nequip {installed} is installed, but nequip_private.py was proven with {private.PROVEN} '
        'only: run all tests with the new version, then name it in PROVEN'
    )


def test_no_other_version_can_be_installed(private):
    text = (PACKAGE.parent / 'pyproject.toml').read_text()
    major, minor = map(int, private.PROVEN.split('.'))
    expected = f'nequip>={major}.{minor},<{major}.{minor + 1}'
    assert expected in tomllib.loads(text)['project']['dependencies']


@pytest.mark.nequip
def test_every_name_is_where_it_is_said_to_be(private):
    for name in private.NAMES:
        assert getattr(private, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        private.nothing  # noqa: B018


def test_every_other_script_imports_what_is_public():
    found = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [node.module or ''] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            found += [
                f'{path.name}: {module}'
                for module in modules
                if module.split('.')[0] == 'nequip' and module not in PUBLIC
            ]
    assert not found


def test_every_list_of_scripts_that_needs_it_has_it():
    from aiida_enne.codes.ase.job import ENSEMBLE_SCRIPTS
    from aiida_enne.families.nequip import prediction, training

    for names in (training.SCRIPTS, prediction.SCRIPTS, ENSEMBLE_SCRIPTS):
        assert 'nequip_private.py' in names
