"""Estimators of uncertainty: one file each, found by the entry points `aiida_enne.estimators`."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

from aiida_enne.science.plugins import load_registered
from aiida_enne.science.uncertainty.estimators.interface import Asked, Estimator, Fitted

GROUP = 'aiida_enne.estimators'
#: The paper's σ.
DEFAULT = 'ensemble'


def make_estimator(name: str, options: Mapping[str, Any] | None = None) -> Estimator:
    """Return an estimator by its name, with its options.

    Raises:
        ValueError: If there is no such estimator, or an option is unknown or of no use.
    """
    kind = load_registered(GROUP, name, 'an estimator of uncertainty')
    known = list(inspect.signature(kind).parameters)
    for option in options or {}:
        if option not in known:
            close = difflib.get_close_matches(option, known, 1)
            hint = f'; did you mean {close[0]!r}?' if close else ''
            raise ValueError(
                f'the estimator {name!r} has no option {option!r}{hint}; it has {known}'
            )
    estimator: Estimator = kind(**(options or {}))
    return estimator


__all__ = ['DEFAULT', 'GROUP', 'Asked', 'Estimator', 'Fitted', 'make_estimator']
