from dataclasses import fields, replace

import numpy as np
import pytest
from ase.build import bulk, molecule

from aiida_enne.science.data.configurations import Configurations, concatenate
from aiida_enne.science.data.frames import from_atoms


@pytest.fixture
def mixed(rng):
    """Six labelled configurations of 1 to 6 atoms, some with stress, one number in `info`."""
    n_atoms = np.array([3, 1, 6, 2, 2, 4])
    n, total = len(n_atoms), int(n_atoms.sum())
    stresses = rng.normal(size=(n, 3, 3))
    stresses[[1, 4]] = np.nan
    return Configurations(
        n_atoms=n_atoms,
        numbers=rng.integers(1, 90, size=total),
        positions=rng.normal(size=(total, 3)),
        cells=rng.normal(size=(n, 3, 3)),
        pbc=rng.random((n, 3)) < 0.5,
        domains=np.array(['a', 'a', 'bb', 'ccc', 'bb', 'a']),
        blocks=np.array([0, 0, 1, 5, 2, 0]),
        energies=rng.normal(size=n),
        forces=rng.normal(size=(total, 3)),
        stresses=stresses,
        info={'temperature': np.array([300.0, np.nan, 1, 2, 3, 4])},
    )


def assert_equal(first, second):
    assert first.as_arrays().keys() == second.as_arrays().keys()
    for name, array in first.as_arrays().items():
        np.testing.assert_array_equal(array, second.as_arrays()[name], err_msg=name)


def test_selecting_everything_changes_nothing(mixed):
    assert_equal(mixed.select(range(6)), mixed)


def test_selections_compose(mixed):
    first, second = np.array([5, 2, 2, 0]), np.array([3, 0, 1])
    assert_equal(mixed.select(first).select(second), mixed.select(first[second]))


def test_atoms_go_with_their_configuration(mixed):
    chosen = mixed.select([4, 2])
    starts = mixed.offsets
    for name in ('numbers', 'positions', 'forces'):
        array = getattr(mixed, name)
        parts = [array[starts[4] : starts[5]], array[starts[2] : starts[3]]]
        np.testing.assert_array_equal(getattr(chosen, name), np.concatenate(parts))
    assert chosen.domains.tolist() == ['bb', 'bb']
    assert chosen.info['temperature'].tolist() == [3, 1]


def test_nothing_can_be_selected(mixed):
    none = mixed.select([])
    assert len(none) == 0
    assert none.positions.shape == (0, 3)


@pytest.mark.parametrize('index', [-1, 6])
def test_an_index_beyond_is_refused(mixed, index):
    with pytest.raises(ValueError, match='indices must lie between 0 and 5'):
        mixed.select([0, index])


def test_parts_joined_are_the_whole(mixed):
    whole = concatenate([mixed.select([0, 1, 2]), mixed.select([3, 4, 5])])
    assert_equal(replace(whole, blocks=mixed.blocks), mixed)


def test_joined_parts_share_no_block(mixed):
    whole = concatenate([mixed, mixed])
    assert not set(whole.blocks[:6].tolist()) & set(whole.blocks[6:].tolist())
    for half in (whole.blocks[:6], whole.blocks[6:]):
        # who shared a block still does
        assert (half[:, None] == half).tolist() == (mixed.blocks[:, None] == mixed.blocks).tolist()


def test_what_one_part_lacks_is_nan(mixed):
    bare = replace(mixed.select([0]), stresses=None, info={})
    whole = concatenate([bare, mixed])
    assert np.isnan(whole.stresses[0]).all()
    assert np.isnan(whole.info['temperature'][0])
    assert concatenate([bare, bare]).stresses is None


def test_what_cannot_be_joined_is_refused(mixed):
    with pytest.raises(ValueError, match='no configurations to join'):
        concatenate([])
    with pytest.raises(ValueError, match='labelled and unlabelled'):
        concatenate([mixed, mixed.unlabelled()])


def test_labels_come_off_whole(mixed):
    bare = mixed.unlabelled()
    assert not bare.is_labelled
    assert (bare.energies, bare.forces, bare.stresses) == (None, None, None)
    assert_equal(
        replace(bare, energies=mixed.energies, forces=mixed.forces), replace(mixed, stresses=None)
    )


def test_arrays_hold_everything(mixed):
    assert_equal(Configurations.from_arrays(mixed.as_arrays()), mixed)
    bare = mixed.unlabelled()
    assert_equal(Configurations.from_arrays(bare.as_arrays()), bare)


def test_arrays_of_a_selection_do_not_remember_what_it_was_selected_from(mixed):
    narrow = mixed.select([0, 1]).as_arrays()['domains']
    assert narrow.dtype == np.dtype('<U1')


@pytest.mark.parametrize(
    'name',
    [item.name for item in fields(Configurations) if item.name not in ('n_atoms', 'info', 'roles')],
)
def test_wrong_shapes_are_named(mixed, name):
    with pytest.raises(ValueError, match=f'`{name}` must have the shape'):
        replace(mixed, **{name: getattr(mixed, name)[1:]})


def test_bad_arrays_are_named(mixed):
    with pytest.raises(ValueError, match='info `t` must have the shape'):
        replace(mixed, info={'t': np.zeros(2)})
    with pytest.raises(ValueError, match='must be given together'):
        replace(mixed, forces=None)
    arrays = mixed.as_arrays()
    with pytest.raises(ValueError, match='charges'):
        Configurations.from_arrays(arrays | {'charges': np.zeros(6)})
    del arrays['positions']
    with pytest.raises(ValueError, match='positions'):
        Configurations.from_arrays(arrays)


def test_elements_and_volumes_are_those_of_ase():
    frames = [bulk('Si', cubic=True), bulk('NaCl', 'rocksalt', a=5.64), molecule('H2O')]
    gathered = from_atoms(frames)
    assert gathered.elements == ['Cl', 'H', 'Na', 'O', 'Si']
    volumes = [frames[0].get_volume(), frames[1].get_volume(), 0]
    assert gathered.volumes == pytest.approx(volumes)
    assert gathered.offsets.tolist() == [0, 8, 10, 13]


def test_roles_go_with_their_domains(mixed):
    given = replace(mixed, roles={'a': 'phase:diamond', 'bb': 'other', 'absent': 'bulk'})
    assert given.roles == {'a': 'phase:diamond', 'bb': 'other'}
    assert_equal(Configurations.from_arrays(given.as_arrays()), given)
    assert given.select([3, 0]).roles == {'a': 'phase:diamond'}
    other = replace(mixed.select([3]), roles={'ccc': 'bulk:2'})
    joined = concatenate([given.select([0, 1]), other])
    assert joined.roles == {'a': 'phase:diamond', 'ccc': 'bulk:2'}
    assert [kind.family for kind in joined.kinds.values()] == ['phase', 'bulk']
    with pytest.raises(ValueError, match=r"domain 'a' is one of family 'phase' .* 'other'"):
        concatenate([given, mixed])
    with pytest.raises(ValueError, match="'phase:glass' is not a role"):
        replace(mixed, roles={'a': 'phase:glass'})


def test_data_without_roles_keep_their_bytes(mixed):
    assert 'roles' not in mixed.as_arrays()
    assert 'roles' not in replace(mixed, roles={'absent': 'bulk'}).as_arrays()
