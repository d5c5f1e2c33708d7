"""The level of every claim: what is not so is said in 5 % of cases at most, seen many times."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from scipy import stats

from aiida_enne.paper.claims import Evidence
from aiida_enne.paper.claims.judge import JUDGES
from aiida_enne.paper.claims.properties import INDEPENDENT, SMALL, TOLERABLE
from aiida_enne.paper.claims.spread import ALL
from aiida_enne.paper.claims.spread import TOLERABLE as TOLERABLE_SPREAD
from aiida_enne.paper.claims.training import CONVERGED, FLAT, STRONG
from aiida_enne.science.properties.formation import Formation
from aiida_enne.science.properties.scatter import PER_ATOM, Scatter
from aiida_enne.science.properties.transition import Transition
from aiida_enne.science.structures.domains import parse
from aiida_enne.science.uncertainty.cross import correlate
from aiida_enne.science.uncertainty.exchange import LEVEL
from aiida_enne.science.uncertainty.growth import grow
from aiida_enne.science.uncertainty.scans import row
from aiida_enne.science.uncertainty.scores.bootstrap import block_intervals, mean_interval

#: The least number of members whose exact test reaches the level, and one that shows growth.
M, MANY = 19, 20
LIQUIDS = {f'liquid 2.57 g/cm³, {t} K': t for t in (1600, 2000)}


def draw_potentials(rng, n, own=0.5):
    """Return errors of M members and of the truth, all alike: an offset of each, and noise."""
    return rng.normal(size=(M + 1, 1)) + own * rng.normal(size=(M + 1, n))


def path(rng, domain, symbol, potentials, n_atoms=64):
    """Return a path whose truth is the first of M + 1 potentials."""
    steps = np.arange(potentials.shape[1])
    return Formation(
        domain, parse(domain), symbol, 'eV', steps, potentials[0], potentials[1:], 0.0 * steps,
        n_atoms, None, 0,
    )  # fmt: skip


def honest_paths(rng, names, symbol):
    """Return the evidence of paths of an honest ensemble."""
    paths = [path(rng, name, symbol, draw_potentials(rng, 6)) for name in names]
    return Evidence(formations=paths, is_published=False)


def growing_cells(rng, change):
    """Return defects whose ε changes with the cell by so much in the mean of all members."""
    parts = []
    for repeats, extra in ((2, 0.0), (3, change)):
        errors = draw_potentials(rng, 1, own=0.1)
        errors[0] = 0.0
        # σ of the larger cell is far below what counts as little
        errors[1:] = extra + 0.02 * rng.normal(size=(M, 1))
        parts.append(path(rng, f'vacancy {repeats}³', 'E_f', errors, 8 * repeats**3 - 1))
    return Evidence(formations=parts)


def pressures(rng, apart=None):
    """Return an honest transition, or one `apart` σ from the mean of all members."""
    drawn = rng.normal(size=M + 1)
    reference = drawn[0] if apart is None else apart
    nan = np.full(M, np.nan)
    found = Transition('a', 'b', 'vinet', reference + 10, None, drawn[1:] + 10, {}, nan, nan)
    return Evidence(transition=found)


def points(domains, errors, spread=None):
    """Return energies per atom of domains from the errors of members, shape (n, M)."""
    names = np.array(domains)
    families = np.array([parse(name).family for name in domains])
    units, marked = np.full(len(names), PER_ATOM), np.zeros(len(names), dtype=bool)
    mean, own = errors.mean(axis=1), errors.std(axis=1)
    spread = own if spread is None else spread
    return Scatter(spread, mean, names, families, units, marked, errors.shape[1], 0, errors=errors)


def honest_sizes(rng):
    """Return an honest ensemble at two numbers of training frames."""
    found = {}
    for size in (500, 5000):
        drawn = np.exp(0.5 * rng.normal(size=20)) * draw_potentials(rng, 20, own=1.0)
        found[size] = points(['diamond'] * 20, (drawn[1:] - drawn[0]).T)
    return Evidence(scatters_by_size=found, is_published=False)


def common_errors(rng, correlation, ensembles, n=200):
    """Return members with so large a correlation of all errors, of each other and the next."""
    shared = np.sqrt(correlation) * rng.normal(size=n)
    own = np.sqrt(1 - correlation)
    members = 12 if ensembles == 1 else 4
    errors = {str(k): shared + own * rng.normal(size=(members, n)) for k in range(ensembles)}
    return Evidence(cross=correlate(errors), is_published=False)


def independent_members(rng):
    """Return σ over the number of independent members, of one energy."""
    return Evidence(growth=grow({'vacancy': rng.normal(size=(MANY, 1))}, n_subsets=20))


def heated_forces(rng, ratio):
    """Return force errors of two temperatures with so large a ratio."""
    found, block = {}, np.repeat(np.arange(8), 20)
    for name, scale in zip(LIQUIDS, (1.0, ratio), strict=True):
        error = scale * rng.normal(size=len(block))
        intervals = block_intervals(error, np.abs(error), block, n_bootstrap=100, seed=0)
        low, high = intervals['rmse']
        rmse = float(np.sqrt(np.mean(error**2)))
        found[name] = {'force_rmse': rmse, 'force_rmse_low': low, 'force_rmse_high': high}
    return Evidence(domains=found)


def forces_at_the_limit(rng):
    """Return force errors whose MAE over all frames is what is tolerable."""
    block = np.repeat(np.arange(10), 20)
    error = TOLERABLE * np.sqrt(np.pi / 2) * np.abs(rng.normal(size=len(block)))
    low, high = mean_interval(error, block, 100, 0, 0.95)
    scalars = {'force_mae': error.mean(), 'force_mae_low': low, 'force_mae_high': high}
    domains = {'melt': scalars | {'n_force_components': len(block)}}
    return Evidence(training_domains=['melt'], domains=domains, is_published=False)


def energies_at_the_limit(rng):
    """Return σ of training frames whose 99 % quantile is what is tolerable."""
    return trained_and_solid(rng, TOLERABLE_SPREAD / 1000 / stats.expon.ppf(0.99))


def trained_and_solid(rng, scale=1.0, flagged=ALL, beyond=1.001, error=1.001, n=1000):
    """Return σ and |ε| of training frames, exponential both, and a hundred solids.

    The share `flagged` of these has σ of `beyond` times the true 99 % quantile, the rest half of
    it; all have |ε| of `error` times that quantile.
    """
    edge, above = scale * stats.expon.ppf(0.99), np.arange(100) < 100 * flagged
    wrong = np.append(scale * rng.exponential(size=n), np.full(100, edge * error))
    spread = np.append(scale * rng.exponential(size=n), edge * np.where(above, beyond, 0.5))
    names = ['melt'] * n + ['diamond'] * 100
    scatter = points(names, np.repeat(wrong[:, None], 2, axis=1), spread)
    return Evidence(training_domains=['melt'], scatter=scatter, is_published=False)


def scan(rng, kind, name, *scales, seeds=5):
    """Return the force MAE of so many seeds at each value: as large as the scale in the mean."""
    values = {'features': (8, 16, 32), 'cutoffs': (4.0, 5.0, 6.0)}.get(kind, range(len(scales)))
    rows = []
    for value, scale in zip(values, scales, strict=True):
        maes = scale * np.exp(0.02 * rng.normal(size=seeds))
        rows.append(row(str(value), {name: value}, maes[:, None]))
    return Evidence(scans={kind: rows})


@dataclass(frozen=True)
class Case:
    """What a claim must seldom be said to be."""

    claim: str
    said: bool
    make: Callable[[np.random.Generator], Evidence]
    repeats: int = 300


EQUAL = (1.0, 1.0, 1.0)
CASES = [
    Case(
        'defects', True, partial(honest_paths, names=['vacancy 2³', 'hexagonal 2³'], symbol='E_f')
    ),
    *(
        Case('surface', said, partial(honest_paths, names=['Si(100) tilted, 8 layers'], symbol='γ'))
        for said in (True, False)
    ),
    Case('cells', True, partial(growing_cells, change=SMALL)),
    Case('cells', False, partial(growing_cells, change=0.0)),
    Case('transition', True, partial(pressures, apart=1.0)),
    Case('transition', False, pressures),
    *(Case('sizes', said, honest_sizes, repeats=100) for said in (True, False)),
    *(
        Case(name, said, partial(common_errors, correlation=STRONG, ensembles=ensembles))
        for name, ensembles in (('within', 1), ('across', 3))
        for said in (True, False)
    ),
    Case('growth', True, independent_members, repeats=100),
    Case('temperature', True, partial(heated_forces, ratio=INDEPENDENT)),
    Case('temperature', False, partial(heated_forces, ratio=1.0)),
    *(Case('accuracy', said, forces_at_the_limit) for said in (True, False)),
    *(Case('liquid', said, energies_at_the_limit) for said in (True, False)),
    Case('flags', True, trained_and_solid),
    Case('flags', False, partial(trained_and_solid, flagged=1.0)),
    Case('accurate', True, partial(trained_and_solid, beyond=10.0)),
    Case('accurate', False, partial(trained_and_solid, beyond=10.0, error=0.999)),
    *(
        Case(claim, said, lambda rng, kind=kind, name=name: scan(rng, kind, name, *EQUAL))
        for claim, kind, name in (
            ('degree', 'grid', 'l_max'),
            ('features', 'features', 'num_features'),
            ('cutoff', 'cutoffs', 'r_max'),
        )
        for said in (True, False)
    ),
    Case('flat', True, lambda rng: scan(rng, 'grid', 'n_train', 1 + FLAT, 1.0)),
    Case('flat', False, lambda rng: scan(rng, 'grid', 'n_train', *EQUAL)),
    Case('densities', True, lambda rng: scan(rng, 'densities', 'densities', 1.0, 1 + CONVERGED)),
    Case('densities', False, lambda rng: scan(rng, 'densities', 'densities', *EQUAL)),
]


@pytest.mark.parametrize('case', CASES, ids=lambda case: f'{case.claim}-{case.said}')
def test_what_is_not_so_is_said_no_more_often_than_the_level(case):
    rng = np.random.default_rng(0)
    found = [JUDGES[case.claim](case.make(rng)) for _ in range(case.repeats)]
    said = sum(one.holds is case.said for one in found)
    assert said <= stats.binom.ppf(0.999, case.repeats, LEVEL)


def test_every_claim_has_its_level_seen():
    """The other eight are of curves, see `test_claims`."""
    curves = {'path', 'interval', 'shift', 'ratio', 'overconfident', 'related', 'scale', 'order'}
    assert {case.claim for case in CASES} | curves == set(JUDGES)
