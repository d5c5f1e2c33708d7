"""Chance: what every other selector must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from aiida_enne.science.selection.interface import Candidates, Chosen
from aiida_enne.science.uncertainty.estimators.interface import Need

BY_SIGMA = 'dynamics kept it only because its σ passed a threshold'


@dataclass(frozen=True, slots=True)
class Random:
    """Candidates drawn at random, each with the same probability.

    What is among them because its σ was large is left: chance must know nothing of σ.
    """

    name: ClassVar[str] = 'random'
    needs: ClassVar[tuple[Need, ...]] = ()

    def choose(self, candidates: Candidates, count: int, rng: np.random.Generator) -> Chosen:
        """Return so many candidates."""
        order, left = rng.permutation(len(candidates)), {}
        if candidates.by_sigma is not None:
            left = dict.fromkeys(np.flatnonzero(candidates.by_sigma).tolist(), BY_SIGMA)
            order = order[~candidates.by_sigma[order]]
        return Chosen(order[:count], left=left)
