"""Laws of formation energies: known values, and what cancels must cancel."""

import numpy as np
import pytest

from aiida_enne.science.data.configurations import concatenate
from aiida_enne.science.properties.formation import formation, formations, size_series
from tests.science.paper import crystal, label, relaxation

PATH = np.array([4.5, 4.1, 3.9, 3.88])


def members(configurations, n_members=30, per_atom=0.05, own=0.02, seed=0):
    """Return energies with errors per atom that a member makes everywhere, and some of its own."""
    rng = np.random.default_rng(seed)
    common = per_atom * rng.normal(size=(n_members, 1)) * configurations.n_atoms
    return (
        configurations.energies + common + own * rng.normal(size=(n_members, len(configurations)))
    )


@pytest.mark.parametrize(('name', 'extra'), [('vacancy', -1), ('hexagonal', 1), ('dumbbell', 1)])
def test_a_known_energy_of_a_defect_comes_out(name, extra):
    made = relaxation(f'{name} 3³', 216 + extra, 216, PATH, 3)
    found = formation(made, np.tile(made.energies, (2, 1)), f'{name} 3³')
    assert (found.symbol, found.unit, found.n_atoms) == ('E_f', 'eV', 216 + extra)
    assert found.joule_per_square_metre is None
    assert found.steps.tolist() == [0, 1, 2, 3]
    assert found.reference == pytest.approx(PATH, abs=1e-9)
    assert found.members == pytest.approx(np.tile(PATH, (2, 1)), abs=1e-9)
    assert found.error == pytest.approx(np.zeros(4), abs=1e-9)


def test_a_known_energy_of_a_surface_comes_out():
    made = relaxation('Si(100) tilted, 10 layers', 20, 8, 4 * PATH)
    found = formation(made, np.tile(made.energies, (2, 1)), 'Si(100) tilted, 10 layers')
    assert (found.symbol, found.unit) == ('γ', 'eV per surface atom')
    # two atoms on each of two faces
    assert found.reference == pytest.approx(PATH, abs=1e-9)
    # a face of 25 Å² has two atoms: 1 eV per atom is 2/25 eV/Å²
    assert found.joule_per_square_metre == pytest.approx(16.02176634 * 2 / 25)


@pytest.mark.parametrize(
    ('domain', 'n_atoms', 'n_crystal', 'repeats'),
    [('vacancy 3³', 215, 216, 3), ('Si(100) tilted, 8 layers', 16, 8, None)],
)
def test_a_constant_per_atom_on_one_member_changes_nothing(domain, n_atoms, n_crystal, repeats):
    made = relaxation(domain, n_atoms, n_crystal, PATH, repeats)
    energies = members(made)
    moved = energies.copy()
    moved[3] += 2.5 * made.n_atoms
    one, other = formation(made, energies, domain), formation(made, moved, domain)
    assert other.members == pytest.approx(one.members, abs=1e-9)
    assert other.spread == pytest.approx(one.spread, abs=1e-9)
    # but not so if squares are added
    assert (other.quadrature > 5 * one.quadrature).all()


def test_the_order_of_members_is_theirs_alone():
    made = relaxation('vacancy 3³', 215, 216, PATH, 3)
    energies, order = members(made, 5), [4, 2, 0, 1, 3]
    one, other = (formation(made, e, 'vacancy 3³') for e in (energies, energies[order]))
    assert other.members.tolist() == one.members[order].tolist()
    assert other.error == pytest.approx(one.error)
    assert other.spread == pytest.approx(one.spread)
    assert one.errors == pytest.approx(one.members - one.reference)
    assert formation(made, energies, 'vacancy 3³', ddof=1).spread == pytest.approx(
        one.spread * np.sqrt(5 / 4)
    )


def test_adding_squares_overstates_the_spread_of_large_cells():
    """Errors per atom in common: σ(E_d) = 999 s, so √2 · 999 s where member-wise only own stays."""
    made = relaxation('vacancy 5³', 999, 1000, PATH, 5)
    found = formation(made, members(made, 4000, 0.002, 0.05), 'vacancy 5³')
    expected = np.sqrt(999**2 + (0.999 * 1000) ** 2) * 0.002 / (np.sqrt(1 + 0.999**2) * 0.05)
    assert found.quadrature / found.spread == pytest.approx(np.full(4, expected), rel=0.05)
    assert expected > 30


def test_independent_errors_make_adding_squares_right():
    made = relaxation('vacancy 3³', 215, 216, PATH, 3)
    found = formation(made, members(made, 20_000, 0.0, 0.05), 'vacancy 3³')
    assert found.quadrature / found.spread == pytest.approx(np.ones(4), rel=0.02)


def test_steps_are_put_in_order():
    made = relaxation('vacancy 3³', 215, 216, PATH, 3).select([2, 4, 0, 3, 1])
    found = formation(made, members(made), 'vacancy 3³')
    assert found.steps.tolist() == [0, 1, 2, 3]
    assert found.reference == pytest.approx(PATH, abs=1e-9)


def test_one_frame_needs_no_step():
    made = label([crystal(7), crystal(8)], ['vacancy 1³', 'bulk 1³'], [-24.0, -32.0])
    assert formation(made, np.array([[-24.0, -32.0]] * 2), 'vacancy 1³').reference == [4.0]


def test_own_geometries_without_labels_have_no_error():
    made = relaxation('vacancy 3³', 215, 216, PATH, 3, own='own ')
    energies = members(made)
    labelled = formation(made, energies, 'own vacancy 3³')
    found = formation(made.unlabelled(), energies, 'own vacancy 3³')
    assert np.isnan(found.reference).all()
    assert np.isnan(found.error).all()
    assert found.spread == pytest.approx(labelled.spread)


def test_own_paths_refer_to_the_own_crystal_where_there_is_one():
    made = relaxation('vacancy 3³', 215, 216, PATH, 3, own='own ')
    other = label([crystal(216)], ['own bulk 3³'], [216 * -4.0 - 1.0], step=[0])
    joined = concatenate([made, other])
    found = formation(joined, np.tile(joined.energies, (2, 1)), 'own vacancy 3³')
    assert found.reference == pytest.approx(PATH + 215 / 216, abs=1e-9)


def test_all_of_a_dataset_and_over_the_size():
    parts = [
        relaxation('vacancy 3³', 215, 216, PATH, 3),
        relaxation('vacancy 2³', 63, 64, PATH + 0.2, 2),
        relaxation('Si(100) tilted, 10 layers', 20, 8, PATH),
    ]
    made = concatenate(parts)
    found = formations(made, members(made, 5))
    assert list(found) == ['Si(100) tilted, 10 layers', 'vacancy 2³', 'vacancy 3³']
    series = size_series(found.values())
    assert set(series) == {'Si(100) tilted', 'vacancy'}
    vacancy = series['vacancy']
    assert (vacancy.size_name, vacancy.sizes.tolist()) == ('repeats', [2, 3])
    assert vacancy.reference == pytest.approx([4.08, 3.88], abs=1e-9)
    assert vacancy.members[:, 0] == pytest.approx(found['vacancy 2³'].members[:, -1])
    assert vacancy.error[1] == pytest.approx(found['vacancy 3³'].error[-1])
    assert vacancy.spread[1] == pytest.approx(found['vacancy 3³'].spread[-1])
    assert series['Si(100) tilted'].size_name == 'layers'
    with pytest.raises(ValueError, match='two paths of vacancy 3³'):
        size_series([found['vacancy 3³'], found['vacancy 3³']])


@pytest.mark.parametrize(
    ('made', 'domain', 'message'),
    [
        (relaxation('vacancy 3³', 215, 216, PATH, 2), 'vacancy 3³', "perfect crystal, 'bulk 3³'"),
        (relaxation('vacancy 3³', 214, 216, PATH, 3), 'vacancy 3³', 'has 215 atoms.*got 214'),
        (relaxation('vacancy 3³', 215, 216, PATH, 3), 'bulk 3³', 'not the domain of a defect'),
        (relaxation('vacancy 3³', 215, 216, PATH, 3), 'vacancy 2³', 'no configurations in'),
        (
            relaxation('Si(100) tilted, 9 layers', 20, 8, PATH),
            'Si(100) tilted, 9 layers',
            '20 atoms do not make 9 equal layers',
        ),
        (
            relaxation('vacancy 3³', 215, 216, PATH, 3).select([0, 1, 1, 4]),
            'vacancy 3³',
            'two frames have the same step',
        ),
        (
            relaxation('vacancy 3³', 215, 216, PATH, 3).select([0, 4, 4]),
            'vacancy 3³',
            "one frame of 'bulk 3³' is needed, got 2",
        ),
        (
            label([crystal(7), crystal(7), crystal(8)], ['vacancy 1³'] * 2 + ['bulk 1³'], [0] * 3),
            'vacancy 1³',
            'need their `step`',
        ),
        (
            label([crystal(7), crystal(8, 'Ge')], ['vacancy 1³', 'bulk 1³'], [0, 0]),
            'vacancy 1³',
            'one element',
        ),
    ],
)
def test_what_does_not_fit_is_refused(made, domain, message):
    with pytest.raises(ValueError, match=message):
        formation(made, np.zeros((2, len(made))), domain)
