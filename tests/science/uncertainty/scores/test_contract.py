"""Every registered score keeps the contract, and what breaks it is named."""

from importlib.metadata import entry_points

import numpy as np
import pytest

from aiida_enne.science.uncertainty import scores
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.science.uncertainty.scores import contract

NAMES = sorted(entry.name for entry in entry_points(group=scores.GROUP))


@pytest.mark.parametrize('name', NAMES)
def test_scores_keep_the_contract(name):
    contract.check_score(name)


def test_what_scores_look_at_is_what_an_audit_shows_them():
    judged = contract.make_judged(n=12, n_members=4)
    np.testing.assert_allclose(judged.error, judged.errors.mean(axis=0))
    np.testing.assert_allclose(judged.width, judged.errors.std(axis=0), rtol=1e-12)
    assert judged.is_width
    assert judged.tolerance == AuditOptions().energy_tolerance
    learns = AuditOptions(estimator='recalibrated', calibration_domain='liquid')
    with pytest.raises(ValueError, match="'recalibrated' learns from labels"):
        contract.make_judged(options=learns)


def nothing(judged):
    return {}


def shouting(judged):
    return {'RMSE of all': 1.0}


def wordy(judged):
    return {'words': 'many'}


def careless(judged):
    judged.width[0] += 1
    return {'width_of_first': float(judged.width[0])}


def fickle(judged):
    return {f'of_{len(judged.width)}_samples': 1.0}


def greedy(judged):
    return {'mae': 0.0}


BREAKERS = {
    nothing: 'gives nothing',
    shouting: "'RMSE of all' is not a plain name",
    wordy: "words is 'many', not a number",
    careless: 'changes `width`',
    fickle: 'gives other names for other samples',
    greedy: r"gives \['mae'\], which another score has given",
}


@pytest.mark.parametrize('score', BREAKERS, ids=lambda score: score.__name__)
def test_what_breaks_the_contract_is_named(install, score):
    # behind all others: it is the last to name its values
    install({scores.GROUP: {'zz': f'{__name__}:{score.__name__}'}})
    with pytest.raises(contract.ContractError, match=BREAKERS[score]):
        contract.check_score('zz')
