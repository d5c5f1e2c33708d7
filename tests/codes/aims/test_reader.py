import numpy as np
import pytest

from aiida_enne.codes.aims.output import Verdict, read_output
from aiida_enne.codes.aims.reader import OutputReader
from tests.aims_runs import RUNS

REAL = [
    *('aiidafhiaims_gaas', 'diamond64', 'h2o_md', 'killed_mpi', 'o2_relax', 'si8_forces'),
    *('si_fcc_stubmpi', 'si_forces_stress', 'si_relax_cell', 'si_static'),
]
NAMES = [*RUNS, *(f'real {name}' for name in REAL)]
CUT = {Verdict.NOT_STARTED, Verdict.TRUNCATED}


def same(frame, other):
    """Tell whether two frames hold the same.

    The stress may be lost alone, and so may the last digits of the input positions, which only
    the repeated geometry.in has.
    """
    return (
        frame.symbols == other.symbols
        and frame.energies == other.energies
        and np.allclose(frame.positions, other.positions, rtol=0, atol=1e-8)
        and (frame.cell is None) == (other.cell is None)
        and (frame.cell is None or np.allclose(frame.cell, other.cell, rtol=0, atol=1e-8))
        and (frame.forces is None or np.array_equal(frame.forces, other.forces))
    )


@pytest.mark.parametrize('name', NAMES)
def test_cut_at_every_line(name, aims_text):
    text = aims_text(name)
    whole, lines, reader, known = read_output(text), text.split('\n')[:-1], OutputReader(), 0
    for number, line in enumerate(lines):
        reader.feed(line)
        output = reader.result()
        assert output.verdict in CUT | {whole.verdict}, number
        if output.verdict is Verdict.FINISHED:
            assert any('Have a nice day.' in line for line in lines[number - 3 : number + 1])
        assert len(output.frames) - known in (0, 1), number
        if len(output.frames) > known:
            known = len(output.frames)
            assert all(map(same, output.frames, whole.frames))
            assert output.frames[-1].forces is not None or whole.frames[0].forces is None
    assert known == len(whole.frames)
    assert output.verdict == whole.verdict


@pytest.mark.parametrize('name', NAMES)
def test_cut_text_reads_as_its_lines_do(name, aims_text):
    lines, reader, done = aims_text(name).split('\n')[:-1], OutputReader(), 0
    for cut in np.linspace(0, len(lines), 12, dtype=int):
        for line in lines[done:cut]:
            reader.feed(line)
        done = cut
        expected = reader.result()
        output = read_output(''.join(line + '\n' for line in lines[:cut]))
        assert (output.verdict, output.reason) == (expected.verdict, expected.reason)
        assert output.warnings == expected.warnings
        assert all(map(same, output.frames, expected.frames))
        assert len(output.frames) == len(expected.frames)


@pytest.mark.parametrize('name', NAMES)
def test_cut_at_any_byte(name, aims_text, rng):
    text = aims_text(name)
    data, whole = text.encode(), read_output(text)
    ends = [data.find(b'Total atomic forces'), data.find(b'Electronic free energy        :')]
    near = [end + offset for end in ends if end > 0 for offset in range(0, 200, 7)]
    for cut in [*rng.integers(0, len(data), 15), *near]:
        output = read_output(data[:cut].decode(errors='replace'))
        assert output.verdict in CUT | {whole.verdict}
        assert all(map(same, output.frames, whole.frames))


def test_a_number_cut_in_two_is_not_taken(aims_text):
    text = aims_text('si8_forces')
    last = text.index('|    8 ', text.index('Total atomic forces'))
    end = text.index('\n', last)
    assert len(read_output(text[: end + 1]).frames) == 1
    for cut in (end, end - 1, end - 5):
        output = read_output(text[:cut])
        assert output.frames == ()
        assert output.verdict is Verdict.TRUNCATED


MOVING = ['h2o_md', 'o2_relax', 'si_relax_cell', 'si8_forces']


@pytest.mark.parametrize('name', MOVING + [f'real {name}' for name in MOVING])
def test_a_lost_line_never_gives_a_wrong_frame(name, aims_text, rng):
    text = aims_text(name)
    whole, lines = read_output(text), text.split('\n')
    marked = [
        number
        for number, line in enumerate(lines)
        if any(word in line for word in ('atom', 'Total energy', 'loop', 'lattice', 'velocity'))
    ]
    numbers = {*rng.choice(len(lines), 30), *rng.choice(marked, 90)}
    for number in numbers:
        output = read_output('\n'.join(lines[:number] + lines[number + 1 :]))
        for frame in output.frames:
            assert any(same(frame, other) for other in whole.frames), lines[number]


@pytest.mark.parametrize('name', NAMES)
def test_broken_lines_never_raise(name, aims_text, rng):
    lines = aims_text(name).split('\n')
    garbage = ['*' * 30, 'NaN', '1e999', '\x00\ufffd', '|', ':', '-1', '9' * 5000, '１２', '\t', '']
    for _ in range(8):
        broken = list(lines)
        for number in rng.integers(0, len(lines), 200):
            words = broken[number].split(' ')
            words[rng.integers(len(words))] = garbage[rng.integers(len(garbage))]
            broken[number] = ' '.join(words)
        first, second = np.sort(rng.integers(0, len(lines), 2))
        broken[first:second] = broken[first:second][:: rng.choice([-1, 1, 2])]
        output = read_output('\n'.join(broken))
        assert output.verdict in set(Verdict)
        for frame in output.frames:
            arrays = (frame.positions, frame.forces, frame.stress, frame.velocities)
            assert all(np.isfinite(array).all() for array in arrays if array is not None)


@pytest.mark.parametrize('text', ['', '\n', '\x00', 'x' * 10**6, '|' * 10**5, '\n' * 10**5, '* \n'])
def test_no_output_at_all(text):
    output = read_output(text)
    assert (output.verdict, output.frames) == (Verdict.NOT_STARTED, ())
    assert output.unfinished is None


def test_unfinished_step_tells_where_a_relaxation_may_go_on(aims_text):
    text = aims_text('o2_relax')
    second = text.index('Updated atomic structure', text.index('Updated atomic structure') + 1)
    output = read_output(text[: text.index('Writing', second)])
    assert len(output.frames) == 2
    heights = output.unfinished.geometry.positions[:, 2]
    np.testing.assert_array_equal(heights, -heights[::-1])
    assert heights[0] == read_output(text).frames[2].positions[0, 2]
    assert output.unfinished.scf == ()


def test_unfinished_cycle_keeps_its_history(aims_text):
    text = aims_text('si8_forces')
    output = read_output(text[: text.index('Begin self-consistency iteration #    7')])
    assert output.frames == ()
    assert len(output.unfinished.scf) == 6
    assert not output.unfinished.converged
    assert output.unfinished.geometry.symbols == ('Si',) * 8


def test_cycle_before_a_restart_of_the_mixer_is_discarded(aims_text):
    text = aims_text('si8_forces')
    begin = text.index('          Begin self-consistency loop')
    end = text.index('  Self-consistency cycle converged')
    stop = text.index('Have a nice day')
    given_up = (
        text[begin:end].replace('-63209.5', '-11111.1')
        + '  Self-consistency cycle not yet converged - restarting mixer to attempt better '
        'convergence.\n'
    )
    again = text[begin:stop].replace('loop: Initialization', 'loop: Re-initialization')
    output = read_output(text[:begin] + given_up + again + text[stop:])
    expected = read_output(text)
    assert output.verdict is Verdict.FINISHED
    assert len(output.frames) == 1
    assert same(output.frames[0], expected.frames[0])
    assert output.frames[0].scf == expected.frames[0].scf


def test_cycles_of_a_numerical_stress_are_no_steps(aims_text):
    text = aims_text('o2_relax')
    first = text.index('          Begin self-consistency loop: Re-init')
    second = text.index('          Begin self-consistency loop: Re-init', first + 1)
    cycle = text[first : text.index('  Geometry optimization: Attempting', first)]
    displaced = (
        '  Components of the stress tensor (for mathematical background see comments in '
        f'numerical_stress.f90).\n{cycle}{cycle}  Calculation of numerical stress completed\n'
    )
    before = text.rindex('  Geometry optimization: Attempting', 0, first)
    output = read_output(text[:before] + displaced + text[before:])
    assert second > first
    assert output.verdict is Verdict.FINISHED
    assert all(map(same, output.frames, read_output(text).frames))
    assert len(output.frames) == 4


def test_steps_that_are_not_whole_are_counted(aims_text):
    text = aims_text('h2o_md').replace('Self-consistency cycle converged', 'Self-consistency', 1)
    output = read_output(text)
    assert len(output.frames) == 4
    assert output.warnings[-1] == '1 steps are left out: they are not whole'
