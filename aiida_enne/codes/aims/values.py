"""Numbers as Fortran prints them."""

import math
import re
from collections.abc import Sequence

#: Fortran writes D for double precision, and drops the letter before a three-digit exponent.
FORTRAN = re.compile(r'([-+]?\d*\.?\d+|[-+]?\d+\.)(?:[EeDd]([-+]?\d+)|([-+]\d{3}))', re.ASCII)


#: Nothing that a program prints as a number is longer.
LONGEST = 60


def number(word: str) -> float | None:
    """Return a finite number, or None for anything else, such as the `****` of an overflow."""
    if len(word) > LONGEST or '_' in word:
        return None
    try:
        value = float(word)
    except ValueError:
        parts = FORTRAN.fullmatch(word)
        if parts is None:
            return None
        value = float(f'{parts[1]}e{parts[2] or parts[3]}')
    return value if math.isfinite(value) else None


def numbers(words: Sequence[str], count: int) -> tuple[float, ...] | None:
    """Return the first numbers of a line, or None if there are fewer or one is not a number."""
    values = [number(word) for word in words[:count]]
    known = tuple(value for value in values if value is not None)
    return known if len(known) == count else None
