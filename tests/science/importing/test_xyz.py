"""A whole file is walked through; every way of being cut is named with its frame."""

import pytest

from aiida_enne.science.importing.problems import BrokenFileError
from aiida_enne.science.importing.xyz import scan_xyz

HEAD = 'Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.0'
ROW = 'Si 0.0 0.0 0.0 0.1 0.2 0.3'
FRAME = f'2\n{HEAD}\n{ROW}\n{ROW}\n'


def scan(text, **options):
    return scan_xyz(text.splitlines(keepends=True), **options)


@pytest.mark.parametrize('n', [1, 2, 7])
def test_frames_are_counted(n):
    assert scan(FRAME * n) == n
    assert scan(FRAME * n + '\n  \n') == n


def test_no_text_holds_no_frames():
    assert scan('') == 0


@pytest.mark.parametrize(
    ('text', 'frame', 'message'),
    [
        (FRAME + FRAME[: -len(ROW) - 1], 1, 'truncated: it ends after 1 of 2 atoms'),
        (FRAME + '2\n', 1, 'truncated: it ends after 0 of 2 atoms'),
        (FRAME + FRAME[:-1], 1, 'no line end'),
        (FRAME + FRAME[:-5] + '\n', 1, 'atom 1 has 6 columns, expected 7'),
        (FRAME + '\n' + FRAME, 1, 'empty line'),
        (FRAME + 'Si 0 0 0\n', 1, "expected a number of atoms, got 'Si 0 0 0'"),
        ('0\n\n', 0, 'a number of atoms from 1 to 100000000, got 0'),
        ('-3\n\n', 0, 'a number of atoms from 1 to 100000000, got -3'),
        (f'1\n{HEAD}\n{ROW} 0.5\n', 0, 'atom 0 has 8 columns, expected 7'),
        ('1\nplain\nSi 0 0\n', 0, 'atom 0 has 3 columns, needs 4'),
        (f'1\nProperties=species:S:1:pos:R\n{ROW}\n', 0, 'cannot understand Properties'),
    ],
)
def test_what_is_broken_is_named_with_its_frame(text, frame, message):
    with pytest.raises(BrokenFileError, match=message) as caught:
        scan(text)
    assert caught.value.frame == frame


def test_a_lost_line_end_can_be_allowed():
    assert scan((FRAME * 2)[:-1], allow_incomplete=True) == 2


def test_every_prefix_is_complete_frames_or_refused():
    text = FRAME * 3
    whole = {len(FRAME) * n: n for n in range(4)}
    for end in range(len(text) + 1):
        try:
            assert scan(text[:end]) == whole.get(end)
        except BrokenFileError:
            assert end not in whole
