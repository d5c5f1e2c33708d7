"""Components of forces and stresses as samples: reference, members, and which of them count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import GPA_PER_EV_PER_CUBIC_ANGSTROM, Floats
from aiida_enne.science.structures.deformations import VOIGT
from aiida_enne.science.uncertainty.options import AuditOptions

Used = NDArray[np.bool_]
#: Stress components below it in GPa, in the reference and in every member, are zero by symmetry.
ZERO_STRESS = 1e-3


def force_components(
    configurations: Configurations, forces: Floats, options: AuditOptions
) -> tuple[Floats, Floats, Used]:
    """Return labels (3N,), members (M, 3N) in eV/Å, and which count, see `samples.gather`.

    Args:
        configurations: n labelled configurations of N atoms in all.
        forces: Of the members in eV/Å, shape (M, N, 3).
        options: Choices of the audit.
    """
    flat = forces.reshape(len(forces), -1).astype(np.float64, copy=False)
    labels = np.asarray(configurations.forces).reshape(-1)
    is_label = configurations.known_forces.reshape(-1)
    used = np.abs(labels) >= options.zero_force_tolerance
    for member in flat:
        used |= np.abs(member) >= options.zero_force_tolerance
    return np.where(is_label, labels, 0.0), flat, used & is_label


def stress_components(
    configurations: Configurations, stresses: Floats | None
) -> tuple[Floats, Floats, Used] | None:
    """Return labels (6n,), members (M, 6n) in GPa, and which count; None where none does.

    Components that symmetry makes zero, in the reference and in all members, do not count.

    Args:
        configurations: n labelled configurations.
        stresses: Of the members in eV/Å³, shape (M, n, 3, 3).

    Raises:
        ValueError: If the shape is another, or a member has a value that is not finite where there
            is a label.
    """
    if stresses is None or configurations.stresses is None:
        return None
    if stresses.shape[1:] != configurations.stresses.shape:
        expected = configurations.stresses.shape
        raise ValueError(f'`stresses` must have the shape (M, *{expected}), got {stresses.shape}')
    rows, columns = np.array(VOIGT).T
    truth = configurations.stresses[:, rows, columns].reshape(-1) * GPA_PER_EV_PER_CUBIC_ANGSTROM
    members = stresses[:, :, rows, columns].reshape(len(stresses), -1).astype(np.float64)
    members *= GPA_PER_EV_PER_CUBIC_ANGSTROM
    known = np.isfinite(truth)
    if not np.isfinite(members[:, known]).all():
        raise ValueError('`stresses` of members must be finite where there are labels')
    truth, members = np.where(known, truth, 0.0), np.where(known, members, 0.0)
    used = known & (np.abs(np.vstack([truth, members])).max(axis=0) >= ZERO_STRESS)
    return (truth, members, used) if used.any() else None
