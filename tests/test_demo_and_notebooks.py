"""`aiida-enne demo` as a user runs it, from nothing, and the notebooks of the documentation."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / 'docs' / 'notebooks'
NOTEBOOKS = sorted(FOLDER.glob('*.ipynb'))


def run(folder, *words, path='.', expected=0):
    """Run a module with an AiiDA folder and a home of its own, and return what it printed."""
    done = subprocess.run(
        [sys.executable, '-m', *words],
        env=os.environ | {'AIIDA_PATH': str(folder / path), 'HOME': str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def demo(tmp_path_factory):
    """Return the folder of a small demo, and what it printed."""
    folder = tmp_path_factory.mktemp('demo')
    words = ('demo', '--protocol', 'test', '-o', str(folder))
    return folder, run(folder, 'aiida_enne', *words, path='own')


def test_a_dry_run_leaves_the_users_folder_alone(tmp_path):
    words = ('demo', '--dry-run', '-o', str(tmp_path / 'demo'))
    assert 'StudyWorkChain' in run(tmp_path, 'aiida_enne', *words, path='own')
    assert not (tmp_path / 'own').exists()
    assert not (tmp_path / '.aiida').exists()
    # whoever looks around in the profile afterwards sees something
    assert 'enne-demo' in run(tmp_path, 'aiida', 'profile', 'list', path='demo')
    assert 'python@localhost' in run(tmp_path, 'aiida', 'code', 'list', path='demo')


@pytest.mark.slow
@pytest.mark.nequip
@pytest.mark.lammps
def test_it_ends_with_a_page_and_with_verdicts(demo):
    folder, told = demo
    assert (folder / 'report' / 'report.html').is_file()
    # two members after three epochs confirm nothing
    assert 'Nothing below is a verdict on σ' in told
    assert 'Verdict on σ (energy): cannot say: ' in told
    assert f'`export AIIDA_PATH={folder}`; then `aiida-enne verdict`' in told
    run(folder, 'aiida_enne', 'verdict', expected=3)


def test_there_are_three_notebooks():
    assert [path.stem for path in NOTEBOOKS] == ['improve', 'own-data', 'study-figures']


@pytest.mark.slow
@pytest.mark.nequip
@pytest.mark.lammps
@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, demo, monkeypatch):
    folder, _ = demo
    monkeypatch.setenv('AIIDA_PATH', str(folder))
    monkeypatch.setenv('PATH', f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}')
    notebook = nbformat.read(path, 4)
    client = NotebookClient(notebook, timeout=900, resources={'metadata': {'path': str(folder)}})
    client.execute()
    errors = [
        output
        for cell in notebook.cells
        for output in cell.get('outputs', [])
        if output.output_type == 'error'
    ]
    assert not errors


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_as_it_ran(path):
    """Every cell of code has run in order, none with an error, and figures are pictures."""
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == 'code']
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == 'error']
    assert any('image/png' in output.get('data', {}) for output in outputs)
    text = ''.join(output.get('text', '') for output in outputs)
    assert str(Path(sys.prefix).parent) not in text
