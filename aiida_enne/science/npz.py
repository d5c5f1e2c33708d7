"""Arrays as one standard `.npz` file whose bytes depend on nothing but the arrays."""

import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


def dumps(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Write named arrays as an uncompressed `.npz` file.

    `numpy.savez` stamps every entry with the time of day; here the stamp is constant, so that
    equal arrays give equal bytes.

    Raises:
        ValueError: If an array holds Python objects, which could only be pickled.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            entry = zipfile.ZipInfo(f'{name}.npy', date_time=(1980, 1, 1, 0, 0, 0))
            with archive.open(entry, 'w', force_zip64=True) as handle:
                array = np.asarray(arrays[name], order='C')  # the format would keep either order
                np.lib.format.write_array(handle, array, allow_pickle=False)
    return buffer.getvalue()


def loads(source: bytes | BinaryIO, names: Iterable[str] | None = None) -> Arrays:
    """Read all arrays of an `.npz` file, or those named; nothing is ever unpickled.

    Raises:
        ValueError: If the file is not a complete `.npz` file of plain arrays, or lacks one named.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in (names or archive.files)}
    except (OSError, EOFError, zipfile.BadZipFile, AttributeError, KeyError) as exception:
        raise ValueError(f'not a complete .npz file: {exception}') from exception
    # numpy hands back the bytes of an entry that is not an array
    if foreign := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise ValueError(f'not a complete .npz file: {foreign} are not arrays')
    return arrays


def digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 of names, types, shapes and values, in alphabetical order of names."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f'{name}|{array.dtype.str}|{array.shape}|'.encode())
        total.update(array.data if array.size else b'')
    return total.hexdigest()
