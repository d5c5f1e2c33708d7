"""What an estimator of uncertainty is: the one interface between it and the package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Protocol, runtime_checkable

from numpy.typing import NDArray

from aiida_enne.science.fields import Floats, Integers

#: What may be needed of the samples beside nothing at all.
Need = Literal['members', 'features']


@dataclass(frozen=True, slots=True)
class Asked:
    """Samples of one quantity: energies per atom (eV/atom) or force components (eV/Å).

    Attributes:
        members: Predictions of the M members, shape (M, n).
        block: Number of the trajectory block of each sample, shape (n,): neighbours in time
            belong together, whatever is drawn from the samples.
        reference: Reference values, shape (n,); None where there are no labels.
        features: Last-layer features of each sample, shape (n, f); None where there are none.
    """

    members: Floats
    block: Integers
    reference: Floats | None = None
    features: Floats | None = None

    def __len__(self) -> int:
        return int(self.members.shape[1])

    def select(self, chosen: NDArray[Any]) -> Asked:
        """Return some of the samples, by their numbers or by a mask (n,)."""
        parts = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if value is not None:
                parts[item.name] = value[:, chosen] if item.name == 'members' else value[chosen]
        return replace(self, **parts)


@runtime_checkable
class Fitted(Protocol):
    """An estimator that knows all that it learns."""

    def __call__(self, samples: Asked) -> Floats:
        """Return one value ≥ 0 for each sample, shape (n,); it sees no `reference`."""


@runtime_checkable
class Estimator(Protocol):
    """A way to say how wrong a prediction may be.

    Its options are the keywords of its class, plain values with defaults.

    Attributes:
        name: By which it is registered in `aiida_enne.estimators`.
        unit: 'quantity' where its values are widths in the unit of the quantity, comparable with
            |ε|; None for a score that only ranks.
        needs: What it needs of the samples.
        calibrated: Whether it learns from labelled samples of one domain. What it has learnt from
            is never judged by it.
    """

    name: str
    unit: Literal['quantity'] | None
    needs: Sequence[Need]
    calibrated: bool

    def fit(self, calibration: Asked | None) -> Fitted:
        """Return the estimator fitted to labelled samples of the calibration domain.

        Args:
            calibration: With `reference`; None where `calibrated` is false.

        Raises:
            ValueError: If it cannot be fitted to these samples; it says why.
        """

    def label(self) -> str:
        """Return how figures and sentences call its values: 'σ (ddof 0)'."""

    def expectations(self, n_members: int) -> dict[str, float]:
        """Return what a perfect one would score with M members; nothing where that is not known.

        By name: `cone_coverage` P(|ε| ≤ σ), `rmse_over_spread`, `mean_squared_z`.
        """
