"""What verdicts are made of: numbers, rules, and the evidence that there is."""

import re
from dataclasses import replace

import numpy as np
import pytest

from aiida_enne.paper.claims import Evidence, judge
from aiida_enne.science.uncertainty.growth import grow
from tests.claimed import TRAINED, make_scans, outcomes

pytest_plugins = ['tests.claimed']


def test_sentences_have_numbers_and_rules(papers, honest):
    for evidence in (papers, honest):
        for verdict in judge(evidence):
            assert verdict.sentence.endswith('.')
            assert re.search(r'\d', verdict.sentence)
            assert not re.search(r'\bnan\b|None|\binf\b', verdict.sentence)
            assert verdict.threshold
            assert verdict.value is None or np.isfinite(verdict.value)


def test_values_are_those_of_the_evidence(papers):
    found = {verdict.claim.name: verdict for verdict in judge(papers)}
    assert found['shift'].value == papers.ground.mean
    assert found['shift'].uncertainty == papers.ground.spread
    assert (
        'hexagonal-diamond of the ensemble and diamond of the reference' in found['shift'].sentence
    )
    assert f'off by {1000 * papers.shift.mean:.0f} meV/atom' in found['shift'].sentence
    assert found['transition'].value == papers.transition.mean
    assert found['within'].value == pytest.approx(0.86, abs=0.02)
    slab = next(f for f in papers.formations if f.domain == 'Si(100) tilted, 10 layers')
    assert found['surface'].value == slab.error[-1]
    assert found['path'].value == papers.path.rank_correlation
    trained = np.isin(papers.scatter.domain, TRAINED)
    own = papers.scatter.spread[trained]
    assert found['liquid'].value == pytest.approx(1000 * np.quantile(own, 0.99))
    assert f'{1000 * own.max():.3g} meV/atom' in found['liquid'].sentence
    ratio = np.abs(papers.scatter.error) / papers.scatter.spread
    assert found['ratio'].value == pytest.approx(ratio[papers.scatter.families == 'phase'].max())


def scale_errors(scatter, factors):
    """Return points whose ε is larger by a factor, with the σ that they have."""
    shift = (factors - 1) * scatter.error
    return replace(scatter, error=scatter.error + shift, errors=scatter.errors + shift[:, None])


def test_a_factor_from_the_domains_trained_on_is_judged_elsewhere_only(honest):
    scatter = honest.scatter
    trained = np.isin(scatter.domain, TRAINED)
    moved = scale_errors(scatter, np.where(trained, 1, 6))
    assert outcomes(replace(honest, scatter=moved))['scale'] == 'holds'
    everywhere = scale_errors(scatter, np.full(len(scatter), 6))
    assert outcomes(replace(honest, scatter=everywhere))['scale'] != 'holds'
    only = replace(honest, scatter=scatter.of(['phase']))
    assert outcomes(only)['scale'] == 'undecided'


def test_flagged_accurate_solids_are_counted(honest):
    scatter = honest.scatter
    solid = scatter.families == 'phase'
    doubtful = replace(scatter, spread=np.where(solid, 1.0, scatter.spread)).of(['liquid', 'phase'])
    found = {v.claim.name: v for v in judge(replace(honest, scatter=doubtful))}
    assert (found['flags'].outcome, found['flags'].value) == ('holds', 100)
    assert found['accurate'].outcome == 'holds'
    worst = np.abs(scatter.error[np.isin(scatter.domain, TRAINED)]).max()
    share = np.mean(np.abs(scatter.error[solid]) <= worst)
    assert found['accurate'].value == pytest.approx(share)


def test_scans_are_judged_by_their_seeds(papers):
    scans = make_scans(np.random.default_rng(0), best=(1, 32, 6.0))
    found = outcomes(replace(papers, scans=scans))
    assert [found[name] for name in ('degree', 'features', 'cutoff')] == 3 * ['does not hold']
    other = scans | {'features': [one for one in scans['features'] if '16' not in one.label]}
    assert outcomes(replace(papers, scans=other))['features'] == 'undecided'


def test_few_members_say_nothing_of_growth():
    few = grow({'liquid': np.random.default_rng(0).normal(size=(6, 50))}, n_subsets=20)
    (verdict,) = [v for v in judge(Evidence(growth=few)) if v.claim.name == 'growth']
    assert verdict.outcome == 'undecided'
    assert 'σ(6)/σ(4)' in verdict.sentence


def test_own_geometries_without_reference_judge_nothing(papers):
    bare = [replace(f, reference=np.full(len(f.steps), np.nan)) for f in papers.formations]
    found = outcomes(replace(papers, formations=bare))
    assert [found[name] for name in ('defects', 'surface', 'cells')] == 3 * ['undecided']


def test_own_zeros_are_judged_beside_the_raw_ones_and_must_agree(honest):
    offset = replace(
        honest.scatter, error=honest.scatter.error + 0.1, errors=honest.scatter.errors + 0.1
    )
    alone = {v.claim.name: v for v in judge(replace(honest, scatter=offset))}
    both = {v.claim.name: v for v in judge(replace(honest, scatter=offset, aligned=honest.scatter))}
    assert alone['ratio'].outcome == 'holds'
    assert both['ratio'].outcome == 'undecided'
    raw, own = both['ratio'].sentence.split(' With own zeros: ')
    assert raw == alone['ratio'].sentence
    assert own == {v.claim.name: v for v in judge(honest)}['ratio'].sentence
    twice = judge(replace(honest, scatter=offset, aligned=offset))
    assert {v.claim.name: v for v in twice}['ratio'].outcome == 'holds'


def test_every_claim_about_energies_per_atom_is_judged_with_own_zeros_too(papers):
    raw = papers.scatter
    # an offset of a member leaves what two configurations differ by
    shift = 0.05 * np.arange(raw.n_members) * np.isin(raw.domain, TRAINED)[:, None]
    errors = raw.errors + shift
    own = replace(raw, errors=errors, error=errors.mean(axis=1), spread=errors.std(axis=1))
    sizes = dict.fromkeys(papers.scatters_by_size, own)
    found = {
        verdict.claim.name: verdict
        for verdict in judge(replace(papers, aligned=own, aligned_by_size=sizes))
    }
    beside = {name for name, verdict in found.items() if ' With own zeros: ' in verdict.sentence}
    assert beside == {
        'liquid', 'ratio', 'overconfident', 'related', 'scale', 'sizes', 'flags', 'accurate',
    }  # fmt: skip
    assert outcomes(papers)['flags'] == 'holds'
    # no solid lies above σ of the liquid with these zeros
    assert found['flags'].outcome == 'undecided'
    assert 'The two disagree' in found['flags'].sentence
    assert all(found[name].threshold.endswith('raw and own') for name in beside)
