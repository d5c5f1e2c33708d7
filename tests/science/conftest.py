"""An ensemble with known faults: what it shares, what is its own, where it is biased."""

import numpy as np
import pytest

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.uncertainty.alignment import reference_offset
from aiida_enne.science.uncertainty.audit import audit
from aiida_enne.science.uncertainty.options import AuditOptions

#: Name, error that all members share, their own error (eV/Å), bias in eV/atom, volume scan.
DOMAINS = (
    ('liquid 2000 K, 2.57 g/cm3', 0.06, 0.025, 0.0, False),
    ('liquid 2600 K, 2.57 g/cm3', 0.08, 0.035, 0.001, False),
    ('supercooled liquid at 1600 K', 0.05, 0.025, -0.001, False),
    ('cubic diamond', 0.05, 0.02, 0.115, True),
    ('beta-tin (I4_1/amd)', 0.12, 0.03, 0.06, True),
    ('simple hexagonal', 0.15, 0.05, 0.04, True),
    ('face-centred cubic', 0.2, 0.05, 0.09, True),
    ('vacancy in diamond, 3x3x3 conventional cells', 0.18, 0.04, 0.08, False),
    ('Si(100) 2x1 tilted-dimer surface', 0.25, 0.05, 0.15, False),
)
#: Lowest energy (eV/atom) and its volume (Å³/atom) of the volume scans, in their order.
CURVES = ((-5.4, 20.4), (-5.1, 15.3), (-5.08, 15.1), (-4.86, 14.3))


def make_ensemble(n_members=8, per_domain=60, seed=0):
    """Return configurations, energies (M, n) and forces (M, N, 3) of a made-up ensemble."""
    rng = np.random.default_rng(seed)
    n_atoms, blocks, cells, domains, e, f = [], [], [], [], [], []
    e_members, f_members, scan = [], [], iter(CURVES)
    for shift, (name, shared, own, bias, scanned) in enumerate(DOMAINS):
        n = 15 if scanned else per_domain
        atoms = 8 if scanned else 16
        if scanned:
            depth, v0 = next(scan)
            volume = v0 * np.linspace(0.8, 1.25, n)
            energy = depth + 0.9 * (np.log(volume / v0)) ** 2 * 2
            force = np.zeros((n * atoms, 3))
        else:
            volume = np.full(n, 18.0)
            energy = -5.0 + 0.02 * rng.normal(size=n)
            force = rng.normal(size=(n * atoms, 3))
        n_atoms += n * [atoms]
        domains += n * [name]
        blocks.append(100 * shift + np.arange(n) // (1 if scanned else 6))
        cells.append(np.cbrt(volume * atoms)[:, None, None] * np.eye(3))
        scale = np.exp(rng.normal(0, 0.4, size=n))
        common = 0.04 * shared * scale * rng.normal(size=n) + bias
        mine = 0.04 * own * scale * rng.normal(size=(n_members, n))
        zeros = 0.1 * bias * rng.normal(size=(n_members, 1))
        e.append(energy * atoms)
        e_members.append((energy + common + mine + zeros) * atoms)
        f.append(force)
        alive = 0.0 if scanned else np.exp(rng.normal(0, 0.5, size=(n * atoms, 3)))
        together = shared * rng.normal(size=force.shape)
        apart = own * rng.normal(size=(n_members, *force.shape))
        f_members.append(force + alive * (together + apart))
    total = sum(n_atoms)
    configurations = Configurations(
        n_atoms=np.array(n_atoms),
        numbers=np.full(total, 14),
        positions=rng.normal(size=(total, 3)),
        cells=np.concatenate(cells),
        pbc=np.ones((len(n_atoms), 3), dtype=bool),
        domains=np.array(domains),
        blocks=np.concatenate(blocks),
        energies=np.concatenate(e),
        forces=np.concatenate(f),
    )
    return configurations, np.concatenate(e_members, axis=1), np.concatenate(f_members, axis=1)


@pytest.fixture(scope='session')
def ensemble():
    """Configurations, energies and forces of eight members in nine domains."""
    return make_ensemble()


@pytest.fixture(scope='session')
def audited(ensemble):
    """Return the audit of the made-up ensemble, aligned to cubic diamond."""
    configurations, energies, _ = ensemble
    offsets = reference_offset(configurations, energies, 'cubic diamond')
    trained = ('liquid 2000 K, 2.57 g/cm3',)
    options = AuditOptions(training_domains=trained, n_subsets=40, n_bootstrap=200)
    return audit(*ensemble, options=options, offsets=offsets)
