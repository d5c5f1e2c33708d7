"""A file as others write it, one damaged byte at a time, and what the damaged text says.

The text is read here a second time, by nothing but `split` and `float`: what the import takes must
be what stands there.
"""

import re

import numpy as np
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.data import atomic_numbers

PAIR = re.compile(r'([^\s="]+)\s*=\s*("[^"]*"|[^\s"]+)')
NUMBER = re.compile(r'[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?', re.ASCII)
LETTERS = '0123456789.-+eEdDTFSi_ "=:,\n\tXn'


def write_text():
    """Return extended XYZ of four rattled silicon cells in two groups, with stresses."""
    lines, rng = [], np.random.default_rng(5)
    for number in range(4):
        atoms = bulk('Si', a=5.4 + 0.02 * number, cubic=True)
        atoms.positions += rng.normal(scale=0.1, size=(8, 3))
        atoms.calc = LennardJones(sigma=2.1, epsilon=0.5, rc=5.0)
        cell = ' '.join(f'{value:.6f}' for value in atoms.cell.array.ravel())
        stress = ' '.join(f'{x:.8f}' for x in atoms.get_stress(voigt=False).ravel())
        lines += [
            '8',
            f'Lattice="{cell}" Properties=species:S:1:pos:R:3:forces:R:3 group='
            f'{"melt" if number < 3 else "solid"} T={300 * number} stress="{stress}" '
            f'energy={atoms.get_potential_energy():.8f} pbc="T T T"',
        ]
        for row in np.hstack([atoms.positions, atoms.get_forces()]):
            lines.append('Si' + ''.join(f'{value:15.8f}' for value in row))
    return '\n'.join(lines) + '\n'


def damage(text, rng):
    """Return the text with one byte changed, lost or added."""
    place, letter = int(rng.integers(len(text))), LETTERS[int(rng.integers(len(LETTERS)))]
    how = int(rng.integers(4))
    return text[:place] + (letter if how else '') + text[place + (how != 3) :]


def number(word):
    """Return a plain number; anything else raises."""
    if not NUMBER.fullmatch(word):
        raise ValueError(f'{word!r} is not a number')
    return float(word)


def several(value):
    """Return the numbers of a value; a comma separates them too."""
    return [number(word) for word in value.replace(',', ' ').split()]


def three(row, start):
    """Return three numbers of a row."""
    return [number(word) for word in row[start : start + 3]]


def read_text(text):
    """Return the frames of a text as plain lists: what it says, read in the simplest way."""
    lines, frames = text.split('\n')[:-1], []
    while lines and lines[0].strip():
        n = int(lines[0])
        pairs = {key: value.strip('"') for key, value in PAIR.findall(lines[1])}
        columns = pairs['Properties'].split(':')
        sizes = dict(zip(columns[::3], map(int, columns[2::3]), strict=True))
        starts = dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))
        rows = [line.split() for line in lines[2 : 2 + n]]
        stress = pairs.get('stress')
        frames.append(
            {
                'numbers': [atomic_numbers[row[starts['species']].capitalize()] for row in rows],
                'positions': [three(row, starts['pos']) for row in rows],
                'forces': [three(row, starts['forces']) for row in rows],
                'cell': np.reshape(several(pairs['Lattice']), (3, 3)).tolist(),
                'pbc': [word == 'T' for word in pairs.get('pbc', 'T T T').split()],
                'energy': several(pairs['energy']),
                'stress': None if stress is None else np.reshape(several(stress), (3, 3)),
                'domain': pairs['group'],
            }
        )
        lines = lines[2 + n :]
    return frames


def check_taken(data, text):
    """Assert that configurations are what the text says."""
    frames = read_text(text)
    assert len(data) == len(frames)
    assert data.energies[:, None].tolist() == [frame['energy'] for frame in frames]
    for name in ('positions', 'forces', 'numbers'):
        rows = [row for frame in frames for row in frame[name]]
        assert getattr(data, name).tolist() == rows, name
    assert data.cells.tolist() == [frame['cell'] for frame in frames]
    assert data.pbc.tolist() == [frame['pbc'] for frame in frames]
    assert data.domains.tolist() == [frame['domain'] for frame in frames]
    for stress, frame in zip(data.stresses, frames, strict=True):
        if frame['stress'] is None:
            assert np.isnan(stress).all()
        else:  # of two components in one place that are nearly equal, one is taken or the mean
            half = frame['stress'] - frame['stress'].T
            middle = (frame['stress'] + frame['stress'].T) / 2
            assert (np.abs(stress - middle) <= np.abs(half) / 2 + 1e-12).all()
            assert np.abs(half).max() <= 1e-3 * np.abs(frame['stress']).max()
