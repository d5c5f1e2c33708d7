import numpy as np
import pytest
from ase.build import bulk

from aiida_enne.science.structures.lattice import diamond_supercell


@pytest.mark.parametrize('repeats', [1, 2])
def test_agrees_with_ase(repeats):
    ours = diamond_supercell(3.57, repeats, 'C')
    theirs = bulk('C', 'diamond', a=3.57, cubic=True).repeat(repeats)
    assert len(ours) == len(theirs) == 8 * repeats**3
    assert ours.cell[:] == pytest.approx(theirs.cell[:])
    order = [np.lexsort(atoms.positions.round(6).T) for atoms in (ours, theirs)]
    assert ours.positions[order[0]] == pytest.approx(theirs.positions[order[1]])
