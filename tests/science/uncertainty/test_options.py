import json

import pytest

from aiida_enne.science.uncertainty.options import AuditOptions


def test_options_survive_json():
    options = AuditOptions(ddof=1, training_domains=('liquid', 'glass'), seed=7)
    assert AuditOptions.from_dict(json.loads(json.dumps(options.as_dict()))) == options


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'dof': 1}, 'options of the audit: unknown dof'),
        ({'ddof': 2}, '`ddof` must be 0 or 1, got 2'),
        ({'seed': 1.5}, '`seed` must be of type int, got 1.5'),
        ({'seed': True}, '`seed` must be of type int, got True'),
        ({'interval_level': 'high'}, '`interval_level` must be of type float'),
        ({'interval_level': 1.0}, r'`interval_level` must be in \(0, 1\)'),
        ({'training_domains': 'liquid'}, 'must be a list of labels'),
        ({'n_subsets': 0}, '`n_subsets` must be positive, got 0'),
        ({'n_bootstrap': -1}, 'must not be negative'),
    ],
)
def test_bad_options_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        AuditOptions.from_dict(values)
