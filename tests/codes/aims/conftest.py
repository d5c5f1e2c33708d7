"""Three jobs as a user would submit them, and a species text of our own invention."""

import numpy as np
import pytest
from ase.build import bulk, diamond100

from aiida_enne.codes.aims.keywords import PW91

SPECIES = """\
# An invented species for tests: not a default of FHI-aims, and no basis to compute with.
  species        {element}
    nucleus      {charge}
    mass         {mass}
    l_hartree    4
    cut_pot      3.5 1.5 1.0
    radial_base  40 5.0
    radial_multiplier 1
    angular_grids specified
      division   0.5 50
      outer_grid 302
    valence      3 s 2.
#   hydro        4 f 6.0
"""

COMMON = {
    'xc': PW91,
    'sc_accuracy_rho': 1e-5,
    'sc_accuracy_eev': 1e-3,
    'sc_accuracy_etot': 1e-6,
}


@pytest.fixture(scope='session')
def species_text():
    """Return a function that writes the species text of an element."""

    def write(element='Si', charge=14, mass=28.0855):
        return SPECIES.format(element=element, charge=charge, mass=mass)

    return write


def liquid():
    """64 atoms at 2.57 g/cm³, 2000 K by Bussi, Donadio and Parrinello, steps of 1 fs."""
    atoms = bulk('Si', a=10.511371 / 2, cubic=True).repeat(2)
    atoms.rattle(0.05, seed=1)
    velocities = np.random.default_rng(2).normal(scale=7.7, size=(64, 3))
    settings = COMMON | {
        'k_grid': [2, 2, 2],
        'charge_mix_param': 0.2,
        'md': {
            'ensemble': 'NVT_parrinello',
            'time': 5.0,
            'time_step': 0.001,
            'temperature': 2000.0,
            'parameter': 0.05,
            'seed': 1,
        },
        'walltime': 86000,
    }
    return settings, atoms, {'velocities': velocities - velocities.mean(axis=0)}


def vacancy():
    """63 atoms relax in a cell that keeps its shape."""
    atoms = bulk('Si', a=5.4708, cubic=True).repeat(2)
    del atoms[0]
    settings = COMMON | {
        'k_grid': [3, 3, 3],
        'sc_accuracy_forces': 1e-4,
        'compute_analytical_stress': True,
        'relaxation': {'method': 'trm', 'max_force': 0.005, 'max_steps': 100},
        'walltime': 86000,
    }
    return settings, atoms, {}


def slab():
    """Ten layers of Si(100) 2×1 with 15 Å of vacuum; the four in the middle stay."""
    atoms = diamond100('Si', (2, 1, 10), a=5.4708, vacuum=7.5)
    layers = np.unique(atoms.positions[:, 2].round(6))
    inner = (atoms.positions[:, 2] > layers[2] + 0.1) & (atoms.positions[:, 2] < layers[7] - 0.1)
    settings = COMMON | {
        'k_grid': [4, 7, 1],
        'mixer': 'pulay',
        'n_max_pulay': 8,
        'charge_mix_param': 0.05,
        'relaxation': {'max_force': 0.01},
    }
    return settings, atoms, {'fixed': inner}


@pytest.fixture(params=[liquid, vacancy, slab], ids=lambda job: job.__name__)
def job(request):
    """Return name, settings, atoms and what else belongs into the geometry of one job."""
    return request.param.__name__, *request.param()
