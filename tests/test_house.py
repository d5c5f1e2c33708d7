"""Rules of the house that no linter checks: the sizes of files, their first lines, their rooms."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = sorted((ROOT / 'aiida_enne').rglob('*.py'))
MAX_LINES = 300


def test_no_file_is_longer_than_a_reader_can_hold():
    files = [*PACKAGE, *(ROOT / 'tests').rglob('*.py')]
    sizes = {str(path.relative_to(ROOT)): path.read_text().count('\n') for path in files}
    assert {path: size for path, size in sizes.items() if size > MAX_LINES} == {}


@pytest.mark.parametrize('folder', sorted({path.parent for path in PACKAGE}), ids=lambda p: p.name)
def test_files_open_with_one_line_that_says_their_job(folder):
    for path in folder.glob('*.py'):
        said = ast.get_docstring(ast.parse(path.read_text()))
        assert said, path
        assert said.splitlines()[0].endswith(('.', ':', '?')), path


def test_the_rooms_are_named_in_the_order_that_imports_keep():
    settings = tomllib.loads((ROOT / 'pyproject.toml').read_text())['tool']['importlinter']
    layers = next(one['layers'] for one in settings['contracts'] if one['type'] == 'layers')
    layer = {
        room: depth for depth, row in enumerate(layers) for room in re.findall(r'enne\.(\w+)', row)
    }
    text = (ROOT / 'CONTRIBUTING.md').read_text()
    told = re.findall(r'`(\w+)`', text[text.index('The rooms,') : text.index('Scripts in')])
    assert set(told) == set(layer) - {'__main__'}
    depths = [layer[room] for room in told]
    assert depths == sorted(depths, reverse=True)
