"""Verdicts on made-up ensembles: one like the paper's, one that is honest, and on nothing."""

from dataclasses import replace

import numpy as np
from scipy import stats

from aiida_enne.paper.claims import CLAIMS, Evidence, judge
from aiida_enne.paper.claims.spread import LITTLE
from aiida_enne.paper.claims.tested import Decision, if_also
from aiida_enne.science.properties.curves import Curve, curves, shift_at_minimum
from aiida_enne.science.properties.paths import volume_path
from aiida_enne.science.properties.ranking import rank
from aiida_enne.science.properties.scatter import of_energies
from tests.claimed import make_scans, outcomes
from tests.science import paper

pytest_plugins = ['tests.claimed']


def test_claims_are_those_of_the_paper():
    assert len(CLAIMS) == 26
    assert {claim.figure for claim in CLAIMS.values()} == {
        'F2', 'F3', 'F4', 'F5', 'F6', 'F7', 'S1', 'S2', 'S3', 'S4', 'S5', 'S6', 'S9', 'S10', 'Disc',
    }  # fmt: skip
    assert CLAIMS['within'].source.endswith('(2023), figure S10')
    assert CLAIMS['flags'].source.endswith('(2023), discussion')
    assert (CLAIMS['transition'].value, CLAIMS['transition'].uncertainty) == (12.0, 3.1)


def test_nothing_is_judged_by_nothing():
    for verdict in judge(Evidence()):
        assert verdict.outcome == 'undecided'
        assert verdict.value is None
        assert 'does not have what it takes' in verdict.sentence


def test_an_ensemble_like_the_papers_is_found_to_be_one(papers):
    found = outcomes(papers)
    # members that are Gaussian cannot make σ grow more than Gaussian members do
    assert found.pop('growth') == 'does not hold'
    # what members that share a smooth error do by chance, what few frames or ensembles leave open
    chance = {'order', 'path', 'scale', 'liquid', 'transition', 'cells', 'across'}
    assert {name for name, outcome in found.items() if outcome == 'undecided'} == chance
    assert {outcome for name, outcome in found.items() if name not in chance} == {'holds'}


#: Claims that an ensemble has a fault: honest ones must seldom be said to have it.
FAULTS = [
    'overconfident', 'related', 'scale', 'ratio', 'sizes', 'order', 'surface', 'shift', 'path',
    'interval', 'defects', 'within', 'across', 'growth',
]  # fmt: skip


def test_an_honest_ensemble_is_not_found_to_be_like_the_papers(honest):
    found = outcomes(honest)
    assert 'holds' not in {found[name] for name in FAULTS}


def test_claims_hold_for_honest_ensembles_no_more_often_than_the_level_says(rng):
    """With the nulls of version 0.1.0 "path" held in 97 %, "scale" in 45, "shift" in 28 %."""
    repeats, members = 60, 19
    made, _ = paper.phases(rng, members)
    held = dict.fromkeys(
        ('path', 'interval', 'shift', 'ratio', 'overconfident', 'related', 'scale', 'order'), 0
    )
    for _ in range(repeats):
        # curves that a volume moves smoothly, with one amplitude by phase
        volume = (made.volumes / made.n_atoms - 15) / 5
        drawn = sum(
            rng.normal(size=(members + 1, 6))[:, np.unique(made.domains, return_inverse=True)[1]]
            * volume**power
            for power in range(4)
        )
        energies = made.energies + 0.02 * (drawn[1:] - drawn[0]) * made.n_atoms
        found = curves(made, energies)
        scatter = of_energies(made, energies)
        evidence = Evidence(
            training_domains=['diamond'],
            scatter=scatter,
            shift=shift_at_minimum(found['diamond']),
            ranking=rank(found, by='lowest'),
            curve=found['diamond'],
            path=volume_path(found['diamond']),
        )
        for name, outcome in outcomes(evidence).items():
            held[name] = held.get(name, 0) + (outcome == 'holds')
    allowed = stats.binom.ppf(0.999, repeats, 0.05)
    tested = ('path', 'interval', 'shift', 'ratio', 'overconfident', 'related', 'scale', 'order')
    assert {name for name in tested if held[name] > allowed} == set()


def test_two_members_after_three_epochs_confirm_nothing(papers):
    """Nor where nothing is known of the training; for gates that fail see `test_capped`."""
    pair = papers.scatter.errors[:, :2]
    few = replace(
        papers.scatter,
        errors=pair,
        error=pair.mean(axis=1),
        spread=pair.std(axis=1),
        n_members=2,
    )
    curve = replace(papers.curve, members=papers.curve.members[:2])
    bare = replace(papers, scatter=few, curve=curve, path=volume_path(curve), scatters_by_size={})
    found = {verdict.claim.name: verdict for verdict in judge(bare)}
    for name in ('path', 'interval', 'ratio', 'overconfident', 'related', 'scale'):
        assert found[name].outcome == 'undecided', name


def test_few_members_are_told_how_many_would_do(papers):
    few = replace(papers.shift, errors=papers.shift.errors[:8])
    (verdict,) = [v for v in judge(Evidence(shift=few)) if v.claim.name == 'shift']
    assert verdict.outcome == 'undecided'
    assert '8 members can never show it at the 5% level; 19 or more members can' in verdict.sentence


def test_other_data_get_the_general_form_of_a_claim(papers):
    other = {v.claim.name: v for v in judge(replace(papers, is_published=False))}
    assert other['liquid'].text == 'σ of what was trained on is small.'
    assert other['liquid'].threshold.endswith('below 10 meV/atom')
    assert other['accuracy'].threshold.endswith('below 0.1 eV/Å')
    assert '0.5 to 2 eV' not in other['defects'].threshold
    own = {v.claim.name: v for v in judge(papers)}
    assert own['liquid'].text == CLAIMS['liquid'].text
    assert own['defects'].threshold.endswith('0.5 to 2 eV')


def test_a_formation_energy_that_is_off_by_four_is_not_off_by_one(papers):
    """The claim says about 1 eV: the size is judged, too."""
    far = [
        replace(f, members=f.members - 3.5) if f.symbol == 'E_f' else f for f in papers.formations
    ]
    assert outcomes(replace(papers, formations=far))['defects'] == 'does not hold'


def rising(members=24):
    """Return E(V) whose |ε| rises with σ, but less than it would with any member as the truth.

    Members err by one curve, each with a factor of its own; the truth has that of other volumes.
    """
    size = np.linspace(0.01, 0.1, 9)
    factors = np.linspace(0.5, 1.0, members) * np.where(np.arange(members) % 2, 1, -1)
    truth = size[[3, 2, 1, 0, 7, 6, 5, 4, 8]]
    return Curve('diamond', np.linspace(14, 26, 9), truth, factors[:, None] * size)


def test_a_path_that_rises_is_not_said_not_to_rise():
    """At Spearman +0.7 the words of the claim are wrong, whatever honest ensembles have."""
    path = volume_path(curve := rising())
    assert 0.6 < path.rank_correlation < 0.8
    (found,) = [v for v in judge(Evidence(curve=curve, path=path)) if v.claim.name == 'path']
    assert found.outcome == 'undecided'
    assert 'yet it rises' in found.sentence


def test_words_that_say_more_than_the_test_leave_a_claim_open():
    shown, not_shown = Decision(True, 'p = 0.01'), Decision(False, 'p = 0.99')
    assert if_also(True, shown, 'x') == shown
    assert if_also(False, not_shown, 'x') == not_shown
    assert if_also(False, shown, 'x').holds is None


def test_sigma_that_says_much_is_not_said_to_say_little(papers):
    """A mean Spearman correlation of 0.7 is much, also where honest ensembles would have more."""
    (found,) = [v for v in judge(papers) if v.claim.name == 'related']
    assert found.outcome == 'holds'
    assert found.value < LITTLE
    assert f'{LITTLE:g} at most' in found.threshold


def test_the_largest_degree_is_not_the_best_where_none_is(papers, rng):
    found = {v.claim.name: v for v in judge(replace(papers, scans=make_scans(rng, (0, 8, 4.0))))}
    assert found['degree'].outcome == 'does not hold'
    assert found['degree'].value == 0
    for name in ('features', 'cutoff'):
        assert found[name].outcome == 'does not hold'


def test_choices_for_silicon_are_not_claimed_of_other_data(papers):
    other = {v.claim.name: v for v in judge(replace(papers, is_published=False))}
    for name in ('features', 'cutoff'):
        assert other[name].outcome == 'undecided'
        assert 'is the choice for silicon' in other[name].sentence
    assert other['scale'].text.startswith('One scale factor of σ, from what was trained on')
    assert 'the paper' not in other['within'].threshold
    assert other['within'].outcome == 'holds'
