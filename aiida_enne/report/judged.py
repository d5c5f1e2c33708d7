"""What all data of a study say together: the table of verdicts, and the transfer of widths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from aiida_enne.provenance import (
    Material,
    Missing,
    describe_errors,
    find_trainings,
    joint_samples,
    zero_domain,
)
from aiida_enne.report.figures import Figure, Result
from aiida_enne.report.tables import Table
from aiida_enne.science import figures
from aiida_enne.science.checks import one_of
from aiida_enne.science.uncertainty.advice import Width, advise, compare_widths, labels_help
from aiida_enne.science.uncertainty.applicability import describe_applicability
from aiida_enne.science.uncertainty.audit import Audit
from aiida_enne.science.uncertainty.estimators.conformal import Score
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.science.uncertainty.rule import NOMINAL, Row
from aiida_enne.science.uncertainty.table import HEADERS, SHAPES, TRAINED, cells, in_short
from aiida_enne.science.uncertainty.transfer import ALL_OTHERS, Transfer, transfer
from aiida_enne.science.uncertainty.wording import QUANTITIES, number

#: Quantities of which widths can be carried over.
KINDS = ('energy', 'aligned', 'force')
#: Those with one sample a configuration.
PER_FRAME = ('energy', 'aligned')
TOLERATED = ('energy', 'force', 'stress')
#: What only the user knows: who judges, what is chosen from, what runs it.
GIVEN = '--held-out LABELLED --pool CANDIDATES --code CODE'


def of_verdicts(found: Audit) -> Table:
    """Return one row per quantity of a domain: may σ be believed there?"""
    words = [row.verdict for row in found.verdicts]
    title = f'σ is believed in {words.count("believe")} of {len(words)} rows, not believed in '
    title += f'{words.count("do not believe")}, and cannot be judged in the others'
    return Table(title, list(HEADERS), [cells(row) for row in found.verdicts])


def of_words(found: Audit) -> Table:
    """Return one row per domain: the verdict on σ of each quantity with its numbers and best."""
    quantities = list(dict.fromkeys(row.quantity for row in found.verdicts))
    rows: dict[str, dict[str, Row]] = {}
    for row in found.verdicts:
        rows.setdefault(row.domain + TRAINED * row.trained, {})[row.quantity] = row
    table = []
    for name, some in rows.items():
        counts = [str(row.n) for quantity, row in some.items() if quantity in PER_FRAME]
        said = [_answer(some[q]) if q in some else '–' for q in quantities]
        table.append([name, *(counts or ['–'])[:1], *said])
    headers = ['domain', 'n', *[f'{QUANTITIES[q][2]}, {QUANTITIES[q][0]}' for q in quantities]]
    title = (
        'May σ be believed? Beneath: RMSE / σ · × that of an honest ensemble · inside '
        f'{NOMINAL:.0%}; best estimator ({NOMINAL:.0%} interval score)'
    )
    return Table(title, headers, table)


def _answer(row: Row) -> str:
    """Return a verdict, beneath it its numbers, beneath these the best estimator where there is."""
    lines = [f'{SHAPES[row.verdict]} {row.verdict}', in_short(row)]
    return '\n'.join(lines + ([row.best] if row.best else []))


def of_advice(material: Material, found: Audit) -> list[str]:
    """Return what to do next: what to label, which width to use."""
    widths: dict[str, list[Width]] = {}
    for quantity in ('energy', 'force'):
        samples = joint_samples(material, quantity)
        if len(samples) > 1:
            widths[quantity] = compare_widths(samples)
    return advise(found.verdicts, found.gates, widths, _tolerances(found))


def of_command(material: Material, found: Audit) -> str:
    """Return the command that chooses labels and trains on them; empty where none would help.

    What the ensemble was trained on is named where all its members were trained on the same.
    """
    if not labels_help(found.verdicts, _tolerances(found)):
        return ''
    known = set(find_trainings(material.record.ensemble.weights).values())
    dataset, split = known.pop() if len(known) == 1 else ('DATASET', 'SPLIT')
    return f'aiida-enne launch improve --dataset {dataset[:8]} --split {split[:8]} {GIVEN}'


def _tolerances(found: Audit) -> dict[str, float]:
    """Return τ by quantity, in the unit of its errors."""
    chosen = {f'{name}_tolerance': found.parameters[f'{name}_tolerance'] for name in TOLERATED}
    return {kind: AuditOptions(**chosen).tolerance(kind) for kind in QUANTITIES}


def verdict_numbers(found: Audit) -> dict[str, Any]:
    """Return verdicts and gates, fit for JSON."""
    return {
        'verdicts': [row.as_dict() for row in found.verdicts],
        'gates': {name: [gate.as_dict() for gate in some] for name, some in found.gates.items()},
    }


def build_transfer(material: Material, *, of: str, level: float, score: Score) -> Result:
    """Return the transfer matrix of one quantity over all domains with labels.

    Raises:
        Missing: If there is one domain only, or no domain to take own zeros from.
        ValueError: If there is no such quantity, or the score cannot be carried over.
    """
    one_of('of', of, KINDS)
    found = _carried(material, of, level, score)
    content = {'transfer': found, 'palette': material.palette}
    sources = material.sources(material.rows)
    return Result(content, measured(found), sources, figures.style.NOUNS[of])


def of_transfer(material: Material) -> Iterator[Table]:
    """Yield the transfer matrix of each quantity: coverage, its 95 % interval, and the factor.

    Raises:
        Missing: If there is one domain only.
    """
    for form in transfer_forms(material):
        yield transfer_table(_carried(material, form['of'], NOMINAL, 'spread'), form['of'])


def _carried(material: Material, of: str, level: float, score: Score) -> Transfer:
    samples = joint_samples(material, of)
    if len(samples) < 2:
        raise Missing('this study has labels of one domain only: nothing is carried over')
    return transfer(samples, level=level, score=score)


def transfer_table(found: Transfer, of: str) -> Table:
    """Return a transfer matrix as a table, what was calibrated on leave-one-out first.

    Args:
        found: Of one quantity.
        of: Which one.
    """

    def cell(row: int, column: int) -> str:
        share, scale = found.coverage[row, column], found.factor[row, column]
        ends = found.low[row, column], found.high[row, column]
        said = '–' if np.isnan(share) else f'{share:.0%}'
        said += f' ({ends[0]:.0%} to {ends[1]:.0%})' if np.isfinite(ends).all() else ''
        return said + (f', × {number(float(scale))}' if np.isfinite(scale) else '')

    rows = [
        [name, *[cell(row, column) for column in range(len(found.judged))]]
        for row, name in enumerate(found.calibrated)
    ]
    title = f'Transfer of widths, {QUANTITIES[of][2]}: share inside (95 % interval over blocks) '
    title += f'where {found.level:.0%} is promised, × by which σ is still too narrow'
    return Table(
        title,
        ['calibrated on', *[f'judged on {name}' for name in found.judged]],
        rows[-1:],
        folded=rows[:-1],
        fold=f'Calibrated on one domain each: {QUANTITIES[of][2]}',
        numbers={f'transfer_{of}': found.as_dict()},
    )


def measured(found: Transfer) -> str:
    """Return how far coverage falls where every other domain calibrates."""
    others = found.coverage[found.calibrated.index(ALL_OTHERS)]
    known = np.flatnonzero(np.isfinite(others))
    if not known.size:
        return 'no domain has blocks enough to calibrate on the others'
    least = int(known[others[known].argmin()])
    text = f'calibrated on all other domains, {found.judged[least]} is covered to '
    return text + f'{others[least]:.0%} where {found.level:.0%} is promised'


def transfer_forms(material: Material) -> list[dict[str, str]]:
    """Return energies, own zeros if there are any, and forces."""
    own = [{'of': 'aligned'}] if zero_domain(material) is not None else []
    return [{'of': 'energy'}, *own, {'of': 'force'}]


def build_applicability(material: Material, *, of: str) -> Result:
    """Return the domain of applicability of energies, with every configuration that was judged.

    Raises:
        Missing: If there is too little data.
    """
    described = describe_errors(material, of)
    found = described.find()
    content = {
        'found': found,
        'descriptors': described.descriptors,
        'error': described.error,
        'domain': described.domain,
        'palette': material.palette,
    }
    unit, factor, noun = QUANTITIES[of]
    said = '; '.join(describe_applicability(found, unit, factor))
    return Result(content, said, material.sources(material.rows), noun)


def applicability_forms(material: Material) -> list[dict[str, str]]:
    """Return energies, and own zeros if there are any."""
    return [one for one in transfer_forms(material) if one['of'] != 'force']


FIGURES = (
    Figure(
        'applicability',
        'Where is the error small?',
        'Error of the energy of every configuration over the first descriptor of a rule of one or '
        'two inequalities inside which the error is small. It is found on one half of the blocks '
        'and judged on the other.',
        build_applicability,
        figures.draw_applicability,
        options={'of': 'energy'},
        forms=applicability_forms,
        topic='Where is the error small?',
        size=(7.6, 4.6),
    ),
    Figure(
        'transfer',
        'Does a calibration carry over?',
        'Share of samples inside a conformal width that is calibrated on the domain of the row and '
        'judged on that of the column; × is the factor by which a scaled σ would still be too '
        'narrow. On the diagonal one half of the blocks calibrates, the other is judged; the last '
        'row leaves one domain out.',
        build_transfer,
        figures.draw_transfer,
        options={'of': 'energy', 'level': 0.9, 'score': 'spread'},
        forms=transfer_forms,
        paper='a calibration on the liquid does not carry over',
        size=(8.6, 6.4),
        topic='Do widths carry over?',
    ),
)
