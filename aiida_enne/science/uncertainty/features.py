"""Last-layer features of configurations and of training frames, by atom and by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiida_enne.science.fields import Floats, Integers


@dataclass(frozen=True, slots=True)
class Features:
    """Features of M members, each in its own space: never compare those of two members.

    Attributes:
        atoms: Of the N atoms of the configurations, shape (M, N, f).
        trained: Of the K atoms of the training frames, shape (M, K, f).
        trained_counts: Atoms of each training frame, shape (k,), K in all.

    Raises:
        ValueError: If the shapes disagree or a value is not finite.
    """

    atoms: Floats
    trained: Floats
    trained_counts: Integers

    def __post_init__(self) -> None:
        a, t = self.atoms.shape, self.trained.shape
        if len(a) != 3 or len(t) != 3 or (a[0], a[2]) != (t[0], t[2]):
            raise ValueError(
                'features must have the shapes (M, N, f) and (M, K, f), '
                f'got {a} and, of the training, {t}'
            )
        if int(self.trained_counts.sum()) != t[1]:
            raise ValueError(
                f'`trained_counts` sum to {int(self.trained_counts.sum())} atoms, expected {t[1]}'
            )
        if not (np.isfinite(self.atoms).all() and np.isfinite(self.trained).all()):
            raise ValueError('features must be finite: failed members must be left out')

    def frames(self, counts: Integers) -> tuple[Floats, Floats]:
        """Return means over the atoms of each configuration, and of each training frame.

        Args:
            counts: Atoms of each configuration, shape (n,), N in all.

        Returns:
            Shapes (M, n, f) and (M, k, f).
        """
        return mean_by(self.atoms, counts), mean_by(self.trained, self.trained_counts)

    def components(self) -> tuple[Floats, Floats]:
        """Return the features of the atom of each force component, shapes (M, 3 N, f), (M, K, f).

        The three components of an atom have the same.
        """
        return np.repeat(self.atoms, 3, axis=1), self.trained


def mean_by(values: Floats, counts: Integers) -> Floats:
    """Return means over consecutive groups of the second axis, shape (M, groups, f).

    Args:
        values: Shape (M, N, f).
        counts: Size of each group, N in all, none of them 0.
    """
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    sums = np.add.reduceat(values.astype(np.float64), starts, axis=1)
    means: Floats = sums / counts[None, :, None]
    return means
