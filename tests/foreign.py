"""A set of labels as others publish theirs: extended XYZ with words of their own for domains."""

import numpy as np
from ase.build import bulk
from ase.calculators.morse import MorsePotential

#: Group, temperature and number of frames; the strained cells have no temperature.
GROUPS = [('melt', 300, 6), ('melt', 2530, 6), ('strained', None, 5), ('vacancy', 300, 4)]
DOMAINS = {'melt 300': 6, 'melt 2530': 6, 'strained': 5, 'vacancy 300': 4}


def write_foreign(path):
    """Write the file and return its path."""
    lines, rng = [], np.random.default_rng(11)
    for group, temperature, count in GROUPS:
        for number in range(count):
            atoms = bulk('Si', a=5.43 + 0.01 * number, cubic=True)
            del atoms[: group == 'vacancy']
            width = 0.05 + 3e-5 * (temperature or 0)
            atoms.positions += rng.normal(scale=width, size=atoms.positions.shape)
            atoms.calc = MorsePotential(epsilon=1.5, r0=2.35, rho0=5.0)
            cell = ' '.join(f'{value:.8f}' for value in atoms.cell.array.ravel())
            heat = '' if temperature is None else f' temperature_K={temperature}'
            lines += [
                f'{len(atoms)}',
                f'Lattice="{cell}" Properties=species:S:1:pos:R:3:forces:R:3 group={group} '
                f'description="Frame {number} of {group}"{heat} '
                f'energy={atoms.get_potential_energy():.8f} pbc="T T T"',
            ]
            for row in np.hstack([atoms.positions, atoms.get_forces()]):
                lines.append('Si' + ''.join(f'{value:17.8f}' for value in row))
    path.write_text('\n'.join(lines) + '\n')
    return path
