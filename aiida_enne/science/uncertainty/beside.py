"""What may be known beside what the members predicted: features, stresses, snapshots."""

from __future__ import annotations

from typing import Any, NamedTuple, TypedDict

import numpy as np

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.alignment import Offsets
from aiida_enne.science.uncertainty.components import stress_components
from aiida_enne.science.uncertainty.features import Features
from aiida_enne.science.uncertainty.options import AuditOptions


class Snapshots(NamedTuple):
    """What the K snapshots of one member predicted.

    Attributes:
        energies: Total energies in eV, shape (K, n).
        forces: In eV/Å, shape (K, N, 3).
        stresses: In eV/Å³, shape (K, n, 3, 3); None where one has none.
    """

    energies: Floats
    forces: Floats
    stresses: Floats | None = None


class Beside(TypedDict, total=False):
    """What may be known beside what the members predicted.

    Attributes:
        features: Last-layer features.
        stresses: Of the members in eV/Å³, shape (M, n, 3, 3); they count where labels have them.
        snapshots: Of one member: energies and forces, and stresses if there are any. Where own
            zeros are taken, offsets hold those of the snapshots, too.
    """

    features: Features | None
    stresses: Floats | None
    snapshots: Snapshots | tuple[Floats, Floats] | None


def check_shapes(
    configurations: Configurations,
    predicted: tuple[Floats, Floats],
    zeros: Floats | None,
    options: AuditOptions,
    whose: str = '',
) -> None:
    """Refuse what cannot be audited; see `samples.gather`.

    Args:
        configurations: n configurations of N atoms in all.
        predicted: Energies (M, n) and forces (M, N, 3).
        zeros: Own zeros of the M models, if there are any.
        options: Choices of the audit.
        whose: What to say of the models in errors.

    Raises:
        ValueError: If it cannot.
    """
    energies, forces = predicted
    n, total = len(configurations), len(configurations.numbers)
    if configurations.energies is None or configurations.forces is None:
        raise ValueError('an audit needs labelled configurations')
    if not n:
        raise ValueError('there are no configurations to audit')
    shapes = (energies.shape, forces.shape)
    expected = ((len(energies), n), (len(energies), total, 3))
    if shapes != expected:
        raise ValueError(
            f'`energies` and `forces`{whose} must have the shapes {expected[0]} and {expected[1]}, '
            f'got {shapes[0]} and {shapes[1]}'
        )
    if zeros is not None and zeros.shape != (len(energies),):
        raise ValueError(f'{len(zeros)} offsets do not fit {len(energies)} members')
    ensemble.check_members(energies, f'energies{whose}', ddof=options.ddof)
    ensemble.check_members(forces, f'forces{whose}', ddof=options.ddof)


def features_of(
    configurations: Configurations,
    energies: Floats,
    features: Features | None,
    options: AuditOptions,
) -> dict[str, dict[str, Any] | None]:
    """Return features of samples and training by quantity, where the estimator needs them.

    None of forces where an estimator needs what there is of energies only.

    Args:
        configurations: n configurations of N atoms in all.
        energies: Of the M members, shape (M, n).
        features: Of the configurations and the training frames, if there are any.
        options: Choices of the audit.

    Raises:
        ValueError: If features are of other members, configurations or atoms.
    """
    needs = options.make_estimator().needs
    if features is None or 'features' not in needs:
        return {'energy': {}, 'force': {}}
    n_rows = len(configurations if features.summed else configurations.numbers)
    expected, found = len(energies) * [n_rows], [len(own) for own in features.atoms]
    if found != expected:
        raise ValueError(
            f'features must have {n_rows} rows of each of {len(energies)} members, got {found}'
        )
    own, trained = features.frames(configurations.n_atoms)
    known: dict[str, Any] = {'features': own, 'trained': trained}
    known |= {'trained_errors': features.trained_errors, 'trained_group': features.trained_groups}
    if features.summed or 'training errors' in needs:
        return {'energy': known, 'force': None}
    own, trained = features.components()
    return {'energy': known, 'force': {'features': own, 'trained': trained}}


def snapshots_of(
    configurations: Configurations, snapshots: Snapshots, offsets: Offsets | None
) -> dict[str, Floats]:
    """Return what snapshots predicted by quantity, one column per sample as in `samples.gather`.

    Nothing of stresses where the snapshots have none.

    Args:
        configurations: n labelled configurations of N atoms in all.
        snapshots: What they predicted.
        offsets: Own zeros of the reference, the members and the snapshots.

    Raises:
        ValueError: If own zeros are taken, but not of the snapshots.
    """
    energies, forces, stresses = snapshots
    found = {
        'energy': energies / configurations.n_atoms,
        'force': forces.reshape(len(forces), -1).astype(np.float64, copy=False),
    }
    if offsets is not None:
        if offsets.snapshots is None:
            raise ValueError(
                'the offsets hold own zeros of the members and none of the snapshots: take both '
                'by `reference_offset(..., snapshots=energies)`'
            )
        found['aligned'] = energies / configurations.n_atoms - offsets.snapshots[:, None]
    if components := stress_components(configurations, stresses):
        found['stress'] = components[1]
    return found
