"""Tests of `aiida-enne demo` as a user runs it: in a folder, from nothing."""

import os
import subprocess
import sys

import pytest


@pytest.fixture
def run(tmp_path):
    """Return a function that runs a module with an AiiDA folder and a home of its own."""

    def run(*words, path='own', expected=0):
        done = subprocess.run(
            [sys.executable, '-m', *words],
            env=os.environ | {'AIIDA_PATH': str(tmp_path / path), 'HOME': str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == expected, done.stdout + done.stderr
        return done.stdout

    return run


def test_a_dry_run_leaves_the_users_folder_alone(run, tmp_path):
    assert 'StudyWorkChain' in run('aiida_enne', 'demo', '--dry-run', '-o', str(tmp_path / 'demo'))
    assert not (tmp_path / 'own').exists()
    assert not (tmp_path / '.aiida').exists()
    # whoever looks around in the profile afterwards sees something
    assert 'enne-demo' in run('aiida', 'profile', 'list', path='demo')
    assert 'python@localhost' in run('aiida', 'code', 'list', path='demo')


@pytest.mark.nequip
@pytest.mark.slow
def test_it_ends_with_a_page_and_with_verdicts(run, tmp_path):
    told = run('aiida_enne', 'demo', '--protocol', 'test', '-o', str(tmp_path / 'demo'))
    assert (tmp_path / 'demo' / 'report' / 'report.html').is_file()
    # two members after three epochs confirm nothing
    assert 'Nothing below is a verdict on σ' in told
    assert 'Verdict on σ (energy): cannot say: ' in told
    assert f'`export AIIDA_PATH={tmp_path / "demo"}`; then `aiida-enne verdict`' in told
    run('aiida_enne', 'verdict', path='demo', expected=3)
