import io
import pickle
import zipfile

import numpy as np
import pytest

from aiida_enne.science.npz import digest, dumps, loads


@pytest.fixture
def arrays(rng):
    return {
        'energies': rng.normal(size=7),
        'forces': rng.normal(size=(4, 3)),
        'domains': np.array(['liquid', 'β-Sn']),
        'pbc': np.array([[True, False, True]]),
        'empty': np.zeros((0, 3)),
        'info:temperature': np.array([np.nan, np.inf, -0.0]),
    }


def test_arrays_survive_with_type_and_shape(arrays):
    found = loads(dumps(arrays))
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_numpy_reads_the_file(arrays, tmp_path):
    path = tmp_path / 'any.npz'
    path.write_bytes(dumps(arrays))
    with np.load(path, allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive['forces'], arrays['forces'])
    with path.open('rb') as handle:
        assert loads(handle).keys() == arrays.keys()


def test_equal_arrays_give_equal_bytes_in_any_order_at_any_time(arrays, monkeypatch):
    first = dumps(arrays)
    monkeypatch.setattr('time.time', lambda: 2e9)
    assert dumps(dict(reversed(arrays.items()))) == first
    strided = arrays | {'forces': np.asfortranarray(np.repeat(arrays['forces'], 2, axis=0))[::2]}
    assert digest(strided) == digest(arrays)


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('energies', np.zeros(7)),
        ('energies', np.zeros((7, 1))),
        ('energies', np.zeros(7, dtype=np.float32)),
        ('other', np.zeros(1)),
    ],
)
def test_every_difference_changes_the_digest(arrays, name, value):
    arrays['energies'] = np.zeros(7) if name == 'other' or value.shape != (7,) else np.ones(7)
    if value.dtype == np.float32:
        arrays['energies'] = np.zeros(7)
    assert digest(arrays | {name: value}) != digest(arrays)


def test_objects_are_not_written():
    with pytest.raises(ValueError, match='Object arrays'):
        dumps({'bad': np.array([{'a': 1}], dtype=object)})


class Trap:
    """Leaves a file behind if anybody unpickles it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), 'w'))


def test_pickles_are_not_read(tmp_path):
    trap = np.array([Trap(tmp_path / 'sprung')], dtype=object)
    stream = io.BytesIO()
    np.savez(stream, trap=trap)
    with pytest.raises(ValueError, match='allow_pickle'):
        loads(stream.getvalue())
    with pytest.raises(ValueError, match='pickle'):
        loads(pickle.dumps(Trap(tmp_path / 'sprung')))
    assert not (tmp_path / 'sprung').exists()


def test_every_truncation_is_refused(arrays):
    content = dumps(arrays)
    for length in range(0, len(content), 37):
        with pytest.raises(ValueError, match=r'npz|pickle'):
            loads(content[:length])


def test_foreign_content_is_refused(arrays):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w') as archive:
        archive.writestr('energies.npy', 'no array')
    with pytest.raises(ValueError, match=r"\['energies'\] are not arrays"):
        loads(stream.getvalue())
    for content in (b'plain text', b'\x93NUMPY\x01\x00'):
        with pytest.raises(ValueError, match=r'npz|pickle|EOF'):
            loads(content)
    flipped = bytearray(dumps(arrays))
    flipped[200] ^= 1
    with pytest.raises(ValueError, match='not a complete'):
        loads(bytes(flipped))
