"""Tables of a report: headers with units, and rows of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiida_enne.provenance import Ensemble
from aiida_enne.provenance.labels import Labelling
from aiida_enne.science.figures import Palette
from aiida_enne.science.figures.palette import TRAINED
from aiida_enne.science.uncertainty.audit import Audit
from aiida_enne.science.uncertainty.wording import ROUNDING, number, ratio

MEV = 1000.0


@dataclass(frozen=True, slots=True)
class Table:
    """One table, all of it text.

    Attributes:
        title: What it shows.
        headers: Of the columns, with units.
        rows: Of as many cells.
        prose: Whether its cells hold sentences.
        folded: More rows, folded away under `fold`.
        fold: What they are.
        numbers: What stands for it among the numbers of a report, by name; if empty, its rows do.
    """

    title: str
    headers: list[str]
    rows: list[list[str]]
    prose: bool = False
    folded: Sequence[list[str]] = ()
    fold: str = ''
    numbers: dict[str, Any] = field(default_factory=dict)


def of_audit(audit: Audit, palette: Palette) -> list[Table]:
    """Return error and spread, and their agreement, by domain."""
    kinds = [('energy', 'Energies per atom, raw', 'meV/atom', MEV)]
    if 'aligned_spread' in audit.arrays:
        zero = audit.parameters['aligned_domain']
        kinds.append(('aligned', f'Energies per atom, own zeros on {zero}', 'meV/atom', MEV))
    kinds.append(('force', 'Force components', 'eV/Å', 1.0))
    if 'stress_rmse' in audit.pooled:
        kinds.append(('stress', 'Stress components', 'GPa', 1.0))
    palette = palette.extended(audit.domains)
    return [_table(audit, palette, *kind) for kind in kinds]


def of_failed_labels(labellings: Sequence[Labelling]) -> Table | None:
    """Return one row per configuration that failed at the reference; None without any."""
    rows = [
        [
            str(failure['configuration']),
            str(failure.get('domain', '–')),
            str(failure['message']),
            labelling.uuid,
        ]
        for labelling in labellings
        for failure in labelling.failures
    ]
    if not rows:
        return None
    asked = sum(labelling.n_configurations for labelling in labellings)
    headers = ['configuration', 'domain', 'why', 'source node']
    return Table(f'{len(rows)} of {asked} configurations failed at the reference', headers, rows)


def of_members(ensemble: Ensemble) -> Table:
    """Return one row per member: what it is and where it lies."""
    rows = [
        [
            str(member.seed),
            str(member.attributes.get('epochs', '')),
            str(member.attributes.get('best_epoch', '')),
            'yes' if member.attributes.get('complete') else 'no',
            member.weights_sha256[:12],
            member.uuid,
        ]
        for member in ensemble.members
    ]
    headers = ['seed', 'epochs', 'best epoch', 'finished', 'weights (SHA-256)', 'model node']
    return Table(f'{len(rows)} members', headers, rows)


def _table(
    audit: Audit, palette: Palette, prefix: str, title: str, unit: str, factor: float
) -> Table:
    symbol = audit.width_label.partition(' (')[0]
    headers = [
        'domain',
        'configurations',
        'samples',
        'blocks',
        f'MAE ({unit})',
        f'RMSE ({unit})',
        f'bias ({unit})',
        f'mean {audit.width_label} ({unit})',
        f'max {symbol} ({unit})',
        f'RMSE/{symbol}',
        f'|ε| ≤ {symbol}',
        'expected',
        'correlation of members',
    ]
    rows = [
        [name + TRAINED * (name in palette.trained), *_row(audit.domains[name], prefix, factor)]
        for name in palette.sorted(audit.domains)
    ]
    return Table(title, headers, rows)


def _row(scalars: dict[str, Any], prefix: str, factor: float) -> list[str]:
    def get(key: str, scale: float = 1.0) -> str:
        return shown(scalars.get(f'{prefix}_{key}'), scale)

    several = {'force': 'n_force_components', 'stress': 'n_stress_components'}
    samples = scalars[several.get(prefix, 'n_configurations')]
    rmse = get('rmse', factor) + interval(scalars, f'{prefix}_rmse', factor)
    return [
        str(scalars['n_configurations']),
        str(samples),
        str(scalars['n_blocks']),
        get('mae', factor),
        rmse,
        _bias(scalars, prefix, factor),
        get('spread_mean', factor),
        get('spread_max', factor),
        ratio(*(scalars.get(f'{prefix}_{k}') for k in ('rmse_over_spread', 'spread_rms', 'rmse'))),
        percent(scalars.get(f'{prefix}_cone_coverage')),
        percent(scalars.get('expected_cone_coverage')),
        get('member_correlation_mean'),
    ]


def _bias(scalars: dict[str, Any], prefix: str, factor: float) -> str:
    """Write the mean error: 0 where it is rounding, as that of forces which sum to zero."""
    bias, rmse = (scalars.get(f'{prefix}_{name}') for name in ('bias', 'rmse'))
    rounding = bias is not None and abs(bias) <= ROUNDING * (rmse or 0.0)
    return shown(0.0 if rounding else bias, factor)


def shown(value: float | None, factor: float = 1.0) -> str:
    """Write three significant digits, or a dash for what is not defined."""
    return '–' if value is None else number(factor * value)


def percent(value: float | None) -> str:
    """Write a share in percent, or a dash for what is not defined."""
    return '–' if value is None else f'{value:.0%}'


def interval(scalars: dict[str, Any], name: str, factor: float) -> str:
    """Write a bootstrap interval in brackets where there is one."""
    low, high = scalars.get(f'{name}_low'), scalars.get(f'{name}_high')
    if low is None or high is None:
        return ''
    return f' [{shown(low, factor)}, {shown(high, factor)}]'
