"""All scores of all stored audits as one table: value, interval, and what honesty would score."""

from __future__ import annotations

from typing import Any

from aiida_enne.provenance import Material
from aiida_enne.report.tables import Table, shown
from aiida_enne.science.figures.palette import TRAINED
from aiida_enne.science.uncertainty.audit import Audit
from aiida_enne.science.uncertainty.wording import QUANTITIES, ROUNDING

#: Scores in the order of the table, by their name in statistics. Those with a unit are sizes.
SCORES = {
    'rmse_over_spread': 'RMSE / σ',
    'mean_squared_z': '⟨ε²/σ²⟩',
    'cone_coverage': '|ε| ≤ σ',
    'interval_coverage_50': 'inside 50 %',
    'interval_coverage_68': 'inside 68 %',
    'interval_coverage_90': 'inside 90 %',
    'interval_coverage_95': 'inside 95 %',
    'rce': 'RCE',
    'ence': 'ENCE',
    'spread_mean': 'mean σ (sharpness)',
    'spread_variation': 'variation of σ',
    'rank_correlation': 'Spearman of |ε| and σ',
    'roc_auc': 'ROC-AUC of |ε| > τ',
    'confidence_area': 'area of the confidence curve',
    'crps': 'CRPS',
    'nll': 'NLL',
}
#: Those in the unit of the quantity.
SIZES = ('spread_mean', 'crps')
HEADERS = [
    'domain', 'data', 'quantity', 'score', 'here', '95 % interval', 'honest', 'p', 'n', 'blocks',
]  # fmt: skip
#: Why an audit does not have a score at all.
OLD = 'the audit is of a version without it'
#: What samples of a quantity are counted by, where these are not configurations.
COUNTED = {'force': 'n_force_components', 'stress': 'n_stress_components'}


def of_scores(material: Material) -> list[Table]:
    """Return one table of every score that stored audits hold, folded away; none without audits.

    A row is a score of one estimator, domain and quantity; what is not defined says why.
    """
    rows: list[list[str]] = []
    numbers: dict[str, Any] = {}
    for label in material.audits():
        audit = material.audit(label)
        numbers[label] = {}
        for domain in material.palette.extended(audit.domains).sorted(audit.domains):
            for quantity in QUANTITIES:
                found = find_scores(audit, domain, quantity)
                if not found:
                    continue
                numbers[label].setdefault(domain, {})[quantity] = found
                name = domain + TRAINED * (domain in material.palette.trained)
                data = f'{label}, {audit.width_label}'
                for score, one in found.items():
                    is_known = f'{quantity}_{score}' in audit.domains[domain]
                    why = audit.why(domain, f'{quantity}_{score}') if is_known else OLD
                    rows.append([name, data, *_cells(quantity, score, one, why)])
    if not rows:
        return []
    fold = f'{len(rows):,} scores, each with its interval and that of an honest ensemble'
    title = 'All scores'
    return [Table(title, HEADERS, [], folded=rows, fold=fold, numbers={'scores': numbers})]


def find_scores(audit: Audit, domain: str, quantity: str) -> dict[str, dict[str, Any]]:
    """Return scores of a domain by name, in the unit of the data; nothing without samples.

    Of each: `value`, `low` and `high` of its interval over blocks, `honest`, the median with a
    member as the truth, `p` of the exact test (the smaller of both sides), `n` and `blocks`.
    """
    scalars = audit.domains[domain]
    counted = scalars.get(COUNTED.get(quantity, 'n_configurations'))
    if not counted or scalars.get(f'{quantity}_rmse') is None:
        return {}
    found = {}
    for name in SCORES:
        stem = f'{quantity}_{name}'
        sides = [scalars.get(f'{stem}_p_{side}') for side in ('low', 'high')]
        known = [one for one in sides if one is not None]
        found[name] = {
            'value': scalars.get(stem),
            'low': scalars.get(f'{stem}_low'),
            'high': scalars.get(f'{stem}_high'),
            'honest': scalars.get(f'{stem}_honest'),
            'p': min(known) if known else None,
            'n': counted,
            'blocks': scalars.get('n_blocks'),
        }
    return found


def _cells(quantity: str, score: str, one: dict[str, Any], why: str | None) -> list[str]:
    unit, factor, noun = QUANTITIES[quantity]
    scale = factor if score in SIZES else 1.0
    here, low, high, honest = (_tidy(one[key], scale) for key in ('value', 'low', 'high', 'honest'))
    return [
        noun,
        f'{SCORES[score]} ({unit})' if score in SIZES else SCORES[score],
        here if why is None else f'{here}\n{why}',
        '–' if '–' in (low, high) else f'{low} to {high}',
        honest,
        '–' if one['p'] is None else f'{one["p"]:.2g}',
        f'{one["n"]:,}',
        str(one['blocks']),
    ]


def _tidy(value: float | None, scale: float) -> str:
    """Write a number; one that is rounding is 0."""
    return shown(0.0 if value is not None and abs(value) < ROUNDING else value, scale)
