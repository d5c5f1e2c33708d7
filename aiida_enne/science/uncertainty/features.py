"""Last-layer features of configurations and of training frames, by atom and by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiida_enne.science.fields import Floats, Integers, Strings

#: Densities are apart where the logarithms of their volumes differ by so much: some 2 %.
STEP = 0.02
#: One array a member: members may differ in their features and in what they were trained on.
ByMember = Sequence[Floats] | Floats


@dataclass(frozen=True, slots=True)
class Features:
    """Features of M members, each in its own space: never compare those of two members.

    Attributes:
        atoms: By member, of the N atoms of the configurations, shape (N, f), or their sums over
            the atoms of each configuration, shape (n, f).
        trained: The same of its K atoms of k training frames, or sums of these frames.
        trained_counts: Atoms of each training frame, shape (k,); of all members, or by member.
        summed: Whether features are sums over the atoms of configurations.
        trained_errors: By member, its errors of energy per atom on the training frames, shape
            (k,), eV/atom; None where nobody knows.
        trained_groups: By member, the domain and density of each training frame, shape (k,): see
            `group_by_density`.

    Raises:
        ValueError: If the shapes disagree or a value is not finite.
    """

    atoms: ByMember
    trained: ByMember
    trained_counts: Integers | Sequence[Integers]
    summed: bool = False
    trained_errors: ByMember | None = None
    trained_groups: Sequence[Strings] | None = None

    def __post_init__(self) -> None:
        if len(self.atoms) != len(self.trained):
            raise ValueError(
                f'there are features of {len(self.atoms)} members, and of {len(self.trained)} on '
                'training frames'
            )
        counts = self.counts_by_member()
        for own, known, count in zip(self.atoms, self.trained, counts, strict=True):
            a, t = own.shape, known.shape
            if len(a) != 2 or len(t) != 2 or a[1] != t[1]:
                raise ValueError(
                    'features of a member must have the shapes (N, f) and (K, f), '
                    f'got {a} and, of the training, {t}'
                )
            rows = len(count) if self.summed else int(count.sum())
            if rows != t[0]:
                what = 'frames' if self.summed else 'atoms'
                raise ValueError(f'`trained_counts` sum to {rows} {what}, expected {t[0]}')
            if not (np.isfinite(own).all() and np.isfinite(known).all()):
                raise ValueError('features must be finite: failed members must be left out')

    def counts_by_member(self) -> list[Integers]:
        """Return the atoms of each training frame, one array a member."""
        shared = np.ndim(self.trained_counts[0]) == 0
        each = len(self.atoms) * [self.trained_counts] if shared else list(self.trained_counts)
        return [np.asarray(one, dtype=np.int64) for one in each]

    def frames(self, counts: Integers) -> tuple[list[Floats], list[Floats]]:
        """Return means over the atoms of each configuration, and of each training frame.

        Args:
            counts: Atoms of each configuration, shape (n,).

        Returns:
            By member, shapes (n, f) and (k, f).
        """
        return [self._means(own, counts) for own in self.atoms], self.trained_means()

    def trained_means(self) -> list[Floats]:
        """Return means over the atoms of each training frame, by member, shape (k, f)."""
        counts = self.counts_by_member()
        return [self._means(own, one) for own, one in zip(self.trained, counts, strict=True)]

    def _means(self, values: Floats, counts: Integers) -> Floats:
        means: Floats = values / counts[:, None] if self.summed else mean_by(values, counts)
        return means

    def components(self) -> tuple[list[Floats], list[Floats]]:
        """Return the features of the atom of each force component, by member (3 N, f) and (K, f).

        The three components of an atom have the same.

        Raises:
            ValueError: If features are sums over configurations.
        """
        if self.summed:
            raise ValueError('features summed over configurations say nothing of a force')
        return [np.repeat(own, 3, axis=0) for own in self.atoms], list(self.trained)


def group_by_density(domains: Strings, volumes: Floats) -> Strings:
    """Return domains parted by density: volumes per atom that differ by more than some 2 %.

    Args:
        domains: Of each frame, shape (n,).
        volumes: Per atom in Å³, shape (n,); 0 where there is none.
    """
    with np.errstate(divide='ignore'):
        steps = np.where(volumes > 0, np.round(np.log(np.maximum(volumes, 1e-9)) / STEP), 0)
    pairs = zip(domains.tolist(), steps.astype(int).tolist(), strict=True)
    return np.array([f'{name} / {step}' for name, step in pairs])


def mean_by(values: Floats, counts: Integers) -> Floats:
    """Return means over consecutive groups of the last axis but one, shape (…, groups, f).

    Args:
        values: Shape (…, N, f).
        counts: Size of each group, N in all, none of them 0.
    """
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    sums = np.add.reduceat(values, starts, axis=-2, dtype=np.float64)
    means: Floats = sums / counts[:, None]
    return means
