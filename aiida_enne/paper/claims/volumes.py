"""Judges of claims about σ and ε along the volume of cubic diamond (F5)."""

from __future__ import annotations

import numpy as np

from aiida_enne.paper.claims.evidence import Evidence, Found
from aiida_enne.paper.claims.tested import AT, by_exchange, if_also
from aiida_enne.science.fields import Floats
from aiida_enne.science.properties.curves import Curve
from aiida_enne.science.properties.paths import volume_path
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.exchange import exchange
from aiida_enne.science.uncertainty.scores.calibration import rank_correlation


def judge_path(evidence: Evidence) -> Found | None:
    """F5: whether |ε| rises with σ along the volume."""
    if (path := evidence.path) is None or (curve := evidence.curve) is None:
        return None
    text = f'Over {len(path.volumes)} volumes of {path.name} |ε| '
    text += 'rises with σ throughout' if path.monotonic else 'does not rise with σ throughout'

    def correlation(members: Floats, truth: Floats) -> float:
        spread = ensemble.spread(members, ddof=path.ddof)
        return rank_correlation(ensemble.error(members, truth), spread)

    rank = path.rank_correlation
    decision = by_exchange(exchange(curve.members, curve.reference, correlation), 'low')
    decision = if_also(rank <= 0, decision, 'yet it rises, only less than an honest one')
    value = rank if np.isfinite(rank) else None
    text += '' if value is None else f' (Spearman {rank:.2f})'
    rule = f"Spearman's correlation is smaller than an honest one {AT}, and not above 0"
    return Found(decision.holds, f'{text}; {decision.why}.', rule, value)


def judge_interval(evidence: Evidence) -> Found | None:
    """F5: share of the range of volumes where the reference is inside σ."""
    if (path := evidence.path) is None or (curve := evidence.curve) is None:
        return None
    share, inside = path.share_inside, path.inside
    where = ', '.join(f'{low:.2f} to {high:.2f}' for low, high in inside)
    text = f'|ε| < σ (ddof {path.ddof}) in {share:.0%} of the range of volumes of {path.name}'
    text += f': {where} Å³/atom' if inside else ''

    def share_of(members: Floats, truth: Floats) -> float:
        one = Curve(curve.name, curve.volumes, truth, members)
        return volume_path(one, ddof=path.ddof).share_inside

    decision = by_exchange(exchange(curve.members, curve.reference, share_of), 'low')
    rule = f'the share is smaller than an honest one {AT}'
    return Found(decision.holds, f'{text}; {decision.why}.', rule, share)
