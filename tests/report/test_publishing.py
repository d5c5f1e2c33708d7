"""A public archive tells nobody's name and no path, and gives the same report."""

import socket
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import CalculationFactory
from ase.build import bulk

from aiida_enne.aiida_private.archives import DATABASE
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.provenance.archives import open_archive
from aiida_enne.report.publishing import PATH, Scrub, kept, people, preview, publish, secrets
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


@pytest.fixture
def job(aiida_profile_clean, aiida_code_installed):
    """Return a job that ran, paid for by an account that others' eyes must not see."""
    user = orm.User.collection.get_default()
    user.last_name = 'Mustermann'
    user.store()
    code = aiida_code_installed(
        filepath_executable=sys.executable,
        prepend_text='export PATH=$PATH:/cluster/users/erika/bin',
    )
    options = {
        'resources': {'num_machines': 1},
        'account': 'proj-4711',
        'queue_name': 'erikas-queue',
        'custom_scheduler_commands': '#SBATCH --mail-user=erika',
    }
    builder = CalculationFactory('enne.ase.run').get_builder()
    builder.code = code
    builder.configurations = ConfigurationsData.from_atoms([bulk('Cu', cubic=True)])
    builder.calculator = {'import_path': 'ase.calculators.emt.EMT', 'level_of_theory': 'EMT'}
    builder.task = {'kind': 'label'}
    builder.metadata.options = options
    builder.metadata.description = 'paid by proj-4711, asked for by Mustermann'
    _, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    return node


def test_of_a_job_stays_what_it_computed(job, tmp_path):
    hidden = ['proj-4711', 'Mustermann', 'erika', job.get_remote_workdir(), job.get_job_id()]
    path, expected = tmp_path / 'public.aiida', job.outputs.dataset.get_arrays()
    whole = parts(share(job, tmp_path / 'whole.aiida'))[DATABASE]
    assert all(one.encode() in whole for one in hidden)
    uuid, folder, before = job.uuid, job.get_remote_workdir(), job.get_option('resources')
    left = publish(job, path)
    for name, content in parts(path).items():
        found = [one for one in (*hidden[:3], folder) if one.encode() in content]
        assert found == [], name
    assert left['files that jobs left (`retrieved`)'] >= 1
    assert left['files that jobs were given'] >= 1
    named = ('remote_workdir', 'remote_path', 'job_id', 'last_job_info')
    assert all(left[f'`{name}` of jobs'] == 1 for name in named)
    assert left['`account` of jobs and codes'] == 2  # once among the inputs of the process
    assert left['`prepend_text` of jobs and codes'] >= 1
    with open_archive(path):
        node = orm.load_node(uuid)
        assert (node.get_job_id(), node.get_remote_workdir()) == ('', '')
        assert node.outputs.retrieved.base.repository.list_object_names() == []
        assert node.get_option('account') == ''
        assert node.get_option('resources') == before
        assert node.description == 'paid by somewhere, asked for by somewhere'
        arrays = node.outputs.dataset.get_arrays()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array, err_msg=name)


def test_what_would_be_left_out_is_listed_and_nothing_is_written(invoke, named, tmp_path):
    path = tmp_path / 'public.aiida'
    shown = invoke('share', named.pk, path, '--public', '--dry-run')
    assert shown.exit_code == 0, shown.output
    assert not path.exists()
    left = preview(named)
    assert left == publish(named, path)
    lines = [line.split() for line in shown.output.splitlines()]
    for name, number in left.items():
        assert [*name.split(), str(number)] in lines
    assert people() == ['Erika']


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
        ('file:///x/y/z', 'file:z'),
        ('PATH=/opt/a/bin:/cluster/users/erika/bin', 'PATH=bin:bin'),
        ('host:/scratch/erika/run1/x', 'host:x'),
        ('sftp://host/scratch/erika/x', 'sftp:x'),
        ('see //nfs/erika/x', 'see x'),
        ('<a>/scratch/erika/x</a>', '<a>x</a>'),
        ('</scratch/erika/x>', '<x>'),
        ('in ~erika/runs/x', 'in x'),
        ('cc -I/home/erika/include -L/home/erika//lib', 'cc -Iinclude -Llib'),
        ('<a></b></c> <d/> a/b/c a//b/c', '<a></b></c> <d/> a/b/c a//b/c'),
        ('https://x.org/a/b:/home/erika/x', 'https://x.org/a/b:x'),
        ('http://x.org:8080/a/b?c=/d/e', 'http://x.org:8080/a/b?c=/d/e'),
        ('22/88 Ry, k 2x2x2, g/cm³', '22/88 Ry, k 2x2x2, g/cm³'),
        ('https://doi.org/10.1/x', 'https://doi.org/10.1/x'),
        ('./out/aiida.save/x.xml', './out/aiida.save/x.xml'),
    ],
)
def test_of_absolute_paths_the_last_part_stays(text, left):
    assert PATH.sub(kept, text) == left


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
