"""Laws of what is read of pw.x while it runs, on outputs recorded here."""

import gzip

import pytest

from aiida_enne.codes.qe.progress import CONVERGED, read_progress
from tests.pw_recordings import FOLDER

RECORDED = sorted(FOLDER.glob('*/aiida.out.gz'))


@pytest.fixture(params=RECORDED, ids=[path.parent.name for path in RECORDED])
def output(request):
    """Return what a run wrote, as bytes."""
    return gzip.decompress(request.param.read_bytes())


def test_steps_only_grow_and_end_with_all_of_them(output, tmp_path):
    path, seen = tmp_path / 'aiida.out', []
    lines = output.splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        if b'iteration #' in line:
            path.write_bytes(b''.join(lines[:number]))
            seen.append(read_progress(path))
    path.write_bytes(output)
    last = read_progress(path)
    steps = [at.steps for at in seen]
    assert steps == sorted(steps)
    assert steps[0] == 0
    assert last.steps == output.decode().count(CONVERGED) >= steps[-1]
    assert not last.runs
    assert all(at.runs for at in seen)
    assert seen[0].iteration == 1
    assert seen[0].accuracy is None
    grown = [(at.steps, at.iteration) for at in seen]
    assert grown == sorted(set(grown))
    assert all(at.of == seen[0].of for at in seen)


def test_the_most_steps_are_those_of_the_input(tmp_path):
    found = set()
    for recording in RECORDED:
        path = tmp_path / 'aiida.out'
        path.write_bytes(gzip.decompress(recording.read_bytes()))
        text = gzip.decompress(recording.with_name('aiida.in.gz').read_bytes()).decode()
        asked = [line.split('=')[1] for line in text.splitlines() if 'nstep' in line]
        assert read_progress(path).of == int(asked[0] if asked else 1)
        found.add(bool(asked))
    assert True in found


@pytest.mark.parametrize('content', [None, b'', b'Program PWSCF v.7', b'\xff\xfe'])
def test_nothing_is_said_before_the_first_iteration(tmp_path, content):
    path = tmp_path / 'aiida.out'
    if content is not None:
        path.write_bytes(content)
    assert read_progress(path) is None
