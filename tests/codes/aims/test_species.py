import hashlib

import pytest

from aiida_enne.codes.aims.species import list_species, read_species


@pytest.fixture
def tree(tmp_path, species_text):
    """A folder as licensees have it, with invented contents."""
    elements = {'H': 1, 'O': 8, 'Si': 14, 'Og': 118}
    for level in ('light', 'tight'):
        folder = tmp_path / 'species_defaults' / 'defaults_2020' / level
        folder.mkdir(parents=True)
        for element, charge in elements.items():
            text = species_text(element, charge) + f'# {level}\n'
            (folder / f'{charge:02}_{element}_default').write_text(text)
        (folder / '00_Emptium_default').write_text('  species Emptium\n    nucleus 0\n')
        (folder / 'README').write_text('not a species')
    return tmp_path / 'species_defaults'


def test_read(species_text):
    species = read_species(species_text(), level='light', family='defaults_2020')
    assert (species.element, species.nuclear_charge) == ('Si', 14)
    assert (species.level, species.family) == ('light', 'defaults_2020')
    assert species.text == species_text()


def test_hash_is_that_of_the_text_alone(species_text):
    first, second = read_species(species_text(), level='light'), read_species(species_text())
    assert first.sha256 == second.sha256 == hashlib.sha256(species_text().encode()).hexdigest()
    assert read_species(species_text() + '# more\n').sha256 != first.sha256


def test_comments_are_no_keywords():
    text = '# species O\n  species Si # species C\n#  nucleus 8\n  nucleus 14.0 # nucleus 6\n'
    assert read_species(text).element == 'Si'


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'must have one line `species` with one value, got 0'),
        ('  nucleus 14\n', 'must have one line `species`'),
        ('species Si\nnucleus 14\nspecies O\nnucleus 8\n', 'one line `species` .* got 2'),
        ('species Si\nnucleus 14\nnucleus 14\n', 'one line `nucleus` with one value, got 2'),
        ('species Si O\nnucleus 14\n', 'one line `species` with one value'),
        ('species Si\n', 'one line `nucleus` with one value, got 0'),
        ('species Emptium\nnucleus 0\n', "must name a chemical element, got 'Emptium'"),
        ('species X\nnucleus 0\n', 'must name a chemical element'),
        ('species Si\nnucleus 13\n', '`nucleus` of Si must be 14, got 13'),
        ('species Si\nnucleus 14.5\n', '`nucleus` of Si must be 14, got 14.5'),
        ('species Si\nnucleus nan\n', '`nucleus` of Si must be 14, got nan'),
        ('species Si\nnucleus Si\n', "`nucleus` of Si must be a number, got 'Si'"),
    ],
)
def test_bad_text(text, message):
    with pytest.raises(ValueError, match=message):
        read_species(text)


def test_list(tree):
    found = list_species(tree)
    names = [(species.level, species.element, species.nuclear_charge) for species in found]
    elements = [('H', 1), ('O', 8), ('Og', 118), ('Si', 14)]
    expected = [(level, *pair) for level in ('light', 'tight') for pair in elements]
    assert sorted(names) == expected
    assert {species.family for species in found} == {'defaults_2020'}
    assert len({species.sha256 for species in found}) == 8


def test_list_of_one_level(tree):
    found = list_species(tree / 'defaults_2020' / 'light')
    assert {(species.family, species.level) for species in found} == {('defaults_2020', 'light')}
    assert len(found) == 4


def test_nothing_to_list(tmp_path):
    with pytest.raises(ValueError, match='no species default such as `14_Si_default` lies in'):
        list_species(tmp_path)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'  species Ge\n  nucleus 32\n', '14_Si_default holds the species of Ge'),
        (b'  species Si\n', '14_Si_default: a species default must have one line `nucleus`'),
        (b'\xff\xfe', "14_Si_default: 'utf-8' codec"),
    ],
)
def test_a_bad_file_is_named(tree, content, message):
    (tree / 'defaults_2020' / 'tight' / '14_Si_default').write_bytes(content)
    with pytest.raises(ValueError, match=message):
        list_species(tree)


def test_a_link_out_of_the_folder_is_refused(tree, tmp_path, species_text):
    outside = tmp_path / 'elsewhere'
    outside.write_text(species_text('C', 6))
    (tree / 'defaults_2020' / 'tight' / '06_C_default').symlink_to(outside)
    with pytest.raises(ValueError, match='leads out of the folder'):
        list_species(tree)
