"""Tests for `science.studies`."""

from aiida_enne.science.plans import studies


def test_roles():
    assert studies.role('eos', 'beta_tin') == 'eos_beta_tin'
    assert studies.role('defect', 'vacancy_3') == 'defect_vacancy_3'
    assert studies.role('surface', 'layers_10') == 'surface_10'
    assert studies.role('surface', 'layers_10', own=True) == 'own_surface_10'


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
    planned = {
        'density_2p57': {'start': 'crystal', 'domain': 'a'},
        'density_3p36': {'start': 'crystal', 'domain': 'b'},
        'density_1p89': {'start': 'crystal', 'domain': 'c'},
        'density_2p57_1600K': {'start': 'density_2p57', 'domain': 'd'},
    }
    analyses = {
        'density_2p57': {'melt': {'molten': True}},
        'density_3p36': {'melt': {'molten': False}},
        'density_2p57_1600K': {'melt': {'molten': True}},
    }
    assert studies.select_molten(planned, analyses) == (['a'], ['density_3p36', 'density_1p89'])
