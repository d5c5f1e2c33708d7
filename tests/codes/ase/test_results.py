"""Tests for reading what the script wrote: nothing that was cut or spoilt may raise."""

import json
import zlib

import numpy as np
import pytest

from aiida_enne.codes.ase import read_outcome
from aiida_enne.codes.ase.results import HEAD
from aiida_enne.science.plans.tasks import read_task

SUMMARY = json.dumps({'status': 'finished', 'message': '', 'versions': {}, 'seconds': 1.0})
LABEL = read_task({'kind': 'label'})


def frame(configurations, index, energy=-1.0):
    one = configurations.select([index])
    head = dict.fromkeys(HEAD, np.nan) | {'configuration': index, 'energy': energy}
    parts = (list(head.values()), np.full(9, np.nan), one.cells, one.positions, one.forces)
    return np.concatenate([np.ravel(part) for part in parts])


def unit(configurations, indices, failures=()):
    """Return progress and frames as the script leaves them."""
    done = [index for index in indices if index not in failures]
    data = b''.join(frame(configurations, index).tobytes() for index in done)
    report = {
        'configurations': indices,
        'status': 'finished',
        'message': '',
        'failures': [{'configuration': index, 'message': 'no'} for index in failures],
        'attempts': [[0, len(indices)]],
        'done': len(indices),
        'frames': len(done),
        'bytes': len(data),
        'crc': zlib.crc32(data),
        'seconds': 1.0,
        'state': None,
    }
    return json.dumps(report), data


def test_frames_keep_what_the_inputs_know(configurations):
    units = {'1': unit(configurations, [3, 4], failures=[4]), '0': unit(configurations, [0, 9])}
    outcome = read_outcome(SUMMARY, units, configurations, LABEL)
    assert outcome.damages == ['6 configurations have no result in a job that finished']
    chosen = configurations.select([0, 9, 3])
    assert outcome.frames.info['configuration'].tolist() == [0, 9, 3]
    for name in ('positions', 'cells', 'forces', 'domains', 'blocks', 'numbers', 'pbc'):
        np.testing.assert_array_equal(getattr(outcome.frames, name), getattr(chosen, name))
    assert outcome.frames.stresses is None
    assert outcome.results['counts'] == {'failed': 1, 'finished': 3, 'waiting': 6}


def test_one_flipped_bit_is_a_damage(configurations):
    progress, data = unit(configurations, [0, 1])
    spoilt = bytes([*data[:-1], data[-1] ^ 1])
    outcome = read_outcome(SUMMARY, {'0': (progress, spoilt)}, configurations, LABEL)
    assert outcome.damages == ['unit 0: the frames are not those that were written']
    assert outcome.frames is None


def test_every_prefix_of_the_frames_is_a_damage_that_spares_the_others(configurations):
    (progress, data), whole = unit(configurations, [0, 1]), unit(configurations, [2])
    for size in range(0, len(data), 7):
        units = {'0': (progress, data[:size]), '1': whole}
        outcome = read_outcome(SUMMARY, units, configurations, LABEL)
        assert len(outcome.damages) == 1
        assert outcome.frames.info['configuration'].tolist() == [2]


def test_every_prefix_of_the_progress_is_a_damage(configurations):
    progress, data = unit(configurations, [0])
    for size in range(len(progress)):
        outcome = read_outcome(SUMMARY, {'0': (progress[:size], data)}, configurations, LABEL)
        assert len(outcome.damages) == 1
        assert outcome.frames is None


def test_every_prefix_of_the_summary_keeps_the_frames(configurations):
    units = {'0': unit(configurations, [0])}
    for size in range(len(SUMMARY)):
        outcome = read_outcome(SUMMARY[:size], units, configurations, LABEL)
        assert len(outcome.damages) == 1
        assert len(outcome.frames) == 1


def test_spoilt_bytes_never_raise(configurations, rng):
    progress, data = unit(configurations, [0, 1])
    for _ in range(300):
        texts = [bytearray(progress.encode()), bytearray(data)]
        chosen = texts[rng.integers(2)]
        chosen[rng.integers(len(chosen))] = rng.integers(256)
        spoilt = texts[0].decode(errors='replace'), bytes(texts[1])
        outcome = read_outcome(SUMMARY, {'0': spoilt}, configurations, LABEL)
        if outcome.frames is not None:
            assert np.isfinite(outcome.frames.energies).all()
            assert np.isfinite(outcome.frames.forces).all()


def test_what_a_kill_left_behind_the_progress_is_cut_off(configurations):
    progress, data = unit(configurations, [0])
    units = {'0': (progress, data + frame(configurations, 0).tobytes()[:100])}
    outcome = read_outcome(None, units, configurations, LABEL)
    assert outcome.status == 'interrupted'
    assert outcome.damages == []
    assert len(outcome.frames) == 1


@pytest.mark.parametrize('change', [{'done': '1'}, {'configurations': [99]}, {'failures': [1]}])
def test_progress_that_is_none_is_a_damage(configurations, change):
    progress, data = unit(configurations, [0])
    units = {'0': (json.dumps(json.loads(progress) | change), data)}
    assert read_outcome(SUMMARY, units, configurations, LABEL).damages


def test_a_frame_of_no_stage_is_a_damage(configurations):
    stage = {'thermostat': 'langevin', 'temperature': 300, 'steps': 10}
    task = read_task({'kind': 'md', 'stages': [stage]})
    outcome = read_outcome(SUMMARY, {'0': unit(configurations, [0])}, configurations, task)
    assert 'none of the 1 stages' in outcome.damages[0]
