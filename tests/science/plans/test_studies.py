"""Tests for `science.studies`."""

from aiida_enne.science.plans import studies
from aiida_enne.science.plans.melts import Series

STAGE = {'thermostat': 'langevin', 'temperature': 2000, 'steps': 100}


def test_an_audit_is_told_what_was_trained_on_unless_it_is_chosen():
    filled = studies.complete_audit({'ddof': 1}, ['liquid'], ['liquid', 'diamond'])
    assert filled == {
        'ddof': 1,
        'training_domains': ['liquid'],
        'alignment': {'domain': 'diamond', 'by': 'minimum'},
    }
    assert 'alignment' not in studies.complete_audit({}, ['liquid'], ['liquid'])
    chosen = {'training_domains': [], 'alignment': None}
    assert studies.complete_audit(chosen, ['liquid'], ['diamond']) == chosen


def test_only_what_melted_is_trained_on():
    series = Series.of(
        {
            'stages': {'melt': STAGE, 'production': STAGE | {'record_every': 1}},
            'densities': [2.57, 3.36, 1.89],
            'temperatures': [1600.0],
            'seed': 1,
        }
    )
    molten = ['density_2p57', 'density_2p57_1600K']
    found = studies.select_molten(series.trajectories(), molten)
    assert found == (['liquid 2.57 g/cm³, 2000 K'], ['density_3p36', 'density_1p89'])
    assert next(iter(series.training_domains)) == found[0][0]
