"""A public archive tells nobody's name and no path, and gives the same report."""

import socket
import zipfile
from pathlib import Path

import pytest
from aiida import orm

from aiida_enne.aiida_private.archives import DATABASE
from aiida_enne.report.publishing import PATH, Scrub, publish, secrets
from aiida_enne.report.sharing import share

MAIL = 'erika.mustermann@institute.example'


@pytest.fixture
def named(audited, aiida_localhost):
    """Return a finished audit of a user with a name, whose jobs told where they ran."""
    audit = audited[0]
    user = orm.User.collection.get_default()
    user.email, user.first_name = MAIL, 'Erika'
    user.store()
    audit.description = f'by {MAIL} on {socket.gethostname()}'
    audit.base.extras.set('command', f'cd {Path.home()}/studies/secret && aiida-enne launch')
    return audit


def parts(path):
    """Return the content of every member of an archive."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_no_byte_tells_who_or_where(named, tmp_path):
    host = f'on {socket.gethostname()}'
    hidden = [MAIL, 'Erika', host, f'{Path.home()}/studies', 'studies/secret']
    whole = parts(share(named, tmp_path / 'whole.aiida'))
    assert all(one.encode() in whole[DATABASE] for one in (MAIL, 'studies/secret'))
    left = publish(named, tmp_path / 'public.aiida')
    for name, content in parts(tmp_path / 'public.aiida').items():
        assert [one for one in hidden if one.encode() in content] == [], name
    assert left['texts with paths or names'] >= 2
    assert any(one.startswith('users') for one in left)
    assert MAIL in secrets()


def test_the_report_is_the_same(invoke, named, tmp_path):
    pages, pk = [], named.pk  # a node of before is of no use once an archive was open
    for words in ((), ('--public',)):
        path = tmp_path / f'{len(words)}.aiida'
        result = invoke('share', pk, path, *words)
        assert result.exit_code == 0, result.output
        folder = tmp_path / f'report{len(words)}'
        written = invoke('report', '--archive', path, '--output', folder)
        assert written.exit_code == 0, written.output
        pages.append((folder / 'numbers.json').read_text())
    assert pages[0] == pages[1]
    assert 'left out or replaced' in result.output


@pytest.mark.parametrize(
    ('text', 'left'),
    [
        ('/home/me/a.out', 'a.out'),
        ('cd /scratch/me/ab/cd && run', 'cd cd && run'),
        ('file:///x/y/z', 'file:///x/y/z'),
        ('22/88 Ry, k 2x2x2, g/cm³', '22/88 Ry, k 2x2x2, g/cm³'),
        ('https://doi.org/10.1/x', 'https://doi.org/10.1/x'),
        ('./out/aiida.save/x.xml', './out/aiida.save/x.xml'),
    ],
)
def test_of_absolute_paths_the_last_part_stays(text, left):
    assert PATH.sub(r'\1', text) == left


def test_what_is_there_is_not_replaced(named, tmp_path):
    (tmp_path / 'x.aiida').touch()
    with pytest.raises(FileExistsError):
        publish(named, tmp_path / 'x.aiida')


def test_bytes_with_a_name_are_left_out_and_arrays_refused():
    scrub = Scrub([MAIL, 'abc'])
    assert scrub.file('a.pt', b'\xff abc') == b'\xff abc'  # so few letters stand there by chance
    assert scrub.file('a.pt', b'\xff' + MAIL.encode()) is None
    assert scrub.left['files of bytes that hold a name'] == 1
    assert scrub.file('a.yaml', f'by {MAIL} in /x/y/z'.encode()) == b'by somewhere in z'
    assert scrub.file('Si.UPF', b'from /x/y/z') == b'from /x/y/z'  # with a checksum elsewhere
    with pytest.raises(ValueError, match=r'a\.npz holds .*verdi computer relabel'):
        scrub.file('a.npz', b'\xff' + MAIL.encode())
