"""Farthest points: candidates whose last-layer features are far from all that is known."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import ClassVar

import numpy as np

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.selection.interface import Candidates, Chosen
from aiida_enne.science.uncertainty.estimators.interface import Need


def check_installed(who: str) -> None:
    """Check that scikit-matter is there, before anything is computed for it.

    Args:
        who: What needs it, for the message.

    Raises:
        ValueError: If it is not installed.
    """
    if find_spec('skmatter') is None:
        raise ValueError(f'{who} needs scikit-matter: pip install "aiida-enne[uncertainty]"')


def farthest_points(features: Floats, count: int, known: Floats) -> Integers:
    """Return rows chosen one after another, each the farthest from the known and the chosen.

    Args:
        features: Rows to choose from, shape (n, f).
        count: How many, at most n.
        known: Rows that are there already, shape (k, f), k ≥ 1.

    Raises:
        ModuleNotFoundError: If scikit-matter is not installed.
    """
    from skmatter.sample_selection import FPS

    count = min(count, len(features))
    if not count:
        return np.empty(0, dtype=np.int64)
    # k known rows are a start of their own; scikit-matter chooses the others
    rows = np.concatenate([known, features]).astype(np.float64)
    start = list(range(len(known)))
    selector = FPS(n_to_select=len(start) + count, initialize=start)
    found: Integers = np.asarray(selector.fit(rows).selected_idx_)[len(start) :] - len(start)
    return found.astype(np.int64)


@dataclass(frozen=True, slots=True)
class Farthest:
    """Farthest-point sampling in the last-layer features, from the training set on.

    Distances are Euclidean, between means over atoms (Cersonsky et al., Mach. Learn.: Sci. Technol.
    2, 035038, 2021).

    Raises:
        ValueError: If scikit-matter is not installed.
    """

    name: ClassVar[str] = 'farthest'
    needs: ClassVar[tuple[Need, ...]] = ('features',)

    def __post_init__(self) -> None:
        check_installed('the selector `farthest`')

    def choose(self, candidates: Candidates, count: int, rng: np.random.Generator) -> Chosen:
        """Return so many candidates, the farthest first.

        Raises:
            ValueError: If there are no features.
        """
        if candidates.features is None or candidates.trained is None:
            raise ValueError('the selector `farthest` needs features of candidates and training')
        return Chosen(farthest_points(candidates.features, count, candidates.trained))
