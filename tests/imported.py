"""Frames that are imported, faults of them, and how many nodes there are."""

import numpy as np
import pytest
from aiida import orm
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator


def count_nodes():
    """Return how many nodes the profile has."""
    return orm.QueryBuilder().append(orm.Node).count()


@pytest.fixture
def frames():
    """Four labelled silicon cells."""
    frames = []
    for seed in range(4):
        atoms = bulk('Si', cubic=True)
        atoms.rattle(0.1, seed=seed)
        forces = np.random.default_rng(seed).normal(scale=0.3, size=(8, 3))
        atoms.calc = SinglePointCalculator(atoms, energy=-40.0 - seed, forces=forces)
        atoms.info['T'] = 300 * (1 + seed // 2)
        frames.append(atoms)
    return frames


def spoil(frames, how):
    """Write one fault into the third of four frames."""
    atoms = frames[2]
    results = dict(atoms.calc.results)
    if how == 'nan energy':
        results['energy'] = np.nan
    elif how == 'infinite force':
        results['forces'] = results['forces'].copy()
        results['forces'][3, 1] = np.inf
    elif how == 'no energy':
        del results['energy']
    elif how == 'no forces':
        del results['forces']
    elif how == 'no cell':
        atoms.cell = np.zeros((3, 3))
    elif how == 'molecule':
        atoms = frames[2] = molecule('Si2H6')
        results = {'energy': -41.0, 'forces': np.ones((8, 3))}
    elif how == 'nan position':
        atoms.positions[5, 0] = np.nan
    elif how == 'duplicate':
        frames[2] = frames[0]
        return
    elif how == 'element':
        atoms.symbols[7] = 'C'
    atoms.calc = SinglePointCalculator(atoms, **results)
