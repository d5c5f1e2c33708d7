"""What decides whether an audit is taken from AiiDA's cache."""

import pytest
from aiida import orm
from aiida.manage.caching import enable_caching

from aiida_enne.calculations.functions import audit_ensemble
from aiida_enne.science.uncertainty import scores
from tests.audited import LABEL, store_audit


def double(judged):
    """Score: twice the number of samples."""
    return {'double_number': 2 * judged.width.size}


def judged(audit):
    """Return the scalars of a domain of an audit, and whether they come from the cache."""
    node = audit.outputs.statistics[LABEL]
    return next(iter(node.domains.values())), node.creator.base.caching.is_created_from_cache


def test_a_score_stands_in_the_next_audit_with_the_cache_on(dataset, install):
    options = {'n_bootstrap': 20}
    with enable_caching():
        first, again = (judged(store_audit(dataset, parameters=options)[0]) for _ in range(2))
        install({scores.GROUP: {'double': f'{__name__}:double'}})
        scalars, cached = judged(store_audit(dataset, parameters=options)[0])
    assert not first[1]
    assert again == (first[0], True)
    assert not cached
    added = {'energy_double_number', 'force_double_number'}
    assert set(scalars) - set(first[0]) == added
    assert {name: scalars[name] for name in first[0]} == first[0]


def test_judges_that_are_not_those_installed_are_refused(dataset):
    others = orm.Dict({'estimator': {'ensemble': 'another 1'}, 'scores': {}})
    with pytest.raises(ValueError, match='`judges` must be what is registered'):
        audit_ensemble(orm.Dict({}), others, datasets={}, predictions={})
