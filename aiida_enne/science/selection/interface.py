"""What a selector is: the one interface between a choice of configurations and the package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.uncertainty.estimators.interface import Asked, Need


@dataclass(frozen=True, slots=True)
class Candidates:
    """n configurations that may be labelled, and what is known of them without labels.

    Attributes:
        configurations: The n configurations, N atoms in all.
        energies: Total energies of the M members in eV, shape (M, n); None where nobody predicted.
        forces: Forces of the members in eV/Å, shape (M, N, 3); None where nobody predicted.
        features: Last-layer features of one member, means over atoms, shape (n, f).
        trained: The same of the k configurations that it was trained on, shape (k, f).
        calibration: Labelled samples that an estimator may learn from, by quantity: `energy` in
            eV/atom, `force` in eV/Å. Empty where nothing was labelled yet.
        by_sigma: Which of them dynamics kept for their σ alone, not as one of every so many steps,
            shape (n,); None where there is no such candidate.
    """

    configurations: Configurations
    energies: Floats | None = None
    forces: Floats | None = None
    features: Floats | None = None
    trained: Floats | None = None
    calibration: Mapping[str, Asked] = field(default_factory=dict)
    by_sigma: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.configurations)

    def select(self, chosen: ArrayLike) -> Candidates:
        """Return some of the candidates, in the order of the choice."""
        index = np.asarray(chosen, dtype=np.int64)
        return Candidates(
            self.configurations.select(index),
            None if self.energies is None else self.energies[:, index],
            None if self.forces is None else self.forces[:, self.configurations.atom_index(index)],
            None if self.features is None else self.features[index],
            self.trained,
            self.calibration,
            None if self.by_sigma is None else self.by_sigma[index],
        )


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a selector chose.

    Attributes:
        indices: Of the chosen candidates, in the order of preference.
        values: What was ranked by, shape (n,); None where nothing was.
        unit: Of the values, for tables: 'eV/Å'.
        left: Why candidates cannot be chosen, by their index.
        note: What is to be known of the choice; may be empty.
    """

    indices: Integers
    values: Floats | None = None
    unit: str = ''
    left: Mapping[int, str] = field(default_factory=dict)
    note: str = ''


@runtime_checkable
class Selector(Protocol):
    """A way to choose configurations to label.

    Its options are the keywords of its class, plain values with defaults.

    Attributes:
        name: By which it is registered in `aiida_enne.selectors`.
        needs: What it needs of candidates: predictions of `members`, `features`. One that takes
            more than one member has `min_members`, too.
    """

    name: str

    @property
    def needs(self) -> Sequence[Need]:
        """Return what it needs of candidates beside their structures."""

    def choose(self, candidates: Candidates, count: int, rng: np.random.Generator) -> Chosen:
        """Return at most `count` distinct candidates; the same generator gives the same choice.

        Args:
            candidates: Configurations without labels.
            count: How many to choose, at least 1.
            rng: The only source of chance.

        Raises:
            ValueError: If the candidates lack what is needed.
        """
