"""The notebooks of the documentation run, and are stored as they ran."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / 'docs' / 'notebooks'
NOTEBOOKS = sorted(FOLDER.glob('*.ipynb'))


@pytest.fixture(scope='module')
def profile(tmp_path_factory):
    """Return a folder with the profile of a small demo, and the environment that finds it."""
    folder = tmp_path_factory.mktemp('notebooks')
    commands = Path(sys.executable).parent
    environment = {
        'AIIDA_PATH': str(folder),
        'PATH': f'{commands}{os.pathsep}{os.environ["PATH"]}',
    }
    words = ['-m', 'aiida_enne', 'demo', '--protocol', 'test', '--output', str(folder)]
    subprocess.run([sys.executable, *words], check=True, env=os.environ | environment, timeout=900)
    return folder, environment


def test_there_are_two_notebooks():
    assert [path.stem for path in NOTEBOOKS] == ['own-data', 'study-figures']


@pytest.mark.slow
@pytest.mark.nequip
@pytest.mark.lammps
@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, profile, monkeypatch):
    folder, environment = profile
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
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
    assert sum('image/png' in output.get('data', {}) for output in outputs) >= 2
    text = ''.join(output.get('text', '') for output in outputs)
    assert str(Path(sys.prefix).parent) not in text
