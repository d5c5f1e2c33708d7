import re

import pytest

from aiida_enne.science.uncertainty.audit import audit
from aiida_enne.science.uncertainty.findings import find, verdict
from aiida_enne.science.uncertainty.gates import caps, failed
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.science.uncertainty.wording import chance

TOPICS = ['accuracy', 'overconfidence', 'threshold', 'correlation', 'ranking', 'members', 'caution']


def test_every_question_is_answered_first(audited):
    found = find(audited.domains, audited.parameters)
    assert [finding.topic for finding in found[:7]] == TOPICS
    for finding in found:
        assert re.search(r'\d', finding.text)
        assert not re.search(r'nan|None|inf\b', finding.text)
        assert finding.text.endswith('.')
        if re.search('[^≤] σ of the', finding.text):
            assert 'ddof 0' in finding.text or finding.topic == 'ranking'


def test_sentences_carry_the_numbers(audited):
    found = {f.topic: f.text for f in reversed(find(audited.domains, audited.parameters))}
    trained = audited.domains['liquid 2000 K, 2.57 g/cm3']
    assert f'{1000 * trained["energy_mae"]:.3g} meV/atom' in found['accuracy']
    assert f'{trained["force_relative_mae"]:.1%} of the force RMS' in found['accuracy']
    others = {n: s for n, s in audited.domains.items() if s is not trained}
    worst = max(others, key=lambda name: others[name]['energy_rmse_over_spread'])
    assert worst in found['overconfidence']
    assert f'{others[worst]["energy_rmse_over_spread"]:.3g} times' in found['overconfidence']
    assert f'{1000 * trained["energy_spread_max"]:.3g} meV/atom' in found['threshold']
    assert f'{trained["energy_member_correlation_mean"]:.3f}' in found['correlation']


def test_without_training_domains_no_threshold_is_claimed(ensemble):
    result = audit(*ensemble, options=AuditOptions(n_subsets=3, n_bootstrap=20))
    topics = [finding.topic for finding in find(result.domains, result.parameters)]
    assert 'threshold' not in topics
    assert topics[:2] == ['accuracy', 'overconfidence']


def test_little_data_makes_few_claims(ensemble):
    configurations, energies, forces = ensemble
    atoms = configurations.atom_index([0, 1])
    result = audit(configurations.select([0, 1]), energies[:2, :2], forces[:2, atoms])
    found = find(result.domains, result.parameters)
    assert {finding.topic for finding in found} == {'accuracy', 'overconfidence', 'caution'}
    assert any('No interval in 1 of 1 domain:' in finding.text for finding in found)


def test_a_failed_gate_is_said_first(audited):
    found = find(audited.domains, audited.parameters, caps(audited.gates))
    assert found[0].topic == 'gate'
    red = failed([gate for gates in audited.gates.values() for gate in gates])
    assert red[0].reason in found[0].text
    assert red[0].remedy in found[0].text


def test_nothing_is_found_in_nothing():
    assert find({}, {}) == []


@pytest.mark.parametrize(
    ('members', 'high', 'low', 'word'),
    [
        (30, 1 / 31, 1.0, 'overconfident'),
        (30, 0.6, 0.43, 'consistent'),
        (30, 1.0, 1 / 31, 'underconfident'),
        (8, 1 / 9, 1.0, 'undecided'),
        (30, None, None, 'undecided'),
    ],
)
def test_the_word_is_that_of_the_exact_test(members, high, low, word):
    scalars = {
        'energy_rmse_over_spread_p_high': high,
        'energy_rmse_over_spread_p_low': low,
        'n_members': members,
    }
    assert verdict(scalars, 'energy') == word
    text = chance(1 / 9, 8)
    assert text == 'p = 0.11, the least that 8 members allow'
    assert chance(0.5, 8) == 'p = 0.5'
