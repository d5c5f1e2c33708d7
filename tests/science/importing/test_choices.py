"""Choices that are unknown or contradict each other are refused before any file is read."""

import pytest

from aiida_enne.science.importing.choices import ImportChoices, readable_formats


@pytest.mark.parametrize(
    ('choices', 'message'),
    [
        ({'energy_unit': 'erg'}, 'unknown energy unit `erg`; there are: eV'),
        ({'length_unit': 'foot'}, 'unknown length unit'),
        ({'stress_unit': 'atm'}, 'unknown stress unit'),
        ({'format': 'nonsense'}, 'unknown format `nonsense`'),
        ({'format': 'postgresql'}, 'unknown format'),
        ({'elements': ('Si', 'Xx')}, r"no elements \['Xx'\]"),
        ({'elements': ('X',)}, 'no elements'),
        ({'domain': 'a', 'domain_keys': ('b',)}, 'not both'),
        ({'domain': ' '}, 'printable'),
        ({'domain': 'a\nb'}, 'printable'),
        ({'block_key': 'a', 'block_size': 2}, 'not both'),
        ({'block_size': 0}, 'at least 1, got 0'),
        ({'info': ('energy',)}, 'cannot be kept'),
        ({'info': ('two words',)}, 'cannot be kept'),
    ],
)
def test_bad_choices_are_refused(choices, message):
    with pytest.raises(ValueError, match=message):
        ImportChoices(**choices)


def test_formats_are_files():
    assert {'extxyz', 'vasp-xml', 'traj', 'aims-output'} <= set(readable_formats())
    assert not {'mysql', 'postgresql', 'bundletrajectory'} & set(readable_formats())
