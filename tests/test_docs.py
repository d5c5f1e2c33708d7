"""The documentation has a place for everything that is registered."""

import tomllib
from pathlib import Path

import pytest
from aiida.engine import CalcJob, WorkChain
from aiida.plugins.entry_point import load_entry_point

ROOT = Path(__file__).parent.parent
POINTS = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['entry-points']
PROCESSES = [
    (group, name) for group in ('aiida.calculations', 'aiida.workflows') for name in POINTS[group]
]


@pytest.mark.parametrize(('group', 'name'), PROCESSES)
def test_ports_and_exit_codes_of_every_job_and_work_chain_have_a_place(group, name):
    process = load_entry_point(group, name)
    if isinstance(process, type) and issubclass(process, CalcJob | WorkChain):
        assert f':: {process.__name__}\n' in (ROOT / 'docs' / 'processes.md').read_text()


def test_every_page_is_in_the_contents():
    pages = {
        path.relative_to(ROOT / 'docs').with_suffix('').as_posix()
        for path in (ROOT / 'docs').rglob('*')
        if path.suffix in ('.md', '.ipynb') and '_build' not in path.parts
    }
    listed = set((ROOT / 'docs' / 'index.md').read_text().split())
    assert pages - {'index'} == pages & listed
