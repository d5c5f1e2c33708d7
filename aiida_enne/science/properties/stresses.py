"""Error and spread of stresses in GPa, component by component."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiida_enne.science.fields import GPA_PER_EV_PER_CUBIC_ANGSTROM, Floats
from aiida_enne.science.structures.deformations import VOIGT
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF

#: Names of the components, in Voigt's order.
COMPONENTS = tuple('xyz'[i] + 'xyz'[j] for i, j in VOIGT)


@dataclass(frozen=True, slots=True)
class StressErrors:
    """How far the stresses of an ensemble are off, and what σ says of it.

    Attributes:
        rmse: Root mean square of ε of each component in GPa, shape (6,).
        spread: Root mean square of σ of each component in GPa, shape (6,).
        pressure_error: ε of the pressure in GPa, mean over configurations.
        n: Number of configurations.
    """

    rmse: Floats
    spread: Floats
    pressure_error: float
    n: int

    @property
    def ratio(self) -> float:
        """RMSE/σ over all components: 1 where σ is as large as the error; ∞ where σ is 0."""
        error, spread = (float(np.mean(one**2)) for one in (self.rmse, self.spread))
        return float(np.sqrt(error / spread)) if spread > 0 else float('inf')


def judge_stresses(
    reference: Floats, members: Floats, *, ddof: int = PAPER_DDOF
) -> StressErrors | None:
    """Return error and spread of the stresses of one domain; None where no label has a stress.

    Args:
        reference: Stresses in eV/Å³, shape (n, 3, 3), NaN where unknown.
        members: Those of the members, shape (M, n, 3, 3).
        ddof: See `ensemble.spread`.

    Raises:
        ValueError: If shapes disagree or there are fewer than two members.
    """
    if members.shape[1:] != reference.shape:
        raise ValueError(f'stresses of members {members.shape} are not those of {reference.shape}')
    known = np.isfinite(reference).all(axis=(1, 2))
    if not known.any():
        return None
    rows, columns = np.array(VOIGT).T
    truth = reference[known][:, rows, columns] * GPA_PER_EV_PER_CUBIC_ANGSTROM
    own = members[:, known][:, :, rows, columns] * GPA_PER_EV_PER_CUBIC_ANGSTROM
    error, spread = ensemble.error(own, truth), ensemble.spread(own, ddof=ddof)
    rmse, sigma = (np.sqrt(np.mean(one**2, axis=0)) for one in (error, spread))
    return StressErrors(rmse, sigma, -float(error[:, :3].mean()), int(known.sum()))
