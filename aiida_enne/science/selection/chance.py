"""Chance: what every other selector must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from aiida_enne.science.selection.interface import Candidates, Chosen
from aiida_enne.science.uncertainty.estimators.interface import Need


@dataclass(frozen=True, slots=True)
class Random:
    """Candidates drawn at random, each with the same probability."""

    name: ClassVar[str] = 'random'
    needs: ClassVar[tuple[Need, ...]] = ()

    def choose(self, candidates: Candidates, count: int, rng: np.random.Generator) -> Chosen:
        """Return so many candidates."""
        return Chosen(rng.permutation(len(candidates))[:count])
