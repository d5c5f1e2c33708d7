import json

import pytest

from aiida_enne.science.uncertainty.options import AuditOptions, describe


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


def test_choices_are_said_in_plain_numbers_with_their_units():
    said = describe(AuditOptions(training_domains=('liquid',), r_max=4.0).as_dict())
    assert said.endswith('zero_force_tolerance = 0.00001 eV/Å')
    assert 'energy_tolerance = 0.01 eV/atom; ' in said
    assert 'r_max = 4 Å; seed = 0; stress_tolerance = 0.5 GPa; ' in said
    assert "training_domains = ['liquid']" in said


def test_an_option_that_would_do_nothing_is_refused():
    options = {'estimator': 'conformal', 'calibration_domain': 'liquid'}
    with pytest.raises(ValueError, match='one `calibration_domain`: leave it out'):
        AuditOptions(estimator_options={'mondrian': True}, **options)
    assert AuditOptions(estimator_options={'mondrian': False}, **options)
