"""Checks of arguments that all builders share."""

import math


def positive(name: str, value: float, unit: str) -> float:
    """Return the value if it is a positive finite number.

    Raises:
        ValueError: If it is not; the message names the value and the unit.
    """
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f'{name} must be a positive number of {unit}, got {value}')
    return value


def at_least(name: str, value: int, minimum: int) -> int:
    """Return the value if it is an integer of at least the minimum.

    Raises:
        ValueError: If it is not; the message names the value and the minimum.
    """
    if value != int(value) or value < minimum:
        raise ValueError(f'{name} must be an integer of at least {minimum}, got {value}')
    return int(value)
