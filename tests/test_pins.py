"""The versions that tests are run with are among those that the package allows."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
ASKED = [
    Requirement(text)
    for group in (PROJECT['dependencies'], *PROJECT['optional-dependencies'].values())
    for text in group
]
PINNED = {
    canonicalize_name(name): pin
    for name, _, pin in (
        line.partition('==') for line in (ROOT / 'constraints.txt').read_text().split()
    )
}


@pytest.mark.parametrize('asked', ASKED, ids=str)
def test_every_dependency_is_pinned_to_a_version_that_it_allows(asked):
    pin = PINNED[canonicalize_name(asked.name)]
    assert asked.specifier.contains(pin), f'constraints.txt has {asked.name}=={pin}'
