import pytest

from aiida_enne.science.structures import domains
from aiida_enne.science.structures.defects import DEFECTS
from aiida_enne.science.structures.domains import Domain, parse
from aiida_enne.science.structures.phases import PHASES
from aiida_enne.science.structures.surfaces import SURFACES


def test_names_are_those_of_the_contract():
    assert Domain('defect', 'vacancy', 3).label == 'vacancy 3³'
    assert Domain('bulk', 'bulk', 3).label == 'bulk 3³'
    assert Domain('bulk', 'bulk').label == 'bulk'
    assert Domain('surface', 'tilted', layers=10, symbol='Si').label == 'Si(100) tilted, 10 layers'
    assert Domain('defect', 'vacancy', 3, own=True).label == 'own vacancy 3³'


@pytest.mark.parametrize('own', [False, True])
def test_what_is_named_is_read_back(own):
    named = {phase: Domain('phase', phase) for phase in PHASES}
    named |= {f'{name} 12³': Domain('defect', name, repeats=12) for name in DEFECTS}
    named |= {
        f'Ge(100) {kind}, 8 layers': Domain('surface', kind, layers=8, symbol='Ge')
        for kind in SURFACES
    }
    named[Domain('bulk', 'bulk', 2).label] = Domain('bulk', 'bulk', repeats=2)
    named[Domain('bulk', 'bulk').label] = Domain('bulk', 'bulk')
    for density in (1.89, 2.0, 1234567.0):
        label = Domain('liquid', 'liquid', density=density, temperature=1600.0).label
        known = float(f'{density:g}')
        named[label] = Domain('liquid', 'liquid', density=known, temperature=1600.0)
        label = Domain('liquid', 'liquid', density=density).label
        named[label] = Domain('liquid', 'liquid', density=known)
    named['liquid, 1600 K'] = Domain('liquid', 'liquid', temperature=1600.0)
    for label, expected in named.items():
        found = parse(domains.OWN + label if own else label)
        assert found.own is own
        for field in ('family', 'name', 'repeats', 'layers', 'symbol', 'density', 'temperature'):
            assert getattr(found, field) == getattr(expected, field), label
        assert found.label == domains.OWN * own + label


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
        Domain('defect', 'divacancy', 3)
    with pytest.raises(ValueError, match=r"unknown surface 'flat'; known are bulk-cut"):
        Domain('surface', 'flat', layers=10)


ROLES = {
    'phase:diamond': Domain('phase', 'diamond'),
    'defect:vacancy:3': Domain('defect', 'vacancy', repeats=3),
    'bulk': Domain('bulk', 'bulk'),
    'bulk:3': Domain('bulk', 'bulk', repeats=3),
    'surface:tilted:10': Domain('surface', 'tilted', layers=10, symbol='Si'),
    'surface:tilted:10:Ge': Domain('surface', 'tilted', layers=10, symbol='Ge'),
    'liquid:2.57': Domain('liquid', 'liquid', density=2.57),
    'liquid:2.57:1800': Domain('liquid', 'liquid', density=2.57, temperature=1800.0),
    'liquid::2000': Domain('liquid', 'liquid', temperature=2000.0),
    'liquid': Domain('liquid', 'liquid'),
}


@pytest.mark.parametrize('role', ROLES)
def test_a_role_has_the_last_word(role):
    assert domains.read_role(role) == ROLES[role]
    for label in ('Elastic', 'vacancy 2³', 'own work'):
        assert parse(label, {label: role}) == ROLES[role]
    assert parse('own Elastic', {'Elastic': role}) == domains.replace(ROLES[role], own=True)


@pytest.mark.parametrize(
    'role',
    [
        'phase:glass',
        'defect:vacancy',
        'defect:vacancy:0',
        'defect:vacancy:3:4',
        'bulk:a',
        'bulk:2:2',
        'surface:flat:10',
        'surface:tilted:10:Ge:x',
        'liquid:',
        'liquid:thin',
        'liquid::thin',
        'liquid:2:3:4',
        'diamond',
        '',
    ],
)
def test_a_role_that_does_not_exist_is_refused_with_those_that_do(role):
    with pytest.raises(ValueError, match=r'is not a role.*phase:NAME \(.*diamond.*defect:NAME:REP'):
        domains.read_role(role)


def test_imported_labels_are_free_text_but_for_their_roles():
    labels = ['vacancy 2³', 'diamond', 'own glass', 'Elastic', 'T=300', 'fcc']
    roles = domains.imported_roles(labels, {'Elastic': 'phase:diamond', 'fcc': 'phase:fcc'})
    kinds = domains.kinds_of(labels, roles)
    free = {label: kind for label, kind in kinds.items() if label not in ('Elastic', 'fcc')}
    assert free == {label: Domain('other', label) for label in free}
    assert (kinds['Elastic'].name, kinds['fcc'].name) == ('diamond', 'fcc')
    assert 'T=300' not in roles  # nothing is stored of what could not be mistaken
    with pytest.raises(ValueError, match=r"role is given for 'elastic', but .* 'Elastic'"):
        domains.imported_roles(labels, {'elastic': 'phase:diamond'})


NAMES = {  # label: port of its part, role of its dataset in a study
    'beta-tin': ('beta_tin', 'eos_beta_tin'),
    'vacancy 3³': ('vacancy_3', 'defect_vacancy_3'),
    'Si(100) tilted, 10 layers': ('layers_10', 'surface_10'),
    'own Si(100) tilted, 10 layers': ('layers_10', 'own_surface_10'),
    'liquid 2.57 g/cm³': ('density_2p57', 'liquid'),
    'liquid, 2000 K': ('liquid_2000K', 'liquid'),
    'liquid 2.57 g/cm³, 1600 K': ('density_2p57_1600K', 'liquid'),
    'Elastic constants': ('elastic_constants', 'elastic_constants'),
}


@pytest.mark.parametrize('label', NAMES)
def test_a_label_a_port_and_a_role_are_three_views_of_one_domain(label):
    found = parse(label)
    assert (found.label, found.port, found.role) == (label, *NAMES[label])
    assert found.port.isidentifier()
