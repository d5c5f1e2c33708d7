"""Equal geometries: true copies can be dropped, contradicting labels are named."""

import ase.io
import numpy as np
import pytest

from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.gather import import_files
from aiida_enne.science.importing.problems import ImportRefusedError


@pytest.fixture
def conflict(make_frames, tmp_path):
    """A file of three frames: the last has the geometry of the first, 0.3 eV higher."""
    frames = [*make_frames(2), *make_frames(1)]
    frames[2].calc.results = dict(frames[2].calc.results)
    frames[2].calc.results['energy'] += 0.3
    ase.io.write(tmp_path / 'conflict.traj', frames)
    return tmp_path / 'conflict.traj'


@pytest.fixture
def copies(make_frames, tmp_path):
    """A file of five frames, two of which are copies."""
    ase.io.write(tmp_path / 'copies.traj', [*make_frames(3), *make_frames(2)])
    return tmp_path / 'copies.traj'


@pytest.mark.parametrize('choices', [{}, {'drop_duplicates': True}])
def test_labels_that_contradict_each_other_are_named_with_the_difference(conflict, choices):
    with pytest.raises(ImportRefusedError, match=r'has the geometry of frame 0 .* energy by') as at:
        import_files([conflict], ImportChoices(**choices))
    assert 'frame 2' in str(at.value)
    assert '+0.3 eV' in str(at.value)
    assert 'a force' not in str(at.value)


def test_contradicting_labels_that_are_kept_are_told(conflict):
    imported = import_files([conflict], ImportChoices(allow_duplicates=True))
    assert len(imported.configurations) == 3
    (note,) = imported.notes
    assert 'the energy by +0.3 eV' in note


def test_the_first_of_true_copies_is_kept(copies):
    with pytest.raises(ImportRefusedError, match='copy of frame 0'):
        import_files([copies], ImportChoices())
    imported = import_files([copies], ImportChoices(drop_duplicates=True))
    data = imported.configurations
    assert len(data) == 3
    assert len(np.unique(data.positions[::8], axis=0)) == 3
    (note,) = imported.notes
    assert 'frame 3: is a copy of frame 0' in note
    assert 'frame 4: is a copy of frame 1' in note
    assert len(import_files([copies], ImportChoices(allow_duplicates=True)).configurations) == 5


def test_both_permissions_at_once_are_a_contradiction():
    with pytest.raises(ValueError, match='`allow_duplicates` or `drop_duplicates`, not both'):
        ImportChoices(allow_duplicates=True, drop_duplicates=True)
