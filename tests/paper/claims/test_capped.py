"""A gate that failed leaves open what it is about, and that alone."""

from dataclasses import replace

import numpy as np
import pytest

from aiida_enne.paper.claims import CLAIMS, judge
from aiida_enne.science.uncertainty.gates import epochs_gate
from tests.claimed import outcomes

pytest_plugins = ['tests.claimed']

RED = epochs_gate([np.array([1.0, 0.9, 0.8])] * 2)
#: Claims about forces; all others are about energies.
FORCES = {'accuracy', 'temperature', 'densities', 'degree', 'flat', 'features', 'cutoff'}


@pytest.mark.parametrize(
    ('gates', 'capped'),
    [
        ({'force': [RED]}, FORCES),
        ({'energy': [RED]}, CLAIMS.keys() - FORCES),
        ({'energy': [RED], 'force': [RED]}, CLAIMS.keys()),
        ({'grid': [RED]}, {'degree', 'flat'}),
        ({'densities': [RED]}, {'densities'}),
        ({'features': [RED]}, {'features'}),
        ({'cutoffs': [RED]}, {'cutoff'}),
        ({'sizes': [RED]}, {'sizes'}),
        ({'subsets': [RED]}, {'within', 'across'}),
        # nothing is judged with own zeros here
        ({'aligned': [RED], 'stress': [RED]}, set()),
    ],
    ids=lambda value: '-'.join(sorted(value)) if isinstance(value, dict) else '',
)
def test_claims_are_capped_by_the_gates_of_their_quantity_and_of_their_scan(papers, gates, capped):
    free, found = outcomes(papers), judge(replace(papers, gates=gates))
    for verdict in found:
        name, said = verdict.claim.name, f'since {RED.reason}: {RED.remedy}.'
        assert verdict.outcome == ('undecided' if name in capped else free[name]), name
        assert verdict.sentence.endswith(said) == (name in capped), name


def test_own_zeros_whose_gate_failed_leave_open_what_is_judged_with_them(honest):
    offset = replace(
        honest.scatter, error=honest.scatter.error + 0.1, errors=honest.scatter.errors + 0.1
    )
    both = replace(honest, scatter=offset, aligned=offset)
    assert outcomes(both)['ratio'] == 'holds'
    found = {v.claim.name: v for v in judge(replace(both, gates={'aligned': [RED]}))}
    assert found['ratio'].outcome == 'undecided'
    raw, own = found['ratio'].sentence.split(' With own zeros: ')
    assert RED.reason not in raw
    assert own.endswith(f'since {RED.reason}: {RED.remedy}.')
    assert found['shift'].outcome == outcomes(both)['shift']


def test_nothing_is_judged_where_no_gate_could_be_asked(papers):
    for verdict in judge(replace(papers, absent={'audit': 'labels are missing'})):
        assert verdict.outcome == 'undecided'
        assert verdict.sentence.endswith('since no gate could be asked: labels are missing.')
