"""One audit of all that an ensemble predicted, with the gates that only the graph can show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from aiida import orm

from aiida_enne.data.features import trained_gates
from aiida_enne.data.trainings import find_trainings
from aiida_enne.provenance.ensembles import find_histories, load_histories
from aiida_enne.provenance.features import find_fitted, find_trained, known_features
from aiida_enne.provenance.material import Material, missing
from aiida_enne.provenance.rows import (
    N_FRAMES,
    Rows,
    find_stresses,
    gather_forces,
    join_rows,
    thin,
)
from aiida_enne.provenance.snapshots import stored_snapshots
from aiida_enne.science.fields import Floats
from aiida_enne.science.structures.domains import Domain
from aiida_enne.science.uncertainty.alignment import Offsets, reference_offset
from aiida_enne.science.uncertainty.audit import Audit, audit
from aiida_enne.science.uncertainty.best import add_best, find_all
from aiida_enne.science.uncertainty.estimators import Asked
from aiida_enne.science.uncertainty.features import Features
from aiida_enne.science.uncertainty.fit import Fit
from aiida_enne.science.uncertainty.gates import Gate, epochs_gate, training_gate
from aiida_enne.science.uncertainty.judging import by_domain
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.science.uncertainty.samples import Samples, gather

#: The phase whose lowest energy is a zero of one's own: cubic diamond, as in the paper.
ZERO = 'diamond'
#: Validation error whose course says whether a training had ended.
MONITORED = 'val0_epoch_forces_mae'


def joint_audit(
    material: Material, options: AuditOptions | None = None, n_frames: int = N_FRAMES
) -> Audit:
    """Audit all rows of all datasets together, at most so many frames of each domain.

    Widths are thus calibrated on what was trained on and judged everywhere. Nothing is stored.
    Verdicts name the best estimator of those that the stored predictions allow.

    Args:
        material: Of a study, or of any work chain that knows an ensemble.
        options: Choices; the domains trained on are filled in.
        n_frames: Frames of each domain at most.

    Raises:
        Missing: If nothing was predicted that was not trained on.
    """
    rows, offsets = _rows(material, n_frames)
    names = set(rows.configurations.domains.tolist())
    trained = [name for name in material.training_domains if name in names]
    given = AuditOptions() if options is None else options
    r_max = given.r_max or material.record.ensemble.r_max
    chosen = replace(given, training_domains=tuple(trained), r_max=r_max)

    def make() -> Audit:
        forces = joint_forces(material, n_frames)
        stresses = joint_stresses(material, n_frames)
        features, counts = known_features(material, rows), rows.configurations.n_atoms
        gates = find_gates(material, chosen, features, n_frames)
        table = rows.configurations, rows.energies, forces
        found = audit(*table, options=chosen, offsets=offsets, gates=gates, stresses=stresses)
        _, quantities = joint_quantities(material, n_frames)
        domains = np.unique(rows.configurations.domains).tolist()
        best = find_all(quantities, domains, chosen, features, counts)
        return replace(found, verdicts=add_best(found.verdicts, best))

    return material.once(('joint', repr(chosen), n_frames), make)


def joint_samples(material: Material, of: str, n_frames: int = N_FRAMES) -> dict[str, Asked]:
    """Return samples of one quantity of all rows by domain, those without any left out.

    Args:
        material: Of a study.
        of: 'energy', 'aligned' (own zeros), 'force' or 'stress'.
        n_frames: Frames of each domain at most.

    Raises:
        Missing: If there is no domain to take own zeros from.
    """
    rows, found = joint_quantities(material, n_frames)
    if of not in found:
        raise missing(f'E(V) of {ZERO}, to take own zeros from', 'enne.eos')
    # in the order of their numbers, not of people
    names = np.unique(rows.configurations.domains).tolist()
    return by_domain(found[of], names, AuditOptions())


def joint_quantities(
    material: Material, n_frames: int = N_FRAMES
) -> tuple[Rows, dict[str, Samples]]:
    """Return all rows, and the samples of each quantity of theirs."""
    rows, offsets = _rows(material, n_frames)

    def make() -> dict[str, Samples]:
        table = rows.configurations, rows.energies, joint_forces(material, n_frames)
        stored = stored_snapshots(material.record.ensemble, rows)
        rivals = stored[0] if stored else None
        zeros, stresses = offsets, joint_stresses(material, n_frames)
        if zeros is not None and rivals is not None:
            zeros = reference_offset(*table[:2], zeros.domain, snapshots=rivals.energies)
        return gather(*table, zeros, AuditOptions(), snapshots=rivals, stresses=stresses)

    return rows, material.once(('joint samples', n_frames), make)


def joint_forces(material: Material, n_frames: int = N_FRAMES) -> Floats:
    """Return the forces of all members on all rows in eV/Å, shape (M, N, 3), read once."""
    rows, _ = _rows(material, n_frames)
    return material.once(
        ('joint forces', n_frames), lambda: gather_forces(material.record.ensemble, rows)
    )


def joint_stresses(material: Material, n_frames: int = N_FRAMES) -> Floats | None:
    """Return the stresses of all members on all rows in eV/Å³, (M, n, 3, 3), if they have them."""
    rows, _ = _rows(material, n_frames)
    return material.once(
        ('joint stresses', n_frames), lambda: find_stresses(material.record.ensemble, rows)
    )


def _rows(material: Material, n_frames: int) -> tuple[Rows, Offsets | None]:
    """Return the rows of an audit of everything, and each one's own zeros if there are any."""
    rows, domain = thin(material.rows, n_frames), zero_domain(material)
    if domain is None:
        return rows, None
    return rows, reference_offset(rows.configurations, rows.energies, domain)


def zero_domain(material: Material) -> str | None:
    """Return where own zeros are taken: cubic diamond, else that of a stored audit, if any."""
    kinds = material.rows.configurations.kinds
    phases = [name for name, kind in kinds.items() if kind == Domain('phase', ZERO)]
    audits = [material.audit(label).parameters.get('aligned_domain') for label in material.audits()]
    return next((name for name in [*phases, *audits] if name in kinds), None)


def find_gates(
    material: Material,
    options: AuditOptions,
    features: Features | None = None,
    n_frames: int = N_FRAMES,
) -> list[Gate]:
    """Return whether the members fit their training frames, and whether their trainings had ended.

    Args:
        material: Of a study.
        options: Choices of the audit: what is tolerated.
        features: Last-layer features of the rows, where predictions hold any.
        n_frames: Held-out frames of each domain at most.
    """
    ensemble = material.record.ensemble
    histories = load_histories(find_histories(ensemble), MONITORED)
    ended = epochs_gate([values for _, values in histories.values()])
    rows = thin(material.rows, n_frames)
    held_out = Fit.of(rows.configurations, rows.energies, material.training_domains)
    options = replace(options, training_domains=tuple(material.training_domains))
    known = find_trained(ensemble) if features is not None else find_fitted(ensemble)
    if known is None:
        return [*_asked_gates(material, options, held_out, n_frames), ended]
    table = rows.configurations, rows.energies, joint_forces(material, n_frames)
    return [*trained_gates(known, features, options, table), ended]


def _asked_gates(
    material: Material, options: AuditOptions, held_out: Fit, n_frames: int
) -> list[Gate]:
    """Return the gates of training frames that are among the frames of a dataset asked about."""
    rows = _asked_openly(material)
    if rows is None:
        return [training_gate(None, options.energy_tolerance, held_out)]
    rows = thin(rows, n_frames)
    forces = gather_forces(material.record.ensemble, rows)
    fit = Fit.of_forces(rows.configurations, forces)
    gates = [training_gate(fit, options.force_tolerance)] if len(fit) else []
    energies = Fit.of(rows.configurations, rows.energies)
    return [training_gate(energies, options.energy_tolerance, held_out), *gates]


def _asked_openly(material: Material) -> Rows | None:
    """Return the training frames that are among the frames of a dataset asked about."""
    parts = []
    for dataset_uuid, split_uuid in sorted(
        set(find_trainings(material.record.ensemble.weights).values())
    ):
        dataset: Any = orm.load_node(dataset_uuid)
        used = orm.load_node(split_uuid).get_split().train
        for role, one in material.record.datasets.items():
            if one.predicted and one.sha256 == dataset.sha256:
                rows = material.dataset_rows(role)
                parts.append(rows.select(np.flatnonzero(np.isin(rows.indices, used))))
    parts = [part for part in parts if len(part)]
    if not parts:
        return None
    return join_rows(parts)
