"""Made-up data in the domains of the paper, with known answers."""

from dataclasses import replace

import numpy as np
from ase import Atoms

from aiida_enne.science.domains import bulk_domain
from aiida_enne.science.frames import from_atoms

#: Energies per atom (eV), equilibrium volumes (Å³/atom), bulk moduli (eV/Å³): those of the PBE
#: of today's textbooks, roughly; only their order matters here.
PHASES = {
    'diamond': (-5.425, 20.45, 0.55),
    'hexagonal-diamond': (-5.415, 20.45, 0.55),
    'beta-tin': (-5.135, 15.3, 0.68),
    'bcc': (-4.9, 14.7, 0.6),
    'hcp': (-4.93, 14.3, 0.55),
    'fcc': (-4.88, 14.35, 0.52),
}


def label(frames, domains, energies, **info):
    """Return labelled configurations, each a block of its own."""
    made = from_atoms(frames, domains=domains, blocks=range(len(frames)))
    return replace(
        made,
        energies=np.asarray(energies, dtype=np.float64),
        forces=np.zeros((len(made.numbers), 3)),
        info={name: np.asarray(value, dtype=np.float64) for name, value in info.items()},
    )


def crystal(n_atoms, symbol='Si', edge=5.0):
    """Return a cube of atoms at arbitrary places: only their number counts."""
    positions = np.linspace(0, 1, n_atoms, endpoint=False)[:, None] * np.ones(3)
    return Atoms([symbol] * n_atoms, scaled_positions=positions, cell=3 * [edge], pbc=True)


def relaxation(domain, n_atoms, n_crystal, path, repeats=None, bulk=-4.0, own=''):
    """Return a path of given energies above n e_bulk (eV), and the perfect crystal."""
    frames = [crystal(n_atoms) for _ in path] + [crystal(n_crystal)]
    energies = [n_atoms * bulk + extra for extra in path] + [n_crystal * bulk]
    domains = len(path) * [own + domain] + [bulk_domain(repeats)]
    return label(frames, domains, energies, step=[*range(len(path)), 0])
