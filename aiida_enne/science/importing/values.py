"""Values of the files of others: one number, an array of numbers, or a label."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_enne.science.fields import Floats


def scalar(what: str, value: Any, *, unknown: bool = False) -> float:
    """Return one finite number; NaN stands for what is unknown where that may be.

    Raises:
        ValueError: If it is something else; the message says `what` it should be.
    """
    array = np.asarray(value)
    if array.shape != () or array.dtype.kind not in 'iuf':
        raise ValueError(f'{what} must be one number, got {str(value)[:60]!r}')
    number = float(array)
    if not np.isfinite(number) and not (unknown and np.isnan(number)):
        raise ValueError(f'{what} is not finite: {number}')
    return number


def finite(what: str, value: Any, hidden: NDArray[np.bool_] | None = None) -> Floats:
    """Return an array of finite numbers, NaN only where it is hidden.

    Raises:
        ValueError: If it is something else; the message says `what` it should be.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as exception:
        raise ValueError(f'{what} must be numbers, rows of equal length') from exception
    known = np.isfinite(array)
    if hidden is not None:
        known |= hidden & np.isnan(array)
    if not known.all():
        row = np.argwhere(~np.atleast_1d(known))[0][0]
        raise ValueError(f'not finite (NaN or infinite): {what}, row {row}')
    return array


def label(key: str, value: Any) -> str:
    """Return a value as a label; a whole number loses its decimals, so that 300.0 is '300'.

    Raises:
        ValueError: If it cannot be one.
    """
    if np.ndim(value):
        raise ValueError(f'`{key}` is an array and no label: {str(value)[:60]}')
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    text = str(value)
    if not text.strip() or not text.isprintable():
        raise ValueError(f'`{key}` is not a label: {str(value)[:60]!r}')
    return text
