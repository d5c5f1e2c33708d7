"""One audit of all that an ensemble predicted, with the gates that only the graph can show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from aiida import orm

from aiida_enne.provenance.ensembles import find_histories, load_histories
from aiida_enne.provenance.material import Material
from aiida_enne.provenance.rows import N_FRAMES, gather_forces, join_rows, thin
from aiida_enne.provenance.trainings import find_trainings
from aiida_enne.science.fields import Floats, Strings
from aiida_enne.science.structures.domains import Domain
from aiida_enne.science.uncertainty.alignment import reference_offset
from aiida_enne.science.uncertainty.audit import Audit, audit
from aiida_enne.science.uncertainty.gates import Gate, epochs_gate, training_gate
from aiida_enne.science.uncertainty.options import AuditOptions

#: The phase whose lowest energy is a zero of one's own: cubic diamond, as in the paper.
ZERO = 'diamond'
#: Validation error whose course says whether a training had ended.
MONITORED = 'val0_epoch_forces_mae'


def joint_audit(
    material: Material, options: AuditOptions | None = None, n_frames: int = N_FRAMES
) -> Audit:
    """Audit all rows of all datasets together, at most so many frames of each domain.

    Widths are thus calibrated on what was trained on and judged everywhere. Nothing is stored.

    Args:
        material: Of a study, or of any work chain that knows an ensemble.
        options: Choices; the domains trained on are filled in.
        n_frames: Frames of each domain at most.

    Raises:
        Missing: If nothing was predicted that was not trained on.
    """
    options = AuditOptions() if options is None else options
    rows = thin(material.rows, n_frames)
    names = set(rows.configurations.domains.tolist())
    trained = [name for name in material.training_domains if name in names]
    options = AuditOptions.from_dict(options.as_dict() | {'training_domains': trained})

    def make() -> Audit:
        frames, domain = rows.configurations, zero_domain(material)
        offsets = None if domain is None else reference_offset(frames, rows.energies, domain)
        forces = gather_forces(material.record.ensemble, rows)
        gates = find_gates(material, options.energy_tolerance)
        return audit(frames, rows.energies, forces, options=options, offsets=offsets, gates=gates)

    return material.once(('joint', repr(options), n_frames), make)


def zero_domain(material: Material) -> str | None:
    """Return where own zeros are taken: cubic diamond, else that of a stored audit, if any."""
    kinds = material.rows.configurations.kinds
    phases = [name for name, kind in kinds.items() if kind == Domain('phase', ZERO)]
    audits = [material.audit(label).parameters.get('aligned_domain') for label in material.audits()]
    return next((name for name in [*phases, *audits] if name in kinds), None)


def find_gates(material: Material, tolerance: float) -> list[Gate]:
    """Return whether the members fit their training frames, and whether their trainings had ended.

    Args:
        material: Of a study.
        tolerance: Tolerated error of an energy in eV/atom.
    """
    histories = load_histories(find_histories(material.record.ensemble), MONITORED)
    return [
        training_gate(*trained_errors(material), tolerance),
        epochs_gate([values for _, values in histories.values()]),
    ]


def trained_errors(material: Material) -> tuple[Floats | None, Strings | None]:
    """Return errors of energy per atom on training frames in eV/atom, (M, n), and their domains.

    None where the members never predicted such frames.
    """
    parts = []
    trainings = sorted(set(find_trainings(material.record.ensemble.weights).values()))
    for dataset_uuid, split_uuid in trainings:
        digest = orm.load_node(dataset_uuid).sha256
        used = orm.load_node(split_uuid).get_split().train
        for role in _roles(material, digest):
            rows = material.dataset_rows(role)
            parts.append(rows.select(np.flatnonzero(np.isin(rows.indices, used))))
    parts = [part for part in parts if len(part)]
    if not parts:
        return None, None
    rows = join_rows(parts)
    frames = rows.configurations
    errors: Floats = (rows.energies - np.asarray(frames.energies)) / frames.n_atoms
    return errors, frames.domains


def _roles(material: Material, digest: str) -> Sequence[str]:
    datasets = material.record.datasets.items()
    return [role for role, one in datasets if one.predicted and one.sha256 == digest]
