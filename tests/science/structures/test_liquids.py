import numpy as np
import pytest

from aiida_enne.science.structures.liquids import cubic_cell_length, liquid_start

#: Mass densities of the paper's melts in g/cm³, and edges of their cells in Å.
PAPER_DENSITIES = (1.89, 2.21, 2.57, 2.94, 3.36)
PAPER_LENGTHS = (11.645, 11.054, 10.511, 10.051, 9.613)


@pytest.mark.parametrize(
    ('density', 'length'), zip(PAPER_DENSITIES, PAPER_LENGTHS, strict=True), ids=str
)
def test_the_cells_are_the_papers(density, length):
    assert cubic_cell_length(density, 64) == pytest.approx(length, rel=1e-4)


@pytest.mark.parametrize('repeats', [1, 2, 3])
def test_density_is_what_was_asked(repeats):
    atoms = liquid_start(2.33, repeats, 'Ge')
    grams = atoms.get_masses().sum() * 1.66053907e-24
    assert len(atoms) == 8 * repeats**3
    assert grams / (atoms.get_volume() * 1e-24) == pytest.approx(2.33, rel=1e-6)


def test_start_is_diamond(symmetry, neighbours):
    atoms = liquid_start(2.57)
    assert symmetry(atoms).number == 227
    assert set(neighbours(atoms, 2.5)) == {4}


def test_rattle_is_repeated_by_its_seed_and_by_no_other():
    first, again, other = (liquid_start(2.57, rattle=0.1, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.positions, again.positions)
    assert not np.allclose(first.positions, other.positions)
    assert np.std(first.positions - liquid_start(2.57).positions) == pytest.approx(0.1, rel=0.2)


@pytest.mark.parametrize(
    ('arguments', 'options', 'message'),
    [
        ((0.0,), {}, 'density must be a positive number of g/cm³, got 0.0'),
        ((float('nan'),), {}, 'density must be a positive'),
        ((2.57, 0), {}, 'repeats must be an integer of at least 1, got 0'),
        ((2.57, 1.5), {}, 'repeats must be an integer'),
        ((2.57, 2, 'Xx'), {}, "'Xx' is not the symbol"),
        ((2.57, 2, 'X'), {}, "'X' is not the symbol"),
        ((2.57,), {'rattle': 0.1}, 'rattle and seed go together'),
        ((2.57,), {'seed': 1}, 'rattle and seed go together'),
        ((2.57,), {'rattle': -0.1, 'seed': 1}, 'must not be negative'),
    ],
)
def test_bad_input_is_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        liquid_start(*arguments, **options)
