"""Evidence of made-up ensembles: one like the paper's, and one that is honest."""

from dataclasses import replace

import numpy as np
import pytest

from aiida_enne.paper.claims import Evidence, judge
from aiida_enne.science.properties.curves import curves, ground_shift, shift_at_minimum
from aiida_enne.science.properties.eos import fit_curve
from aiida_enne.science.properties.formation import formations
from aiida_enne.science.properties.paths import volume_path
from aiida_enne.science.properties.ranking import rank
from aiida_enne.science.properties.scatter import join, of_energies
from aiida_enne.science.properties.transition import find_transition
from aiida_enne.science.uncertainty.audit import audit
from aiida_enne.science.uncertainty.cross import correlate
from aiida_enne.science.uncertainty.growth import grow
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.science.uncertainty.scans import row
from tests.science import paper

TRAINED = [f'liquid {density:g} g/cm³, 2000 K' for density in paper.DENSITIES]
M = 24


def gather(rng, liquid, scans, cells, correlation):
    """Return the evidence of one ensemble from (configurations, energies) of its datasets."""
    datasets = [liquid, scans, *cells]
    options = AuditOptions(training_domains=TRAINED, n_subsets=2, n_bootstrap=100)
    domains = {}
    for made, energies in datasets:
        forces = np.zeros((M, *made.forces.shape))
        forces += 0.05 * rng.normal(size=made.forces.shape) + 0.02 * rng.normal(size=forces.shape)
        domains |= audit(made, energies, forces, options=options).domains
    found = curves(*scans)
    paths = [one for cell in cells for one in formations(*cell).values()]
    scatter = join([of_energies(*one) for one in datasets])
    shared = rng.normal(size=2000)
    own = [rng.normal(size=(M, 2000)) for _ in range(2)]
    errors = {
        name: np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * one
        for name, one in zip('ab', own, strict=True)
    }
    return Evidence(
        training_domains=TRAINED,
        domains=domains,
        scatter=scatter,
        shift=shift_at_minimum(found['diamond']),
        ranking=rank(found),
        ground=ground_shift(found),
        curve=found['diamond'],
        path=volume_path(found['diamond']),
        formations=paths,
        transition=find_transition(*(fit_curve(found[name]) for name in ('diamond', 'beta-tin'))),
        growth=grow({'liquid': liquid[1], 'diamond': found['diamond'].members}, n_subsets=50),
        cross=correlate(errors, np.zeros(2000, dtype=np.int64)),
        scans=make_scans(rng),
        scatters_by_size={500: scatter, 5000: scatter},
    )


def make_scans(rng, best=(3, 16, 5.0)):
    """Return scans whose least error lies where it is told to."""

    def point(scale, **values):
        errors = scale * rng.normal(size=(4, 3000))
        return row(str(values), values, errors)

    return {
        'grid': [
            point(0.06 + 0.02 * abs(degree - best[0]), l_max=degree, n_train=n)
            for degree in range(4)
            for n in (500, 5000)
        ],
        'densities': [point(0.06 + 0.05 * 4.0**-n, densities=n) for n in range(1, 6)],
        'features': [point(0.06 + 0.001 * abs(n - best[1]), num_features=n) for n in (8, 16, 32)],
        'cutoffs': [point(0.06 + 0.02 * abs(r - best[2]), r_max=r) for r in (4.0, 5.0, 6.0)],
    }


@pytest.fixture(scope='session')
def papers():
    """Return the evidence of an ensemble with the faults that the paper found."""
    rng = np.random.default_rng(1)
    scans, energies = paper.phases(rng, M)
    # σ of cubic diamond that falls as ε rises
    energies = energies + 0.05 * rng.normal(size=(M, 1)) * (1.2 - scans.volumes / 20)
    found = gather(rng, paper.liquids(rng, M, 20), (scans, energies), paper.defects(rng, M), 0.86)
    scatter = reverse(found.scatter)
    return replace(found, scatter=scatter, scatters_by_size={500: scatter, 5000: scatter})


def reverse(scatter):
    """Give the smallest errors of every domain the largest spreads."""
    spread = scatter.spread.copy()
    for name in set(scatter.domain.tolist()):
        own = np.flatnonzero(scatter.domain == name)
        spread[own[np.argsort(-np.abs(scatter.error[own]))]] = np.sort(spread[own])
    scale = (spread / scatter.spread)[:, None]
    errors = scatter.error[:, None] + scale * (scatter.errors - scatter.error[:, None])
    return replace(scatter, spread=spread, errors=errors)


@pytest.fixture(scope='session')
def honest():
    """Return the evidence of an ensemble whose truth is one more member."""
    rng = np.random.default_rng(2)

    def predict(made, per_atom, own):
        """Draw the members, and with them the truth, from one distribution."""
        size = np.exp(rng.normal(0, 0.8, size=len(made)))
        drawn = per_atom * rng.normal(size=(M + 1, 1)) + own * size * rng.normal(
            size=(M + 1, len(made))
        )
        return made.energies + (drawn[1:] - drawn[0]) * made.n_atoms

    liquid, _ = paper.liquids(rng, M, 40)
    scans, _ = paper.phases(rng, M)
    cells = [(made, predict(made, 0.0, 1e-4)) for made, _ in paper.defects(rng, M)]
    return gather(
        rng, (liquid, predict(liquid, 0, 1e-3)), (scans, predict(scans, 0, 1e-3)), cells, 0.1
    )


def outcomes(evidence):
    return {verdict.claim.name: verdict.outcome for verdict in judge(evidence)}
