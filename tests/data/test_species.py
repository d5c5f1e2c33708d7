import pytest
from aiida import orm
from aiida.common.exceptions import ValidationError

from aiida_enne.data.species import SpeciesData, find_species, install_species, list_families
from tests.aims_writer import species_node, species_text


@pytest.fixture
def tree(tmp_path, aiida_profile_clean):
    """A folder as licensees have it, with invented contents."""
    for level in ('light', 'tight'):
        folder = tmp_path / 'species_defaults' / 'defaults_2020' / level
        folder.mkdir(parents=True)
        for element, charge in {'H': 1, 'O': 8, 'Si': 14}.items():
            text = species_text(element, charge) + f'# {level}\n'
            (folder / f'{charge:02}_{element}_default').write_text(text)
    return tmp_path / 'species_defaults' / 'defaults_2020'


def count():
    return orm.QueryBuilder().append(SpeciesData).count()


def test_equal_text_has_an_equal_hash_wherever_it_came_from(aiida_profile_clean):
    text = species_text('Si', 14)
    first = species_node(text, level='light', family='defaults_2020').store()
    second = species_node(text).store()
    other = species_node(text + '# more\n', level='light').store()
    hashes = [node.base.caching.get_hash() for node in (first, second, other)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert (first.element, first.level, first.family) == ('Si', 'light', 'defaults_2020')
    assert first.text == text
    assert first.base.attributes.get('nuclear_charge') == 14


def test_a_node_whose_text_was_changed_is_refused(aiida_profile_clean):
    node = species_node(species_text('Si', 14))
    node.base.attributes.set('sha256', 'another')
    with pytest.raises(ValidationError, match='not the one'):
        node.store()


def test_the_same_folder_is_stored_once(tree):
    first = install_species(tree)
    assert [(f.label, f.elements, f.n_new) for f in first] == [
        ('defaults_2020/light', ('H', 'O', 'Si'), 3),
        ('defaults_2020/tight', ('H', 'O', 'Si'), 3),
    ]
    nodes = count()
    assert [family.n_new for family in install_species(tree)] == [0, 0]
    assert count() == nodes == 6
    # under another label the nodes are the same
    assert [family.n_new for family in install_species(tree, 'ours')] == [0, 0]
    assert count() == 6
    labels = [label for label, _ in list_families()]
    assert labels == ['defaults_2020/light', 'defaults_2020/tight', 'ours/light', 'ours/tight']


def test_colliding_texts_are_refused_and_nothing_is_stored(tree):
    install_species(tree)
    (tree / 'tight' / '14_Si_default').write_text(species_text('Si', 14) + '# changed\n')
    (tree / 'light' / '06_C_default').write_text(species_text('C', 6))
    with pytest.raises(ValueError, match='defaults_2020/tight has another text for Si'):
        install_species(tree)
    assert count() == 6
    changed = install_species(tree, 'changed')
    assert [family.n_new for family in changed] == [1, 1]
    texts = [dict(list_families())[name]['Si'].text for name in ('changed/tight', 'changed/light')]
    assert [text.endswith('# changed\n') for text in texts] == [True, False]


def test_two_texts_of_one_level_in_one_folder_are_refused(tree):
    double = tree.parent / 'elsewhere' / 'defaults_2020' / 'light'
    double.mkdir(parents=True)
    (double / '14_Si_default').write_text(species_text('Si', 14))
    with pytest.raises(ValueError, match='two texts for Si of light'):
        install_species(tree.parent)
    assert count() == 0


def test_find(tree):
    install_species(tree)
    assert find_species('light', ['Si', 'Si'])['Si'].level == 'light'
    assert set(find_species('defaults_2020/tight', ['O', 'H'])) == {'H', 'O'}
    with pytest.raises(ValueError, match='light has no species for Ge'):
        find_species('light', ['Si', 'Ge'])
    with pytest.raises(ValueError, match='`heavy` must name one family'):
        find_species('heavy', ['Si'])
    install_species(tree, 'ours')
    with pytest.raises(ValueError, match=r'there are defaults_2020/light, ours/light'):
        find_species('light', ['Si'])


def test_no_family_says_how_to_make_one(aiida_profile_clean):
    with pytest.raises(ValueError, match='species install'):
        find_species('light', ['Si'])
