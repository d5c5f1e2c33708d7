"""Tables of a report: headers with units, and rows of text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiida_enne.report.collect import Section, Study
from aiida_enne.science.uncertainty.findings import number

MEV = 1000.0


@dataclass(frozen=True, slots=True)
class Table:
    """One table: title, headers and rows, all of them text."""

    title: str
    headers: list[str]
    rows: list[list[str]]


def of_section(section: Section) -> list[Table]:
    """Return error and spread, and their agreement, by domain."""
    kinds = [('energy', 'Energies per atom, raw', 'meV/atom', MEV)]
    if 'aligned_spread' in section.audit.arrays:
        zero = section.audit.parameters['aligned_domain']
        kinds.append(('aligned', f'Energies per atom, own zeros on {zero}', 'meV/atom', MEV))
    kinds.append(('force', 'Force components', 'eV/Å', 1.0))
    return [_table(section, prefix, title, unit, f) for prefix, title, unit, f in kinds]


def of_failed_labels(section: Section) -> Table | None:
    """Return one row per configuration that failed at the reference; None without any."""
    rows = [
        [
            str(failure['configuration']),
            str(failure.get('domain', '–')),
            str(failure['message']),
            labelling.uuid,
        ]
        for labelling in section.labellings
        for failure in labelling.failures
    ]
    if not rows:
        return None
    asked = sum(labelling.n_configurations for labelling in section.labellings)
    headers = ['configuration', 'domain', 'why', 'told by']
    return Table(f'{len(rows)} of {asked} configurations failed at the reference', headers, rows)


def of_members(study: Study) -> Table:
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
        for member in study.ensemble.members
    ]
    headers = ['seed', 'epochs', 'best epoch', 'finished', 'weights (SHA-256)', 'model node']
    return Table(f'{len(rows)} members', headers, rows)


def _table(section: Section, prefix: str, title: str, unit: str, factor: float) -> Table:
    symbol = section.audit.width_label.partition(' (')[0]
    headers = [
        'domain',
        'configurations',
        'samples',
        'blocks',
        f'MAE ({unit})',
        f'RMSE ({unit})',
        f'bias ({unit})',
        f'mean {section.audit.width_label} ({unit})',
        f'max {symbol} ({unit})',
        f'RMSE/{symbol}',
        f'|ε| ≤ {symbol}',
        'expected',
        'correlation of members',
    ]
    rows = [_row(name, scalars, prefix, factor) for name, scalars in section.audit.domains.items()]
    return Table(title, headers, rows)


def _row(name: str, scalars: dict[str, Any], prefix: str, factor: float) -> list[str]:
    def get(key: str, scale: float = 1.0) -> str:
        return shown(scalars.get(f'{prefix}_{key}'), scale)

    samples = scalars['n_force_components' if prefix == 'force' else 'n_configurations']
    rmse = get('rmse', factor) + interval(scalars, f'{prefix}_rmse', factor)
    return [
        name,
        str(scalars['n_configurations']),
        str(samples),
        str(scalars['n_blocks']),
        get('mae', factor),
        rmse,
        get('bias', factor),
        get('spread_mean', factor),
        get('spread_max', factor),
        get('rmse_over_spread'),
        percent(scalars.get(f'{prefix}_cone_coverage')),
        percent(scalars.get('expected_cone_coverage')),
        get('member_correlation_mean'),
    ]


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
