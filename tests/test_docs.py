"""The documentation has a place for everything that is registered."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
POINTS = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['entry-points']
DIRECTIVE = re.compile(
    r'^\.\. aiida-(?:workchain|calcjob|process):: (\w+)\n +:module: (\S+)$', re.M
)


def test_the_page_of_processes_has_all_that_are_registered_and_no_other():
    page = (ROOT / 'docs' / 'processes.md').read_text()
    listed = [f'{module}:{name}' for name, module in DIRECTIVE.findall(page)]
    groups = ('aiida.calculations', 'aiida.workflows')
    registered = [place for group in groups for place in POINTS[group].values()]
    assert sorted(listed) == sorted(registered)


def test_every_page_is_in_the_contents():
    pages = {
        path.relative_to(ROOT / 'docs').with_suffix('').as_posix()
        for path in (ROOT / 'docs').rglob('*')
        if path.suffix in ('.md', '.ipynb') and '_build' not in path.parts
    }
    listed = set((ROOT / 'docs' / 'index.md').read_text().split())
    assert pages - {'index'} == pages & listed
