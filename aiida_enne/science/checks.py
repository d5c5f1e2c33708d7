"""Checks of single values: each returns the value or says what was expected."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any


def one_of(name: str, value: Any, choices: Collection[str]) -> str:
    """Return the value if it is one of the choices.

    Raises:
        ValueError: If it is not.
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f'`{name}` must be one of {", ".join(choices)}; got {value!r}')
    return value


def positive(name: str, value: Any) -> float:
    """Return a finite number above zero.

    Raises:
        ValueError: If it is anything else.
    """
    number = finite(name, value)
    if number <= 0:
        raise ValueError(f'`{name}` must be above zero, got {value!r}')
    return number


def finite(name: str, value: Any, minimum: float = -math.inf) -> float:
    """Return a finite number not below the minimum; truth values are not numbers here.

    Raises:
        ValueError: If it is anything else.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise ValueError(f'`{name}` must be a finite number, got {value!r}')
    if value < minimum:
        raise ValueError(f'`{name}` must be at least {minimum:g}, got {value!r}')
    return float(value)


def count(name: str, value: Any, minimum: int = 1) -> int:
    """Return a whole number not below the minimum.

    Raises:
        ValueError: If it is anything else.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise ValueError(f'`{name}` must be a whole number of at least {minimum}, got {value!r}')
    return value


def flag(name: str, value: Any) -> bool:
    """Return a truth value.

    Raises:
        ValueError: If it is anything else.
    """
    if not isinstance(value, bool):
        raise ValueError(f'`{name}` must be true or false, got {value!r}')
    return value


def text(name: str, value: Any) -> str:
    """Return a text that is not empty.

    Raises:
        ValueError: If it is anything else.
    """
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f'`{name}` must be a text, got {value!r}')
    return value


def distinct(name: str, values: Any, check: Callable[[str, Any], Any]) -> tuple[Any, ...]:
    """Return a list of one distinct value or more, each of which passes a check.

    Raises:
        ValueError: If it is anything else.
    """
    is_list = isinstance(values, list | tuple)
    if not is_list or not values or len({check(name, value) for value in values}) < len(values):
        raise ValueError(f'`{name}` must hold distinct values, at least one; got {values!r}')
    return tuple(values)
