"""Audit an ensemble of any kind from plain arrays: no database, no jobs, twenty lines."""

import numpy as np

import aiida_enne

rng = np.random.default_rng(0)
n, atoms, members = 120, 8, 30  # configurations, half of a solid and half of a liquid
counts = np.full(n, atoms)
# an honest ensemble: the reference, the first, is one more potential of the same kind
energies = rng.normal(-40, 0.1, size=n) + rng.normal(0, 0.2, size=(members + 1, n))  # eV
forces = rng.normal(size=(n * atoms, 3)) + rng.normal(0, 0.2, (members + 1, n * atoms, 3))  # eV/Å
energies[1:, : n // 2] += 1.0  # all members err alike in the solid, which σ cannot see
fitted = energies[0] + rng.normal(0, 0.04, size=(members, n))  # of frames that they trained on

found = aiida_enne.audit_arrays(
    energies[1:],
    energies[0],
    counts,
    forces=(forces[1:], forces[0]),
    domains=['solid'] * (n // 2) + ['liquid'] * (n // 2),
    blocks=np.arange(n) // 3,  # frames close in time are not independent
    trained=(fitted, energies[0], counts),
    training_domains=['liquid'],
)
print(aiida_enne.as_table(found))
for finding in aiida_enne.findings(found.domains, found.parameters):
    print('-', finding.text)
aiida_enne.save_figures(found, 'figures')
