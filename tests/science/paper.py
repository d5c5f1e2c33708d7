"""Made-up data in the domains of the paper, with known answers."""

from dataclasses import replace

import numpy as np
from ase import Atoms

from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.properties.equations import EQUATIONS
from aiida_enne.science.structures.domains import Domain

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
    domains = len(path) * [own + domain] + [Domain('bulk', 'bulk', repeats).label]
    return label(frames, domains, energies, step=[*range(len(path)), 0])


#: Densities (g/cm³) at 2000 K and temperatures (K) at 2.57 g/cm³ of the made-up liquids.
DENSITIES, TEMPERATURES = (1.89, 2.57, 3.36), (1600.0, 2400.0)

#: What the mean is off in each phase (eV/atom) and how that changes with volume (eV/Å³).
BIASES = {
    'diamond': (0.115, 0.012),
    'hexagonal-diamond': (0.102, 0.012),
    'beta-tin': (0.10, -0.004),
    'bcc': (0.06, 0.01),
    'hcp': (0.09, 0.01),
    'fcc': (0.03, 0.02),
}


def liquids(rng, n_members, n=60, n_atoms=16):
    """Return liquid frames and energies of members that are accurate and nearly honest there."""
    kinds = [(density, 2000.0) for density in DENSITIES] + [(2.57, t) for t in TEMPERATURES]
    frames, domains = [], []
    for density, temperature in kinds:
        edge = np.cbrt(n_atoms * 28.0855 / 0.602214 / density)
        # a lattice that is shaken so much that little of it is left
        grid = np.stack(np.meshgrid(*3 * [np.arange(3)], indexing='ij'), -1).reshape(-1, 3)[
            :n_atoms
        ]
        for _ in range(n):
            places = (grid + 0.35 * rng.normal(size=grid.shape)) / 3
            frames.append(
                Atoms(['Si'] * n_atoms, scaled_positions=places % 1, cell=3 * [edge], pbc=1)
            )
        domains += n * [f'liquid {density:g} g/cm³, {temperature:g} K']
    made = label(frames, domains, n_atoms * (-4.9 + 0.03 * rng.normal(size=len(frames))))
    size = 0.0012 * np.exp(0.25 * rng.normal(size=len(frames)))
    error = 1.5 * size * rng.normal(size=len(frames)) + size * rng.normal(
        size=(n_members, len(size))
    )
    return made, made.energies + n_atoms * error


def phases(rng, n_members, n=11):
    """Return scans of the phases and energies of members that are off far more than they say."""
    volumes, energies, errors, domains = [], [], [], []
    own = rng.normal(size=(n_members, 1))
    for name, (energy, v0, modulus) in PHASES.items():
        scan = v0 * np.linspace(0.75, 1.15, n)
        volumes += scan.tolist()
        energies += EQUATIONS['birch-murnaghan'][0](scan, v0, energy, modulus, 4.2).tolist()
        bias, slope = BIASES[name]
        strain = scan - v0
        curve = bias + slope * strain + (0.02 + 0.002 * strain) * own
        errors.append(curve + 0.008 * rng.normal(size=(n_members, 1)) + 0.02 * slope * strain**2)
        domains += n * [name]
    frames = [
        Atoms(['Si'], positions=[[0, 0, 0]], cell=3 * [np.cbrt(v)], pbc=True) for v in volumes
    ]
    made = label(frames, domains, energies)
    return made, made.energies + np.hstack(errors)


def defects(rng, n_members, sizes=(2, 3), n=14):
    """Return relaxations of defects and slabs, and members that are off by a bias of their own."""
    parts, errors = [], []
    for repeats in sizes:
        n_crystal = 8 * repeats**3
        for name, extra, energy, bias in (('vacancy', -1, 3.6, -1.0), ('hexagonal', 1, 3.8, 0.9)):
            path = energy + 0.8 * np.exp(-np.arange(n) / 3)
            parts.append(
                relaxation(f'{name} {repeats}³', n_crystal + extra, n_crystal, path, repeats)
            )
            parts[-1] = parts[-1].select(np.arange(n + 1))
            errors.append(np.append(np.full(n, bias), 0.0))
    for layers in (6, 10):
        path = 4 * (1.4 + 0.2 * np.exp(-np.arange(n) / 4))
        parts.append(relaxation(f'Si(100) tilted, {layers} layers', 2 * layers, 8, path))
        errors.append(np.append(np.full(n, -2.0), 0.0))
    datasets = []
    for made, bias in zip(parts, errors, strict=True):
        extra = 0.115 * made.n_atoms + bias * (1 + 0.35 * rng.normal(size=(n_members, 1)))
        common = 0.02 * rng.normal(size=(n_members, 1)) * made.n_atoms
        datasets.append((made, made.energies + extra + common))
    return datasets
