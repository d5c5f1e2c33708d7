"""Elastic constants of a crystal by the reference and by every member, from stresses alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiida_enne.science.fields import GPA_PER_EV_PER_CUBIC_ANGSTROM, Floats
from aiida_enne.science.structures.deformations import VOIGT, strains_of
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF, OfMembers

#: Constants smaller than this share of the largest are zero by symmetry, or as good as.
SMALL = 0.02
#: Constants that symmetry makes equal differ by less than this share of the largest.
EQUAL = 0.005
#: The constants of a cubic crystal along its axes, each with its equals.
CUBIC = (
    ((0, 0), (1, 1), (2, 2)),
    ((0, 1), (0, 2), (1, 2)),
    ((3, 3), (4, 4), (5, 5)),
)


@dataclass(frozen=True)
class Elastic(OfMembers):
    """Stiffness in GPa in Voigt's notation.

    Attributes:
        name: The crystal.
        reference: Of the reference, shape (6, 6); None where nothing is labelled.
        members: Of the members, shape (M, 6, 6).
        ddof: See `ensemble.spread`.
    """

    name: str
    reference: Floats | None
    members: Floats
    ddof: int = PAPER_DDOF

    @property
    def shown(self) -> list[tuple[int, int]]:
        """Pairs of indices of the constants that are not zero, each once: C_ij with i ≤ j."""
        size = np.abs(self.mean if self.reference is None else self.reference)
        rows, columns = np.nonzero(np.triu(size > SMALL * size.max()))
        return list(zip(rows.tolist(), columns.tolist(), strict=True))

    @property
    def distinct(self) -> dict[str, tuple[tuple[int, int], ...]]:
        """Constants by name, those of a cubic crystal along its axes with their equals."""
        known = [*self.members, *([] if self.reference is None else [self.reference])]
        if all(map(_is_cubic, known)):
            return {f'C{i + 1}{j + 1}': ((i, j), *rest) for (i, j), *rest in CUBIC}
        return {f'C{i + 1}{j + 1}': ((i, j),) for i, j in self.shown}


def _is_cubic(constants: Floats) -> bool:
    """Return whether constants (6, 6) have the form of a cubic crystal along its axes."""
    rest, limit = constants.copy(), EQUAL * np.abs(constants).max()
    for group in CUBIC:
        rows, columns = np.array(group).T
        if np.ptp(constants[rows, columns]) > limit:
            return False
        rest[rows, columns] = rest[columns, rows] = 0
    return bool(np.abs(rest).max() < limit)


def stiffness(cells: Floats, stresses: Floats) -> Floats:
    """Return C_ij in GPa, by least squares of the stresses over the strains of the cells.

    These are the slopes of the stress at the mean cell, symmetrised. Where that has a stress of its
    own, they differ from second derivatives of the energy by terms of its size.

    Args:
        cells: Strained cells in Å, rows are vectors, shape (n, 3, 3).
        stresses: In eV/Å³, shape (n, 3, 3).

    Returns:
        Shape (6, 6).

    Raises:
        ValueError: If shapes disagree, a stress is missing, or the strains do not span all six.
    """
    if cells.shape != stresses.shape or cells.ndim != 3:
        raise ValueError(f'{len(cells)} cells need as many stresses, got {stresses.shape}')
    if not np.isfinite(stresses).all():
        raise ValueError('some of the strained cells have no stress')
    strains = strains_of(cells)
    if np.linalg.matrix_rank(strains, tol=1e-3 * np.abs(strains).max()) < 6:
        raise ValueError(
            f'the {len(cells)} cells are not strained in six independent ways: `deform_crystal` '
            'makes twelve'
        )
    voigt = np.stack([stresses[:, i, j] for i, j in VOIGT], axis=1)
    design = np.column_stack([strains, np.ones(len(strains))])
    slopes = np.linalg.lstsq(design, voigt, rcond=None)[0][:6]
    constants: Floats = (slopes + slopes.T) / 2 * GPA_PER_EV_PER_CUBIC_ANGSTROM
    return constants


def elastic(
    name: str, cells: Floats, reference: Floats | None, members: Floats, *, ddof: int = PAPER_DDOF
) -> Elastic:
    """Return the elastic constants of the reference and of every member.

    Args:
        name: The crystal.
        cells: Strained cells in Å, shape (n, 3, 3).
        reference: Stresses of the reference in eV/Å³, shape (n, 3, 3); None without labels.
        members: Stresses of the members in eV/Å³, shape (M, n, 3, 3).
        ddof: See `ensemble.spread`.

    Raises:
        ValueError: As `stiffness` does.
    """
    own = np.array([stiffness(cells, stresses) for stresses in members])
    true = None if reference is None else stiffness(cells, reference)
    return Elastic(name, true, own, ddof)
