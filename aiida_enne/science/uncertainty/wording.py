"""Words of findings, verdicts and tables: quantities with their units, numbers, chances."""

from __future__ import annotations

from collections.abc import Sequence

from aiida_enne.science.uncertainty.scores import Scalars

#: Share of the error below which a width is rounding: members that agree to the last digit.
ROUNDING = 1e-12
#: Unit of each quantity in a sentence, factor from that of the data, and what it is called.
QUANTITIES = {
    'energy': ('meV/atom', 1000.0, 'energy'),
    'aligned': ('meV/atom', 1000.0, 'energy (own zeros)'),
    'force': ('eV/Å', 1.0, 'force'),
    'stress': ('GPa', 1.0, 'stress'),
}


def plural(count: float | None, noun: str) -> str:
    """Write a count with its noun: `1 domain`, `2 domains`."""
    return f'{count:,} {noun}' + ('' if count == 1 else 's')


def listed(names: Sequence[str], most: int = 4) -> str:
    """Write names in a row, the first ones of many; names may have commas of their own."""
    rest = f' and {len(names) - most} more' if len(names) > most else ''
    return ('; ' if any(',' in name for name in names) else ', ').join(names[:most]) + rest


def number(value: float) -> str:
    """Write three significant digits, and thousands in full rather than with an exponent."""
    return f'{value:.0f}' if abs(value) >= 1000 else f'{value:.3g}'


def amount(scalars: Scalars, prefix: str, name: str) -> str | None:
    """Write a scalar of a domain with its unit; None where it is not defined."""
    value = scalars.get(f'{prefix}_{name}')
    unit, factor, _ = QUANTITIES[prefix]
    return None if value is None else f'{number(factor * value)} {unit}'


def chance(p: float, n_members: float | None) -> str:
    """Write p of the exact test, and that it is the least that so many members allow."""
    members = int(n_members or 0)
    least = abs(p * (members + 1) - 1) < 1e-9
    return f'p = {p:.2g}' + (f', the least that {members} members allow' if least else '')


def is_silent(spread: float | None, error: float | None) -> bool:
    """Return whether a width is 0, but for rounding, where the error is not."""
    return spread is not None and (error or 0) > 0 and spread <= ROUNDING * float(error or 0)


def ratio(value: float | None, spread: float | None, error: float | None) -> str:
    """Write error over width: ∞ where the width is 0 and the error is not, a dash if undefined."""
    if is_silent(spread, error):
        return '∞'
    return '–' if value is None else number(value)
