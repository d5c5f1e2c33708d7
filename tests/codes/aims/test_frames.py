"""Outputs of others: labels of species, sockets, numerical stresses, contradictions, damage."""

import re

import numpy as np
import pytest

from aiida_enne.codes.aims.frames import FORMAT, read_frames
from aiida_enne.codes.aims.output import Verdict, read_output
from aiida_enne.science.importing.checking import FREE_ENERGY
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.gather import import_files
from aiida_enne.science.importing.problems import ImportRefusedError
from tests.aims_runs import RUNS, run_of
from tests.aims_writer import RULE, boxed

TITLE = 'Total atomic forces (unitary forces cleaned) [eV/Ang]:'
REAL = ('diamond64', 'h2o_md', 'o2_relax', 'si8_forces', 'si_forces_stress', 'si_relax_cell')
LABELLED = ('si8_forces', 'c64_forces', 'si_forces_stress', 'h2o_md', 'o2_relax', 'si_relax_cell')


@pytest.fixture
def take(tmp_path):
    """Return a function that imports a text: `imported = take(text, **choices)`."""

    def run(text, **choices):
        path = tmp_path / 'aims.out'
        path.write_text(text)
        choices = {'allow_molecules': True, 'elements': ('C', 'H', 'O', 'Si')} | choices
        return import_files([path], ImportChoices(**choices), readers={FORMAT: read_frames})

    return run


def refusal(take, text, **choices):
    with pytest.raises(ImportRefusedError) as caught:
        take(text, **choices)
    return str(caught.value)


@pytest.mark.parametrize('label', ['Si_top', 'Si1', 'Si', 'Carbon', 'C', '14'])
def test_the_element_is_that_of_the_species_whatever_its_label(take, label):
    text = run_of('si8_forces').text
    labelled = re.sub(r'\bSi\b', label, text)
    output = read_output(labelled)
    assert output.frames[0].symbols == ('Si',) * 8
    assert output.verdict is Verdict.FINISHED
    assert take(labelled).configurations.elements == ['Si']


@pytest.mark.parametrize(
    ('label', 'element'), [('Si_top', 'Si'), ('Si1', 'Si'), ('C_2', 'C'), ('Carbon', None)]
)
def test_without_species_the_label_must_begin_with_the_element(take, label, element):
    text = re.sub(r'\bSi\b', label, run_of('si8_forces').text)
    text = re.sub(r'.*(Found nuclear charge|nucleus ).*\n', '', text)
    if element is None:
        assert 'of the species Carbon no element is known' in refusal(take, text)
    else:
        assert take(text).configurations.elements == [element]


def test_relaxations_with_labels_of_species_are_read_to_their_end(take):
    text = re.sub(r'\bO\b', 'O_a', run_of('o2_relax').text)
    assert len(take(text).configurations) == 4


def socket(text, shift):
    """Turn a single point into one whose atoms the wrapper moved; return text and its cut."""
    said = '  Using external wrapper (i-PI) for performing (path integral) molecular dynamics\n'
    begin = text.index('  Forces will be computed.')
    text = text[:begin] + said + text[begin:]
    frame = run_of('si8_forces').frames[0]
    lines = [' Atomic structure that was used in the preceding time step of the wrapper']
    lines += ['                         x [A]             y [A]             z [A]']
    for name, rows in (('lattice_vector', frame.cell), ('atom', frame.positions + shift)):
        for row in rows:
            end = '  Si' if name == 'atom' else ''
            lines.append(f'  {name:>14}' + ''.join(f'{x:18.8f}' for x in row) + end)
    end = text.rindex(RULE, 0, text.index('Have a nice day'))
    return text[:end] + '\n'.join([*lines, '']) + text[end:], text[:end]


def test_frames_behind_a_socket_are_those_of_the_wrapper(take):
    text, cut = socket(run_of('si8_forces').text, 0.5)
    (frame,) = read_output(text).frames
    assert np.allclose(frame.positions, run_of('si8_forces').frames[0].positions + 0.5, atol=1e-7)
    early = read_output(cut)
    assert early.frames == ()
    assert early.unfinished.geometry is None, 'geometry.in is ignored in such a run'
    assert 'lacks its regular end' in refusal(take, cut)
    assert 'no whole step' in refusal(take, cut, allow_incomplete=True)
    assert len(take(text).configurations) == 1


def strained(text, *, titled):
    """Put a numerical stress into a single point: twelve cycles, the tensor, the cycle again."""
    begin = text.index(f'{RULE}\n          Begin self-consistency loop: Initialization')
    end = text.index('  ' + RULE, text.index('Total atomic forces'))
    cycle = text[begin:end].replace('Initialization', 'Re-initialization')
    other = re.sub(r'(-0\.63\d+)', lambda m: m[1].replace('63', '61', 1), cycle)
    words = ['  Calculation of numerical stress starts.\n'] if titled else []
    for number in range(12):
        title = f'  Components of the stress tensor (strain {number})\n' if titled else ''
        words.append(title + other)
    tensor = 1e-3 * np.array([[2.4, 0.1, 0.2], [0.1, 2.6, 0.3], [0.2, 0.3, 2.5]])
    box = '\n'.join(boxed(tensor)).replace(
        'Analytical stress tensor - Symmetrized', '      Numerical stress tensor         '
    )
    words += ['  Calculation of numerical stress completed\n\n', box, '\n']
    words += ['  Calculation of original geometry\n', cycle]
    return text[:end] + ''.join(words) + text[end:], tensor


@pytest.mark.parametrize('titled', [True, False])
def test_a_numerical_stress_belongs_to_the_geometry_before_it(take, titled):
    whole = run_of('si8_forces').frames[0]
    text, tensor = strained(run_of('si8_forces').text, titled=titled)
    output = read_output(text)
    assert output.verdict is Verdict.FINISHED
    (frame,) = output.frames
    assert np.allclose(frame.stress, tensor, atol=1e-9)
    assert np.array_equal(frame.forces, whole.forces)
    assert frame.energies == whole.energies
    assert output.left_out == 0
    stresses = take(text).configurations.stresses
    assert np.allclose(stresses[0], tensor, atol=1e-9)


def test_energies_are_the_electronic_free_energies(take):
    imported = take(run_of('o2_relax').text)
    free = [frame.energies.free for frame in run_of('o2_relax').frames]
    assert imported.configurations.energies.tolist() == free
    assert imported.energy == FREE_ENERGY
    assert take(run_of('h2o_md').text).energy == '', 'where all energies are one, nothing is said'


def test_contradictions_of_an_output_are_named(take):
    text = run_of('si8_forces').text
    row = next(line for line in text.split('\n') if line.startswith('  |    3: Species Si'))
    moved = row[:-16] + f'{float(row.split()[-1]) + 0.25:16.8f}'
    table = text.replace(row, moved)
    words = 'geometry.in as repeated and the table of the input geometry disagree: atom 3 by'
    assert words in refusal(take, table)
    assert words in ' '.join(read_output(table).warnings)
    assert len(take(table, allow_implausible=True).configurations) == 1
    free = run_of('si8_forces').frames[0].energies.free
    other = text.replace(f'{free:20.8f} eV', f'{free + 2:20.8f} eV')
    assert other != text
    assert 'the electronic free energy is' in refusal(take, other)
    lost = run_of('si_relax_cell').text.replace('Analytical stress tensor', 'Analytical', 1)
    assert 'a stress is asked for, but none is read of the steps [0]' in refusal(take, lost)


def test_a_step_that_is_not_whole_is_named(take):
    text = run_of('h2o_md').text
    broken = text.replace('Self-consistency cycle converged', 'Self-consistency', 1)
    assert 'not a label: 1 steps that are not whole' in refusal(take, broken)
    imported = take(broken, drop_unusable=True)
    assert len(imported.configurations) == 4
    assert '1 steps that are not whole' in imported.notes[0]
    last = text.rindex('Self-consistency cycle converged')
    unconverged = text[:last] + text[last:].replace('cycle converged', 'cycle', 1)
    assert 'not a label: the step after the last whole one' in refusal(take, unconverged)


def taken_or_refused(take, text, **choices):
    """Return the configurations, or None if the file is refused by its name."""
    try:
        return take(text, **choices).configurations
    except ImportRefusedError as exception:
        if 'aims.out' not in str(exception):
            raise
    return None


def numbers_of(text):
    """Return the numbers of a text that one damaged byte may have changed."""
    found = []
    for word in re.split(r'[\s|:]+', text):
        try:
            found.append(float(word.replace('D', 'E')))
        except ValueError:
            continue
    return np.array(found)


def check_damaged(take, text, whole, cut, letter):
    """One byte is changed: all is as it was, or one number is what the text says, or refused.

    Returns:
        What it came to.
    """
    damaged = text[:cut] + letter + text[cut + 1 :]
    data = taken_or_refused(take, damaged)
    if data is None:
        return 'refused'
    assert len(data) == len(whole)
    changed = []
    for name in ('energies', 'forces', 'positions', 'cells', 'numbers', 'stresses'):
        before, after = getattr(whole, name), getattr(data, name)
        assert (before is None) == (after is None)
        if before is not None:
            # the last digits of the input positions stand in the repeated geometry.in alone
            differ = ~np.isclose(before, after, rtol=0, atol=2e-8, equal_nan=True)
            if name == 'stresses' and differ.sum() == 2:  # of a tensor that is made symmetric
                differ = differ & np.triu(np.ones((3, 3), dtype=bool))
                changed += (2 * after - before)[differ].tolist()
            else:
                changed += after[differ].tolist()
    if not changed:
        return 'as it was'
    line = damaged[damaged.rindex('\n', 0, cut) : damaged.find('\n', cut + 2)]
    assert len(changed) == 1, line
    assert np.isclose(numbers_of(line), changed[0], rtol=1e-12, atol=1e-12).any(), line
    return 'another number'


def damage(take, text, count, seed):
    rng, lines = np.random.default_rng(seed), text.split('\n')
    starts = np.cumsum([0, *(len(line) + 1 for line in lines)])
    words = ('atom', 'Species', 'lattice', 'energy', '|  ', 'velocity', 'Self-cons', 'Begin')
    hot = [n for n, line in enumerate(lines) if line and any(word in line for word in words)]
    whole, letters = take(text).configurations, list('0123456789.-+eEDxyzAtomSi |:*\n')
    outcomes = []
    for number in range(count):
        line = int(rng.choice(hot) if number % 2 else rng.integers(1, len(lines)))
        cut = int(starts[line] + rng.integers(max(len(lines[line]), 1)))
        outcomes.append(check_damaged(take, text, whole, cut, str(rng.choice(letters))))
    return outcomes


@pytest.mark.slow
@pytest.mark.parametrize('name', [*LABELLED, *(f'real {name}' for name in REAL)])
def test_three_hundred_damaged_files_are_right_or_refused(take, aims_text, name):
    outcomes = damage(take, aims_text(name), 300, seed=7)
    assert outcomes.count('refused') > 3
    assert outcomes.count('as it was') > 100


@pytest.mark.parametrize('name', ['si_forces_stress', 'h2o_md'])
def test_damaged_files_are_right_or_refused(take, name):
    assert 'refused' in damage(take, run_of(name).text, 40, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize('name', RUNS)
def test_every_prefix_is_whole_steps_or_refused(take, name):
    """Cut at every line, and within it; the reader alone is cut at every line in its own tests."""
    run = run_of(name)
    lines, at, longest = run.text.split('\n')[:-1], 0, 0
    for line in lines:
        for cut in (at + len(line) // 2, at + len(line) + 1):
            prefix = run.text[:cut]
            ended = 'Have a nice day.' in prefix
            if not ended and cut % 7 == 0:
                assert 'lacks its regular end' in refusal(take, prefix) or cut < 200
            data = taken_or_refused(take, prefix, allow_incomplete=True)
            if data is None:
                continue
            frames = [frame for frame in run.frames if frame.forces is not None]
            assert longest <= len(data) <= len(frames)
            longest = len(data)
            forces = np.concatenate([frame.forces for frame in frames[: len(data)]])
            positions = np.concatenate([frame.positions for frame in frames[: len(data)]])
            assert np.array_equal(data.forces, forces)
            assert np.allclose(data.positions, positions, rtol=0, atol=2e-8)
        at += len(line) + 1
