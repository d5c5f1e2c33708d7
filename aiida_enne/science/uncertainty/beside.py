"""What may be known beside what the members predicted, as estimators ask for it."""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.alignment import Offsets
from aiida_enne.science.uncertainty.features import Features
from aiida_enne.science.uncertainty.options import AuditOptions


class Beside(TypedDict, total=False):
    """What may be known beside what the members predicted.

    Attributes:
        features: Last-layer features.
        stresses: Of the members in eV/Å³, shape (M, n, 3, 3); they count where labels have them.
        snapshots: Energies (K, n) and forces (K, N, 3) of the snapshots of one member, in the units
            of the members' own.
    """

    features: Features | None
    stresses: Floats | None
    snapshots: tuple[Floats, Floats] | None


def check_shapes(
    configurations: Configurations,
    energies: Floats,
    forces: Floats,
    offsets: Offsets | None,
    options: AuditOptions,
) -> None:
    """Refuse what cannot be audited; see `samples.gather`.

    Raises:
        ValueError: If it cannot.
    """
    n, total = len(configurations), len(configurations.numbers)
    if configurations.energies is None or configurations.forces is None:
        raise ValueError('an audit needs labelled configurations')
    if not n:
        raise ValueError('there are no configurations to audit')
    shapes = (energies.shape, forces.shape)
    expected = ((len(energies), n), (len(energies), total, 3))
    if shapes != expected:
        raise ValueError(
            f'`energies` and `forces` must have the shapes {expected[0]} and {expected[1]}, '
            f'got {shapes[0]} and {shapes[1]}'
        )
    if offsets is not None and offsets.members.shape != (len(energies),):
        raise ValueError(f'{len(offsets.members)} offsets do not fit {len(energies)} members')
    ensemble.check_members(energies, 'energies', ddof=options.ddof)
    ensemble.check_members(forces, 'forces', ddof=options.ddof)


def known_features(
    configurations: Configurations,
    energies: Floats,
    features: Features | None,
    options: AuditOptions,
) -> dict[str, dict[str, Any] | None]:
    """Return features of samples and training by quantity, where the estimator needs them.

    None of forces where an estimator needs what there is of energies only.
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


def known_rivals(
    configurations: Configurations, snapshots: tuple[Floats, Floats] | None, options: AuditOptions
) -> dict[str, dict[str, Any] | None]:
    """Return what snapshots predicted by quantity; None of own zeros where the estimator asks."""
    if snapshots is None:
        return {'energy': {}, 'aligned': {}, 'force': {}}
    check_shapes(configurations, *snapshots, None, options)
    energies, forces = snapshots
    asked = 'snapshots' in options.make_estimator().needs
    return {
        'energy': {'snapshots': energies / configurations.n_atoms},
        'aligned': None if asked else {},
        'force': {'snapshots': forces.reshape(len(forces), -1).astype(np.float64, copy=False)},
    }
