import pytest

from aiida_enne.science.plans.melts import name_domain
from aiida_enne.science.structures import domains
from aiida_enne.science.structures.defects import DEFECTS
from aiida_enne.science.structures.domains import Domain, parse
from aiida_enne.science.structures.phases import PHASES
from aiida_enne.science.structures.surfaces import SURFACES


def test_names_are_those_of_the_contract():
    assert domains.defect_domain('vacancy', 3) == 'vacancy 3³'
    assert domains.bulk_domain(3) == 'bulk 3³'
    assert domains.bulk_domain() == 'bulk'
    assert domains.surface_domain('tilted', 10) == 'Si(100) tilted, 10 layers'
    assert domains.own_domain('vacancy 3³') == 'own vacancy 3³'


@pytest.mark.parametrize('own', [False, True])
def test_what_is_named_is_read_back(own):
    named = {phase: Domain('phase', phase) for phase in PHASES}
    named |= {domains.defect_domain(d, 12): Domain('defect', d, repeats=12) for d in DEFECTS}
    named |= {
        domains.surface_domain(kind, 8, 'Ge'): Domain('surface', kind, layers=8, symbol='Ge')
        for kind in SURFACES
    }
    named[domains.bulk_domain(2)] = Domain('bulk', 'bulk', repeats=2)
    named[domains.bulk_domain()] = Domain('bulk', 'bulk')
    for density in (1.89, 2.0, 1234567.0):
        label = name_domain('production', density, 1600.0)
        known = float(f'{density:g}')
        named[label] = Domain('liquid', 'liquid', density=known, temperature=1600.0)
        label = name_domain('production', density)
        named[label] = Domain('liquid', 'liquid', density=known)
    for label, expected in named.items():
        found = parse(domains.own_domain(label) if own else label)
        assert found.own is own
        for field in ('family', 'name', 'repeats', 'layers', 'symbol', 'density', 'temperature'):
            assert getattr(found, field) == getattr(expected, field), label


@pytest.mark.parametrize(
    'label',
    [
        'melt 2.57 g/cm³',
        'vacancy',
        'vacancy 3',
        'divacancy 3³',
        'Si(111) tilted, 10 layers',
        'Si(100) flat, 10 layers',
        'diamond 2',
        'glass',
        '',
    ],
)
def test_other_names_are_kept_as_they_are(label):
    assert parse(label) == Domain('other', label)


def test_unknown_systems_are_not_named():
    with pytest.raises(ValueError, match=r"unknown defect 'divacancy'; known are vacancy"):
        domains.defect_domain('divacancy', 3)
    with pytest.raises(ValueError, match=r"unknown surface 'flat'; known are bulk-cut"):
        domains.surface_domain('flat', 10)
