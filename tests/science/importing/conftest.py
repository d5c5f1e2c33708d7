"""Files that a test writes, and one way to read them."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_enne.codes.aims.frames import FORMAT, read_frames
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.gather import import_files


@pytest.fixture
def make_frames():
    """Return a function that makes n labelled silicon cells: `frames = make(n, seed)`."""

    def make(n=4, seed=0):
        rng, frames = np.random.default_rng(seed), []
        for index in range(n):
            atoms = bulk('Si', cubic=True)
            atoms.rattle(0.1, seed=1000 * seed + index)
            atoms.calc = SinglePointCalculator(
                atoms, energy=rng.normal(-40), forces=rng.normal(size=(8, 3))
            )
            frames.append(atoms)
        return frames

    return make


@pytest.fixture
def read():
    """Return a function that imports files: `configurations = read(path, ..., **choices)`."""

    def run(*paths, **choices):
        readers = {FORMAT: read_frames}
        return import_files(paths, ImportChoices(**choices), readers=readers).configurations

    return run
