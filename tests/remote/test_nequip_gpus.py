"""Tests for GPUs dealt out to processes; a stand-in takes the place of NVIDIA's control program."""

import importlib
import os
import stat
from importlib.resources import files

import pytest

STAND_IN = """#!/bin/sh
echo "$@|$CUDA_VISIBLE_DEVICES|$CUDA_MPS_PIPE_DIRECTORY" >> {log}
test -n "$1" || cat >> {log}
exit {status}
"""


@pytest.fixture
def gpus(monkeypatch):
    """Return the module as a job imports it, in an environment without GPUs."""
    monkeypatch.syspath_prepend(str(files('aiida_enne.remote.nequip')))
    for name in ('CUDA_VISIBLE_DEVICES', 'CUDA_MPS_PIPE_DIRECTORY', 'CUDA_MPS_LOG_DIRECTORY'):
        # set first, so that what the module sets is taken back
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)
    return importlib.import_module('nequip_gpus')


@pytest.fixture
def control(tmp_path, monkeypatch):
    """Return a function that puts a control program into PATH; returns the file of its calls."""

    def run(status=0):
        path, log = tmp_path / 'nvidia-cuda-mps-control', tmp_path / 'calls'
        path.write_text(STAND_IN.format(log=log, status=status))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv('PATH', f'{tmp_path}:{os.environ["PATH"]}')
        return log

    return run


@pytest.mark.parametrize(
    ('named', 'count', 'expected'),
    [
        (None, 2, ['0', '1']),
        (None, 0, []),
        ('3', 1, ['3']),
        ('2,5', 2, ['2', '5']),
        ('GPU-ab,GPU-cd', 1, ['GPU-ab']),
        ('', 1, []),
    ],
)
def test_the_scheduler_says_which_gpus_are_ours(gpus, monkeypatch, named, count, expected):
    if named is not None:
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', named)
    assert gpus.visible(count) == expected


def test_members_go_where_the_fewest_work(gpus):
    busy = []
    for _ in range(5):
        busy.append(gpus.pick(['a', 'b'], busy))
    assert busy == ['a', 'b', 'a', 'b', 'a']
    assert gpus.pick(['a', 'b'], ['a', 'a']) == 'b'
    assert gpus.pick([], []) is None


def test_processes_share_a_gpu_by_mps_of_their_own(gpus, control):
    log = control()
    with gpus.shared(['3', '5'], 8) as devices:
        # the daemon counts the GPUs that it was given from zero
        assert devices == ['0', '1']
        folder = os.environ['CUDA_MPS_PIPE_DIRECTORY']
        assert os.path.isdir(folder)  # noqa: PTH112
        assert len(folder) < 80
    start, stop, said = log.read_text().splitlines()
    assert start == f'-d|3,5|{folder}'
    assert (stop, said) == (f'|3,5|{folder}', 'quit')
    assert not os.path.exists(folder)  # noqa: PTH110


def test_mps_ends_with_a_job_that_fails(gpus, control):
    log = control()
    with pytest.raises(RuntimeError, match='lost'), gpus.shared(['0'], 2):
        raise RuntimeError('lost')
    assert log.read_text().endswith('quit\n')


def test_without_mps_processes_take_turns(gpus, control, capsys, monkeypatch):
    control(status=1)
    with gpus.shared(['0'], 2) as devices:
        assert devices == ['0']
        assert 'CUDA_MPS_PIPE_DIRECTORY' not in os.environ
    assert 'take turns' in capsys.readouterr().out
    monkeypatch.setenv('PATH', '/nowhere')
    with gpus.shared(['0'], 2) as devices:
        assert devices == ['0']


def test_a_process_for_each_gpu_needs_no_mps(gpus, control):
    log = control()
    for devices, processes in ((['0', '1'], 2), ([], 4)):
        with gpus.shared(devices, processes) as found:
            assert found == devices
    assert not log.exists()
