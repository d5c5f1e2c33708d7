"""What an estimator of uncertainty is: the one interface between it and the package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

from numpy.typing import NDArray

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.features import ByMember

#: What may be needed of the samples beside nothing at all.
Need = Literal['members', 'features', 'training errors', 'snapshots']


@dataclass(frozen=True, slots=True)
class Asked:
    """Samples of one quantity: energies per atom (eV/atom) or force components (eV/Å).

    Attributes:
        members: Predictions of the M members, shape (M, n).
        block: Number of the independent block of each sample, shape (n,): relatives belong
            together, whatever is drawn from the samples.
        reference: Reference values, shape (n,); None where there are no labels.
        features: Last-layer features of each sample, by member, each (n, f): means over the atoms
            of a configuration, or those of an atom; None where there are none.
        trained: The same of the k samples that each member was trained on, each (k, f).
        trained_errors: Errors of each member on these, each (k,); None where they are not known.
        trained_group: Domain and density of each of these by member, each (k,).
        domain: Number of the domain of each sample, shape (n,); None where it does not matter.
        snapshots: Predictions of K snapshots of one member, shape (K, n); None without any.
    """

    members: Floats
    block: Integers
    reference: Floats | None = None
    features: ByMember | None = None
    trained: ByMember | None = None
    trained_errors: ByMember | None = None
    trained_group: Sequence[NDArray[Any]] | None = None
    domain: Integers | None = None
    snapshots: Floats | None = None

    def __len__(self) -> int:
        return int(self.members.shape[1])

    def select(self, chosen: NDArray[Any]) -> Asked:
        """Return some of the samples, by their numbers or by a mask (n,)."""
        parts: dict[str, Any] = {'members': self.members[:, chosen]}
        for name in ('block', 'reference', 'domain'):
            if (value := getattr(self, name)) is not None:
                parts[name] = value[chosen]
        if self.snapshots is not None:
            parts['snapshots'] = self.snapshots[:, chosen]
        if self.features is not None:
            parts['features'] = [own[chosen] for own in self.features]
        return replace(self, **parts)


@runtime_checkable
class Fitted(Protocol):
    """An estimator that knows all that it learns."""

    def __call__(self, samples: Asked) -> Floats:
        """Return one value ≥ 0 for each sample, shape (n,); it sees no `reference`."""


@runtime_checkable
class Portable(Protocol):
    """A fitted estimator that plain numbers say, so that an exported ensemble can hold it.

    An estimator whose fits lack this method is still one: it stays where this package is.
    """

    def portable(self, n_members: int) -> dict[str, float]:
        """Return `factor` and `ddof` of the spread that it multiplies, or a `constant` width.

        Args:
            n_members: M.

        Raises:
            ValueError: If it is neither; it says why.
        """


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
            is never judged by it. If it cannot learn from few, it has `min_blocks`: how many
            independent blocks it takes, so that an audit is refused before its predictions. One
            that takes more than two members has `min_members`.
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

        By name: `cone_coverage` P(|ε| ≤ σ), `rmse_over_spread`, `mean_squared_z`. The second
        says that its values are standard deviations: without it they are not scored as such.
        """


def labelled(calibration: Asked | None, who: str) -> tuple[Asked, Floats]:
    """Return calibration samples and ε of each, shape (n,).

    Args:
        calibration: What a fit was given.
        who: Name of the estimator, for the message.

    Raises:
        ValueError: If there are no labelled samples.
    """
    if calibration is None or calibration.reference is None or not len(calibration):
        raise ValueError(f'{who} needs labelled samples of a calibration domain')
    return calibration, ensemble.error(calibration.members, calibration.reference)


def trained_features(samples: Asked, who: str) -> tuple[ByMember, ByMember]:
    """Return features of samples and of the training, by member (n, f) and (k, f).

    Args:
        samples: What an estimator was given.
        who: Name of the estimator, for the message.

    Raises:
        ValueError: If either is missing.
    """
    if samples.features is None or samples.trained is None:
        raise ValueError(
            f'{who} needs the last-layer features of the samples and of the training frames, '
            'which these predictions do not hold'
        )
    return samples.features, samples.trained


def check_level(level: float) -> None:
    """Refuse a probability that is not between 0 and 1.

    Raises:
        ValueError: If it is not.
    """
    if not 0 < level < 1:
        raise ValueError(f'`level` must be between 0 and 1, got {level}')
