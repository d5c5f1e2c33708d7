"""Tests for `aiida-enne pseudo`."""

import pytest
from aiida import orm

from tests.pseudos import DUMMY

pytest.importorskip('aiida_pseudo')


@pytest.fixture
def folder(tmp_path):
    """Return a folder with two pseudopotentials of silicon, one of germanium, and a note."""
    place = tmp_path / 'upf'
    place.mkdir()
    (place / 'Si.one.UPF').write_text(DUMMY)
    (place / 'Si.two.UPF').write_text(DUMMY + '\n')
    (place / 'Ge.upf').write_text(DUMMY.replace('Si', 'Ge'))
    (place / 'README').write_text('not a pseudopotential')
    return place


def test_a_family_has_cutoffs_in_rydberg(invoke, folder):
    words = ('--label', 'SIQE', '--cutoffs', '22,88', '--only', 'Si.one.UPF', '--only', 'Ge.upf')
    result = invoke('pseudo', 'install', folder, *words)
    assert result.exit_code == 0, result.output
    assert 'Ge Si' in result.output
    family = orm.load_group('SIQE')
    assert family.get_pseudo('Si').filename == 'Si.one.UPF'
    found = family.get_recommended_cutoffs(elements=('Si', 'Ge'), unit='Ry')
    assert found == pytest.approx((22, 88))
    assert family.get_default_stringency() == 'standard'
    listed = invoke('pseudo', 'list').output
    assert 'SIQE' in listed
    assert 'standard' in listed


def test_two_of_one_element_need_a_choice(invoke, folder):
    result = invoke('pseudo', 'install', folder, '--label', 'SIQE')
    assert result.exit_code != 0
    assert 'duplicate elements' in result.output
    assert '--only' in result.output
    assert str(folder) in result.output
    assert orm.QueryBuilder().append(orm.Group, filters={'label': 'SIQE'}).count() == 0


def test_a_label_is_taken_once(invoke, folder):
    words = ('pseudo', 'install', folder, '--label', 'A', '--only', 'Ge.upf')
    assert invoke(*words).exit_code == 0
    result = invoke(*words)
    assert result.exit_code != 0
    assert 'already exists' in result.output


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (('--only', 'Xx.UPF'), 'Xx.UPF'),
        (('--only', 'README'), 'README'),
        (('--cutoffs', '22'), 'two numbers'),
        (('--cutoffs', '88,22'), 'larger'),
        (('--cutoffs', 'nan,nan'), 'larger'),
    ],
)
def test_bad_choices_are_named(invoke, folder, words, message):
    result = invoke('pseudo', 'install', folder, '--label', 'A', *words)
    assert result.exit_code != 0
    assert message in result.output
    assert 'Traceback' not in result.output


def test_an_empty_folder_is_said_to_be_so(invoke, tmp_path):
    result = invoke('pseudo', 'install', tmp_path, '--label', 'A')
    assert result.exit_code != 0
    assert 'no file that ends in' in result.output


def test_an_empty_list_tells_what_to_do(invoke):
    assert 'pseudo install' in invoke('pseudo', 'list').output
