"""Tests for the choice of calculators."""

import pytest

from aiida_enne.codes.ase import PRESETS, complete_calculator


@pytest.mark.parametrize('name', PRESETS)
def test_presets_say_what_they_are(name):
    preset = complete_calculator({'preset': name})
    assert preset == PRESETS[name]
    assert preset.level_of_theory
    assert preset.source


def test_levels_of_theory_are_distinct():
    levels = [preset.level_of_theory for preset in PRESETS.values()]
    assert len(set(levels)) == len(levels)


def test_keywords_of_a_preset_can_be_replaced():
    changed = complete_calculator({'preset': 'chgnet', 'keywords': {'use_device': 'cuda'}})
    assert changed.keywords == {'use_device': 'cuda'}
    assert changed.import_path == PRESETS['chgnet'].import_path
    assert PRESETS['chgnet'].keywords == {'use_device': 'cpu'}


def test_any_calculator_by_its_path():
    chosen = complete_calculator(
        {'import_path': 'tblite.ase.TBLite', 'keywords': {'method': 'X'}, 'level_of_theory': 'Y'}
    )
    assert chosen.packages == ('tblite',)
    assert chosen.reuse


@pytest.mark.parametrize(
    ('choice', 'message'),
    [
        ({'preset': 'dft'}, "one of lammps-sw-si, .* got 'dft'"),
        ({'preset': 'emt', 'level_of_theory': 'DFT'}, 'preset and keywords only, got .*level_of'),
        ({'preset': 'emt', 'keywords': [1]}, r'map names to plain values, got \[1\]'),
        ({'preset': 'emt', 'keywords': {'a': {1}}}, 'plain values: Object of type set'),
        ({}, 'dotted path such as ase.calculators.emt.EMT, .* got None'),
        ({'import_path': 'EMT', 'level_of_theory': 'x'}, "got 'EMT'"),
        ({'import_path': 'os;import sys', 'level_of_theory': 'x'}, 'dotted path'),
        ({'import_path': 'a.b\n', 'level_of_theory': 'x'}, 'dotted path'),
        ({'import_path': '__import__("os").system', 'level_of_theory': 'x'}, 'dotted path'),
        ({'import_path': 'a.b'}, 'say what the labels are, got None'),
        ({'import_path': 'a.b', 'level_of_theory': ' '}, "got ' '"),
        ({'import_path': 'a.b', 'level_of_theory': 'x', 'reuse': 1}, 'true or false, got 1'),
    ],
)
def test_anything_else_is_refused_by_name(choice, message):
    with pytest.raises(ValueError, match=message):
        complete_calculator(choice)
