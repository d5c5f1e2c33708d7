"""Exchangeability: can the truth be told from the members by how error and width agree?"""

from collections.abc import Callable, Mapping

import numpy as np

from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty.estimators.interface import Asked, Estimator
from aiida_enne.science.uncertainty.exchange import Exchange, exchange_fits, exchange_widths
from aiida_enne.science.uncertainty.scores.calibration import (
    cone_coverage,
    mean_squared_z,
    rank_correlation,
    rmse_over_spread,
)
from aiida_enne.science.uncertainty.scores.detection import confidence_area, roc_auc
from aiida_enne.science.uncertainty.scores.interface import Judged, Scalars
from aiida_enne.science.uncertainty.scores.levels import (
    LEVELS,
    at_level,
    coverages,
    width_factor,
)
from aiida_enne.science.uncertainty.scores.local import ence, n_bins, rce
from aiida_enne.science.uncertainty.scores.proper import mean_crps, mean_nll

#: From ε and width to a score.
Measure = Callable[[Floats, Floats], float]

#: What is tested, by name: a score of ε and width; the ROC-AUC, which knows τ, is added.
TESTED: dict[str, Measure] = {
    'rmse_over_spread': rmse_over_spread,
    'cone_coverage': cone_coverage,
    'rank_correlation': rank_correlation,
    'mean_squared_z': mean_squared_z,
    'ence': lambda error, width: ence(error, width, n_bins(len(error))),
    'rce': rce,
    'confidence_area': confidence_area,
    'crps': mean_crps,
    'nll': mean_nll,
}
#: Tested of widths times the RMSE that an honest estimator has in its units, see `proper`.
_SCALED = ('crps', 'nll')
#: Tested of values that only rank, too.
_RANKING = ('rank_correlation', 'confidence_area', 'roc_auc')


def score(judged: Judged) -> Scalars:
    """Return coverages of intervals, and what an honest ensemble would score, how often.

    Of each statistic: `…_honest`, the median with a member as the truth, `…_honest_low` and
    `…_honest_high`, the least and largest of these, and `…_p_high`, `…_p_low`, the probabilities of
    a value as large or as small as the one with the real truth. They are tested on at most
    `n_force_samples` samples. An estimator that learns is fitted anew in every role. None for one
    that knows of the members what the truth does not have: snapshots, a refit of the last layer.
    """
    measures = TESTED | {
        'roc_auc': lambda error, width: roc_auc(error, width, judged.tolerance),
    }
    levels = {f'interval_coverage_{level}': level / 100 for level in LEVELS}
    found: dict[str, Exchange | None] = dict.fromkeys([*measures, *levels])
    if len(judged.errors) > 2 and is_exchangeable(judged.estimator):
        scale = judged.estimator.expectations(len(judged.errors)).get('rmse_over_spread')
        tested = dict(measures)
        for name in _SCALED:
            if scale is None:
                del tested[name]
            else:
                tested[name] = _scaled(TESTED[name], scale)
        learnt = {}
        for name, level in levels.items():
            factor = width_factor(judged.estimator, len(judged.errors), level, judged.options.ddof)
            if factor is None:
                learnt[name] = level
            else:
                tested[name] = _scaled(cone_coverage, factor)
        found |= _exchange(judged, tested) | _learnt(judged, learnt)
    values = coverages(judged)
    for name, one in found.items():
        values |= {
            f'{name}_honest': None if one is None else one.median,
            f'{name}_honest_low': None if one is None else float(one.members.min()),
            f'{name}_honest_high': None if one is None else float(one.members.max()),
            f'{name}_p_high': None if one is None else one.p_high,
            f'{name}_p_low': None if one is None else one.p_low,
        }
    if not judged.is_width:
        compared = [name for name in values if not name.startswith(_RANKING)]
        values |= dict.fromkeys(compared)
    return values


def is_exchangeable(estimator: Estimator) -> bool:
    """Return whether members may change places with the truth: no need of what it has not."""
    return set(estimator.needs) <= {'members', 'features'}


def _exchange(judged: Judged, tested: Mapping[str, Measure]) -> dict[str, Exchange | None]:
    if judged.samples is not None:
        return exchange_fits(judged.samples, judged.calibration, judged.estimator, tested)
    if judged.estimator.calibrated or 'features' in judged.estimator.needs:
        return {}  # nobody knows what it was asked
    errors, limit = judged.errors, judged.options.n_force_samples
    if errors.shape[1] > limit:
        rng = np.random.default_rng(judged.options.seed)
        errors = errors[:, np.sort(rng.choice(errors.shape[1], limit, replace=False))]
    fitted, block = judged.estimator.fit(None), np.zeros(errors.shape[1], dtype=np.int64)
    return exchange_widths(errors, lambda members: fitted(Asked(members, block)), tested)


def _learnt(judged: Judged, levels: Mapping[str, float]) -> dict[str, Exchange | None]:
    """Test coverages of intervals that each level must learn anew, by name."""
    samples, known = judged.samples, judged.calibration
    if not judged.is_width or samples is None or known is None:
        return {}
    return {
        name: exchange_fits(
            samples, known, at_level(judged.estimator, level), {name: cone_coverage}
        )[name]
        for name, level in levels.items()
    }


def _scaled(measure: Measure, scale: float) -> Measure:
    return lambda error, width: measure(error, scale * width)
