"""Audit an ensemble of any kind from plain arrays: no database, no jobs, twenty lines."""

import numpy as np

import aiida_enne

rng = np.random.default_rng(0)
n, atoms = 60, 8  # configurations of a solid and of a liquid, and the atoms of each
configurations = aiida_enne.Configurations(
    n_atoms=np.full(n, atoms),
    numbers=np.full(n * atoms, 14),
    positions=rng.uniform(0, 5, size=(n * atoms, 3)),
    cells=np.tile(5.4 * np.eye(3), (n, 1, 1)),
    pbc=np.ones((n, 3), dtype=bool),
    domains=np.repeat(['solid', 'liquid'], n // 2),
    blocks=np.arange(n) // 3,  # trajectory blocks: frames close in time are not independent
    energies=rng.normal(-40, 0.1, size=n),  # eV
    forces=rng.normal(0, 1, size=(n * atoms, 3)),  # eV/Å
)
energies = configurations.energies + rng.normal(0, 0.05, size=(8, n))  # eight members
forces = configurations.forces + rng.normal(0, 0.1, size=(8, n * atoms, 3))
energies[:, : n // 2] += 0.2  # all members err alike in the solid, which σ cannot see

found = aiida_enne.audit(
    configurations, energies, forces, options=aiida_enne.AuditOptions(training_domains=('liquid',))
)
for finding in aiida_enne.findings(found.domains, found.parameters):
    print('-', finding.text)
