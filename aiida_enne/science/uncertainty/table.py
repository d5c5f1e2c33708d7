"""The table of verdicts as text: one line a quantity of a domain, one look an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiida_enne.science.uncertainty.gates import Gate
from aiida_enne.science.uncertainty.rule import NOMINAL, Row
from aiida_enne.science.uncertainty.wording import QUANTITIES, number, ratio

#: A shape for every verdict: words and colours are not all that tells them apart.
SHAPES = {'believe': '●', 'do not believe': '✕', 'cannot say': '?', 'unlabelled': '○'}

OVER_HONEST, INSIDE = 'RMSE/σ ÷ honest', f'inside {NOMINAL:.0%}'
HEADERS = (
    'domain',
    'quantity',
    'n',
    'blocks',
    'RMSE',
    'σ',
    'unit',
    OVER_HONEST,
    INSIDE,
    'width',
    'best estimator',
    'verdict',
)
#: Said of a domain that the ensemble was trained on.
TRAINED = ' (trained on)'


def cells(row: Row) -> list[str]:
    """Return one line of the table, a dash for what is not defined."""
    unit, factor, noun = QUANTITIES[row.quantity]

    def shown(value: float | None, scale: float = 1.0) -> str:
        return '–' if value is None else number(scale * value)

    return [
        row.domain + TRAINED * row.trained,
        noun,
        str(row.n),
        str(row.n_blocks),
        shown(row.rmse, factor),
        shown(row.spread, factor),
        unit,
        ratio(row.alpha, row.spread, row.rmse),
        '–' if row.coverage is None else f'{row.coverage:.0%}',
        shown(row.width, factor),
        best_of(row),
        f'{SHAPES[row.verdict]} {row.verdict}',
    ]


def in_short(row: Row) -> str:
    """Return RMSE and σ, their ratio to that of an honest ensemble, and the coverage, in a line.

    The first two are in the unit of `QUANTITIES`; what is not defined is a dash.
    """
    shown = dict(zip(HEADERS, cells(row), strict=True))
    times = shown[OVER_HONEST] if row.alpha is None else f'{row.alpha:.2g}'
    parts = (f'{shown["RMSE"]} / {shown["σ"]}', f'×\N{NO-BREAK SPACE}{times}', shown[INSIDE])
    return ' · '.join(parts)


def best_of(row: Row) -> str:
    """Return which estimator serves best, that it is undecided, or a dash where none was asked."""
    if not row.best_reason:
        return '–'
    return row.best or 'undecided'


def reasons(rows: Sequence[Row]) -> list[str]:
    """Return a few sentences per verdict: why, what would decide it or help, what serves best."""
    return [
        f'{row.domain}, {QUANTITIES[row.quantity][2]}: {row.verdict}; {row.reason}'
        + (f'. To do: {row.remedy}.' if row.remedy else '.')
        + (f' No recalibrated width: {row.width_reason}.' if row.width_reason else '')
        + (f' Best estimator: {best_of(row)}; {row.best_reason}.' if row.best_reason else '')
        for row in rows
    ]


def gate_lines(gates: Mapping[str, Sequence[Gate]]) -> list[str]:
    """Return one sentence per gate, those of several quantities once."""
    found: dict[Gate, list[str]] = {}
    for quantity, several in gates.items():
        for gate in several:
            found.setdefault(gate, []).append(QUANTITIES[quantity][2])
    lines = []
    for gate, nouns in found.items():
        of = '' if len(nouns) == len(gates) else f' ({", ".join(nouns)})'
        remedy = f' → {gate.remedy}' if gate.remedy else ''
        lines.append(f'{gate.state}: {gate.name}{of}: {gate.reason}{remedy}')
    return lines


def as_text(rows: Sequence[Row]) -> str:
    """Return the table with columns as wide as their longest entry."""
    lines = [list(HEADERS), *map(cells, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADERS))]
    padded = [
        '  '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    rule = '  '.join('-' * width for width in widths)
    return '\n'.join([padded[0], rule, *padded[1:]])
