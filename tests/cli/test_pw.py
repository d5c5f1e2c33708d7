"""Jobs of pw.x are followed in their work folder: status, progress, and what stands still."""

import gzip
import os
import time

import pytest
from aiida import orm
from aiida.common.links import LinkType

from aiida_enne.cli import stalled
from aiida_enne.cli.progress import Watch
from aiida_enne.cli.pw import PW
from tests.pw_recordings import FOLDER

#: A relaxation of two atoms.
OUTPUT = gzip.decompress((FOLDER / '9c979ca4d99e' / 'aiida.out.gz').read_bytes())


@pytest.fixture
def job(aiida_profile_clean, aiida_localhost, tmp_path):
    """Return a running job of pw.x in a work folder, called by a work chain."""
    root = orm.WorkChainNode(process_type='aiida.workflows:enne.reference.qe')
    root.set_process_label('QeReferenceWorkChain')
    root.base.attributes.set('process_state', 'waiting')
    root.store()
    job = orm.CalcJobNode(computer=aiida_localhost, process_type=PW)
    job.set_process_label('PwCalculation')
    job.set_option('output_filename', 'aiida.out')
    job.base.attributes.set('process_state', 'waiting')
    job.base.links.add_incoming(root, LinkType.CALL_CALC, 'iteration_01')
    job.store()
    work = tmp_path / 'ab' / 'cd' / 'ef'
    work.mkdir(parents=True)
    job.set_remote_workdir(str(work))
    folder = orm.RemoteData(computer=aiida_localhost, remote_path=str(work))
    folder.base.links.add_incoming(job, LinkType.CREATE, 'remote_folder')
    folder.store()
    return root, job, work / 'aiida.out'


def second_step():
    """Return an output that ends in the third iteration of the second step."""
    parts = OUTPUT.split(b'iteration #  4')
    return b'iteration #  4'.join(parts[:2])


def test_status_shows_steps_and_iterations(invoke, job):
    root, calculation, path = job
    assert 'accuracy (Ry)' in invoke('status', root.pk).output
    path.write_bytes(second_step())
    (line,) = [
        line.split()
        for line in invoke('status', root.pk).output.splitlines()
        if line.split()[:1] == [str(calculation.pk)]
    ]
    assert line[:4] == [str(calculation.pk), '1', '20', '3']
    assert float(line[4]) > 0


def test_a_job_that_writes_nothing_is_named_with_where_it_stands(job, monkeypatch):
    _, calculation, path = job
    path.write_bytes(second_step())
    assert list(stalled.silent([calculation], hours=1)) == []
    old = time.time() - 7200
    os.utime(path, (old, old))
    (verdict,) = stalled.silent([calculation], hours=1)
    assert verdict.level == 'WARN'
    assert '2.0 h' in verdict.message
    assert '1 of at most 20 steps done, iteration 3' in verdict.message
    path.unlink()
    assert list(stalled.silent([calculation], hours=1)) == []


def test_the_line_of_progress_counts_running_jobs(job, tmp_path):
    _, _, path = job
    watch = Watch(tmp_path, 'reference calculations', 'predicting')
    watch._started -= 5  # a file's time is that of a coarse clock
    assert watch._state()[0] == 'reference calculations'
    path.write_bytes(second_step())
    said = 'reference calculations; pw.x: 1 of at most 20 steps done, iteration 3'
    assert watch._state()[0] == said
    path.write_bytes(OUTPUT)
    assert watch._state()[0] == 'reference calculations'
