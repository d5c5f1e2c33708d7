"""What choosing labels made of an ensemble: error over labels, and whether it beat chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_enne.provenance import Material, Missing
from aiida_enne.provenance.improvements import (
    BOUGHT,
    REFUSED,
    Improvement,
    find_improvement,
    find_improvements,
    refusals,
)
from aiida_enne.report.figures import Figure, Result
from aiida_enne.report.tables import Table
from aiida_enne.science.figures.improvement import draw_improvement
from aiida_enne.science.selection.comparison import sentence

#: Numbers of a comparison, and digits of each.
COMPARED = {'ratio': 2, 'labels_saved': 1}


def last_improvement(material: Material) -> Improvement | None:
    """Return the most recent improvement that trained this ensemble, None where there is none."""

    def find() -> Improvement | None:
        known = find_improvements(material.record.ensemble)
        return find_improvement(known[-1]) if known else None

    return material.once('improvement', find)


def build_improvement(material: Material) -> Result:
    """Return error over labels of all arms, with the verdict on each.

    Raises:
        Missing: If no improvement trained this ensemble, or none of its rounds ended.
    """
    found = last_improvement(material)
    if found is None or not found.curves:
        raise Missing('no improvement trained this ensemble: `launch improve`')
    words = {arm: str(one['verdict']) for arm, one in found.arms.items()}
    measured = ' '.join(sentence(arm, one, found.chance) for arm, one in found.arms.items())
    return Result(
        {'curves': found.curves, 'verdicts': words}, measured, {'improvement': found.process}
    )


def of_improvement(material: Material) -> list[Table]:
    """Return the comparison with chance, and what bought labels said of σ; nothing without both."""
    found = last_improvement(material)
    if found is None:
        return []
    own = material.record.process
    shown = next((path for path, uuid in found.audited.items() if uuid == own), None)
    after = '' if shown is None else f' (this page: the last ensemble of {shown})'
    bought = [one.cells for one in found.bought]
    refused = [[*row] for row in refusals(found.bought)]
    tables = [
        Table(f'Did choosing beat chance?{after}', *_comparison(found)),
        Table(
            'Bought labels, predicted before any ensemble was trained on them', list(BOUGHT), bought
        ),
        Table('Candidates refused by name', list(REFUSED), refused),
    ]
    return [table for table in tables if table.rows]


def _comparison(found: Improvement) -> tuple[list[str], list[list[str]]]:
    """Return headers and one row an arm."""
    rows = []
    for arm, one in found.arms.items():
        cells = [_with_interval(one, name, digits) for name, digits in COMPARED.items()]
        rows.append([arm, one['verdict'], *cells, str(one['n_repeats'])])
    headers = ['arm', f'against {found.chance}', 'error ratio (95 %)', 'labels saved (95 %)']
    return [*headers, 'repeats'], rows


def _with_interval(found: Mapping[str, Any], name: str, digits: int) -> str:
    """Return a number with its interval, as far as they are defined."""
    if name not in found:
        return '–'
    text = f'{found[name]:.{digits}f}'
    if f'{name}_low' not in found:
        return text
    return f'{text} ({found[f"{name}_low"]:.{digits}f} to {found[f"{name}_high"]:.{digits}f})'


FIGURES = (
    Figure(
        'improvement',
        'Error over labels',
        'Error on a held-out set that is never trained on, one line a way of choosing what to '
        'label; thin lines are repeats with other seeds.',
        build_improvement,
        draw_improvement,
        'enne.improve',
        forms=lambda material: [{}] if last_improvement(material) else [],
        topic='Did choosing labels pay?',
    ),
)
