"""Why a number of an audit is not defined, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping

from aiida_enne.science.uncertainty.scores.bootstrap import MIN_BLOCKS
from aiida_enne.science.uncertainty.scores.interface import Scalars
from aiida_enne.science.uncertainty.scores.local import MIN_IN_BIN
from aiida_enne.science.uncertainty.wording import QUANTITIES

_WIDTH = 'the estimator gives a score that only ranks, not a width'
_TESTED = ('_honest', '_honest_low', '_honest_high', '_p_high', '_p_low')


def why_undefined(
    scalars: Scalars, name: str, unfitted: Mapping[str, str] | None = None
) -> str | None:
    """Return why a scalar of a domain is None; None where it is a number.

    Args:
        scalars: Of the domain.
        name: Of the scalar, e.g. 'energy_roc_auc'.
        unfitted: Why the estimator has no values of a quantity, by quantity.

    Raises:
        KeyError: If there is no scalar of this name.
    """
    if scalars[name] is not None:
        return None
    prefix = next((one for one in QUANTITIES if name.startswith(f'{one}_')), '')
    score = name.removeprefix(f'{prefix}_')
    if prefix and scalars.get(f'{prefix}_rmse') is None:
        if unfitted and prefix in unfitted:
            return unfitted[prefix]
        return (
            'there are no samples: none, or all are zero by symmetry or were learnt from, or the '
            'estimator has no values of this quantity'
        )
    members = int(scalars.get('n_members') or 0)
    if score.endswith(_TESTED):
        if members < 3:
            return f'{members} members cannot change places with the truth: 3 are needed'
        tested = score.split('_honest')[0].split('_p_')[0]
        if tested == 'roc_auc' and scalars.get(f'{prefix}_rank_correlation_honest') is not None:
            return 'with a member as the truth no error, or every one, is larger than τ'
        return _of_score(scalars, prefix, tested) or (
            'the estimator knows of members what the truth does not have (snapshots, a refit of '
            'the last layer), or cannot be fitted, or rank, with a member as the truth'
        )
    if score.endswith(('_low', '_high')) and int(scalars.get('n_blocks') or 0) < MIN_BLOCKS:
        return f'{scalars.get("n_blocks")} independent blocks: {MIN_BLOCKS} are needed'
    return _of_score(scalars, prefix, score.removesuffix('_low').removesuffix('_high')) or _WIDTH


def _of_score(scalars: Scalars, prefix: str, score: str) -> str | None:
    """Return why a score is not defined, where its own definition says so."""
    several = {'force': 'n_force_components', 'stress': 'n_stress_components'}
    count = scalars.get(several.get(prefix, 'n_configurations')) or 0
    share, tolerated = scalars.get(f'{prefix}_share_intolerable'), None
    if score == 'roc_auc' and share is not None:
        tolerated = 'no error is' if share == 0 else 'all errors are'
    reasons = {
        'roc_auc': f'{tolerated} larger than τ: there is nothing to tell apart',
        'ence': f'{count} samples do not fill two bins of {MIN_IN_BIN}',
        'rank_correlation': 'error or width does not vary',
        'confidence_area': 'error or width does not vary',
    }
    known = {
        'roc_auc': tolerated is not None,
        'ence': count < 2 * MIN_IN_BIN,
        'rank_correlation': True,
        'confidence_area': True,
    }
    if known.get(score):
        return reasons[score]
    is_width = scalars.get(f'{prefix}_cone_coverage') is not None
    unknown = score.startswith('interval_coverage') and scalars.get(f'{prefix}_{score}') is None
    if is_width and unknown:
        return 'the estimator has learnt from too few blocks for an interval of this level'
    if scalars.get(f'{prefix}_spread_max') == 0:
        return 'all members agree to the last digit: σ is 0'
    return None
