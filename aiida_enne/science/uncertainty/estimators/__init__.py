"""Estimators of uncertainty: one file each, found by the entry points `aiida_enne.estimators`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from aiida_enne.science.options import refuse_unknown
from aiida_enne.science.plugins import load_registered
from aiida_enne.science.uncertainty.estimators.interface import Asked, Estimator, Fitted, Portable

GROUP = 'aiida_enne.estimators'
#: The paper's σ.
DEFAULT = 'ensemble'


def make_estimator(name: str, options: Mapping[str, Any] | None = None) -> Estimator:
    """Return an estimator by its name, with its options.

    Raises:
        ValueError: If there is no such estimator, or an option is unknown or of no use.
    """
    kind = load_registered(GROUP, name, 'an estimator of uncertainty')
    known = inspect.signature(kind).parameters
    refuse_unknown(f'the estimator {name!r}', options or {}, known)
    estimator: Estimator = kind(**(options or {}))
    return estimator


__all__ = ['DEFAULT', 'GROUP', 'Asked', 'Estimator', 'Fitted', 'Portable', 'make_estimator']
