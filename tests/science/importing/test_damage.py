"""Damaged extended XYZ: what the text says is taken, or the file and the frame are named."""

import numpy as np
import pytest

from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.gather import import_files
from aiida_enne.science.importing.problems import ImportRefusedError
from tests.science.importing.damage import check_taken, damage, write_text


def outcome(path, text):
    path.write_text(text)
    try:
        return import_files([path], ImportChoices(domain_keys=('group',))).configurations
    except ImportRefusedError as refusal:
        return refusal


def test_the_whole_file_is_what_it_says(tmp_path):
    text = write_text()
    check_taken(outcome(tmp_path / 'a.extxyz', text), text)


@pytest.mark.parametrize(
    ('count', 'seed'), [(40, 17), pytest.param(500, 3, marks=pytest.mark.slow)]
)
def test_damaged_files_are_what_they_say_or_refused(tmp_path, count, seed):
    """One byte is changed, lost or added."""
    text, rng, refused = write_text(), np.random.default_rng(seed), 0
    for _ in range(count):
        damaged = damage(text, rng)
        found = outcome(tmp_path / 'a.extxyz', damaged)
        if isinstance(found, ImportRefusedError):
            assert all(problem.file.endswith('a.extxyz') for problem in found.problems)
            refused += 1
        else:
            check_taken(found, damaged)
    assert 0.3 < refused / count < 0.9


def refusal(tmp_path, old, new):
    text = write_text()
    assert old in text
    return str(outcome(tmp_path / 'a.extxyz', text.replace(old, new, 1)))


def test_what_ase_would_misread_is_named_with_its_frame(tmp_path):
    text = write_text()
    row = text.split('\n')[3].split()
    cases = [
        (row[2], f'{row[2][:-2]}_{row[2][-1]}', 'for a number'),
        ('energy=-', 'energy=-1_', '`energy` has '),
        ('pbc="T T T"', 'pbc="T X T"', '`pbc` must be three of T and F'),
        ('pbc="T T T"', 'pbc="T T 1"', '`pbc` must be three of T and F'),
        ('stress="', 'stress="7.0 0 0 9 0 0 0 0 0" x="', '`stress` is not symmetric: 0 and 9'),
        ('group=melt', 'group=melt =3', 'expected only key=value'),
        ('group=melt', 'group=me"lt', 'expected only key=value'),
        ('\n8\n', '\n99999999999999999999\n', 'a number of atoms from 1 to 100000000'),
        (':pos:', ':coords:', 'no column `pos`'),
        (':pos:R:3', ':pos:S:3', 'no column `pos`'),
        ('species:', 'kinds:', 'no column `species`'),
    ]
    for old, new, words in cases:
        found = refusal(tmp_path, old, new)
        assert words in found, found
        assert 'a.extxyz, frame ' in found
