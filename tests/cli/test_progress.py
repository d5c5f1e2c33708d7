"""Tests for what is shown while trainings run: read from the files that they write."""

import json
from contextlib import nullcontext

from aiida import orm

from aiida_enne.cli import progress
from aiida_enne.cli.ledger import Ledger


def member(folder, label, epoch, max_epochs=4):
    """Write what a member writes, in a working folder as AiiDA names them."""
    path = folder / 'ab' / 'cd' / 'ef-1' / 'members' / label / 'progress.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({'epoch': epoch, 'max_epochs': max_epochs}))
    return path


def test_epochs_of_all_members_are_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, 'QUIET_INTERVAL', 0.05)
    watch = progress.Watch(tmp_path, 'reference calculations', 'predicting')
    assert watch._state() == ('reference calculations', 0, 0)
    member(tmp_path, 'seed_1', 4)
    path = member(tmp_path, 'seed_2', 1)
    assert watch._state() == ('training, 1 of 2 members done', 5, 8)
    path.write_text('{"epoch": ')  # read while it is being written
    assert watch._state()[1:] == (4, 4)
    member(tmp_path, 'seed_2', 4)
    assert watch._state()[0] == '2 members trained, predicting'
    with watch:
        watch._stop.wait(0.3)
    assert 'epoch 8 of 8' in capsys.readouterr().out


def test_the_total_of_a_training_stands_before_its_last_member_begins(tmp_path):
    watch = progress.Watch(tmp_path, 'at work', 'at work', epochs=12)
    for number in range(1, 4):
        member(tmp_path, f'seed_{number}', 4)
        assert watch._state()[1:] == (4 * number, 12)
    assert watch._state()[0] == '3 members trained, at work'


def test_the_time_left_of_a_training_follows_its_own_pace(tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(progress.time, 'time', lambda: now[0])
    watch = progress.Watch(tmp_path, 'at work', 'at work', Ledger([]))
    monkeypatch.setattr(progress.Watch, '_files', lambda *_: tmp_path.glob('*/*/*/*/*/*.json'))
    member(tmp_path, 'seed_1', 2, 42)
    assert watch._line() == '0 of 0 jobs; training, 0 of 1 members done'  # no pace is known yet
    now[0] += 100.0
    member(tmp_path, 'seed_1', 22, 42)  # 20 epochs in 100 s: as many are left
    assert watch._line() == '0 of 0 jobs, about 2 min left; training, 0 of 1 members done'
    watch.plan = None
    assert watch._line() == 'training, 0 of 1 members done, epoch 22 of 42, about 2 min left'


def test_older_jobs_are_not_counted(tmp_path):
    member(tmp_path, 'seed_1', 4)
    watch = progress.Watch(tmp_path, 'at work', 'at work')
    watch._started += 60
    assert watch._state() == ('at work', 0, 0)


def test_only_this_machine_is_watched(aiida_profile_clean, aiida_localhost, tmp_path):
    code = orm.InstalledCode(
        label='here', computer=aiida_localhost, filepath_executable='/bin/true'
    )
    watch = progress.watch_code(code)
    member(watch.folder, 'seed_1', 2)
    assert watch._state()[1:] == (2, 4)
    code.computer = orm.Computer(
        label='far', hostname='far', transport_type='core.ssh', scheduler_type='core.slurm'
    )
    assert isinstance(progress.watch_code(code), nullcontext)
