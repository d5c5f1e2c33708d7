"""The members of scans, and their predictions on the same held-out frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from aiida_enne import provenance
from aiida_enne.provenance import Ensemble, Member, Rows, Scan
from aiida_enne.provenance.material import Material, force_errors, missing
from aiida_enne.provenance.rows import fresh, thin
from aiida_enne.science.fields import Integers
from aiida_enne.science.structures.domains import Domain
from aiida_enne.science.uncertainty.gates import Gate, epochs_gate
from aiida_enne.science.uncertainty.scans import Row, row

MAKERS = 'enne.scan'
#: States of a gate, the worst first.
STATES = ('failed', 'unknown', 'passed')


def find_scan(material: Material, kind: str, name: str | None = None) -> Scan:
    """Return the scan of a kind and a name, or the first of the kind.

    Raises:
        Missing: If there is none.
    """
    for scan in material.record.scans.values():
        if scan.kind == kind and name in (None, scan.name):
            return scan
    called = '' if name is None else f' called {name!r}'
    raise missing(f'scan of the kind {kind!r}{called}', MAKERS)


def scan_forms(material: Material, kinds: Sequence[str]) -> list[dict[str, str]]:
    """Return the choices of all scans of some kinds, or of none of each."""
    forms: list[dict[str, str]] = []
    for kind in kinds:
        names = [scan.name for scan in material.record.scans.values() if scan.kind == kind]
        forms += [{'kind': kind, 'scan': name} for name in names] or [{'kind': kind}]
    return forms


def point_ensembles(scan: Scan) -> dict[str, Ensemble]:
    """Return the members of every point, known by their weights alone, by the point's label."""
    return {
        label: Ensemble(
            scan.uuid,
            tuple(
                Member(member, '', 0, weights, {})
                for member, weights in sorted(point.members.items())
            ),
        )
        for label, point in scan.points.items()
    }


def scan_rows(
    material: Material, scan: Scan, is_wanted: Callable[[str, Domain], bool]
) -> dict[str, list[Rows]]:
    """Return the predictions of every point's members on the same held-out frames, by point.

    Left out is what any member of the scan was trained on, and every point that has a member
    without predictions. Every point that is left has one entry per dataset.
    """
    ensembles = point_ensembles(scan)
    weights = [digest for one in ensembles.values() for digest in one.weights]
    refused = provenance.trained_keys(provenance.find_trainings(weights).values())
    datasets = {d.sha256: d for d in material.record.datasets.values()}
    asked = [
        datasets[digest]
        for digest in sorted(set(scan.roles.values()))
        if digest in datasets and any(is_wanted(*pair) for pair in datasets[digest].kinds.items())
    ]
    answers = {
        dataset.uuid: {
            label: material.read(one, dataset)
            for label, one in ensembles.items()
            # every member predicted the dataset, or a part of it
            if len(provenance.find_predictions(one, dataset.sha256)) == len(one.members)
        }
        for dataset in asked
    }
    answers = {uuid: parts for uuid, parts in answers.items() if parts}
    complete = [label for label in ensembles if all(label in p for p in answers.values())]
    found: dict[str, list[Rows]] = {label: [] for label in complete}
    for parts in answers.values():
        kept = _held_out([parts[label] for label in complete], refused, is_wanted)
        for label in complete if len(kept) else ():
            indices = parts[label].indices
            order = np.argsort(indices)
            found[label].append(
                parts[label].select(order[np.searchsorted(indices, kept, sorter=order)])
            )
    return {label: parts for label, parts in found.items() if parts}


def held_out_rows(material: Material, scan: Scan, n_frames: int) -> dict[str, Rows]:
    """Return what every point's members predicted of domains trained on, the same frames of all.

    Raises:
        Missing: If they predicted no held-out frame of these.
    """
    trained = material.training_domains
    found = {
        label: thin(provenance.join_rows(parts), n_frames)
        for label, parts in scan_rows(material, scan, lambda domain, _: domain in trained).items()
    }
    if not found:
        raise missing('predictions of held-out frames by the members of the scan', MAKERS)
    return found


def scan_table(material: Material, scan: Scan, ddof: int, n_frames: int) -> list[Row]:
    """Return error and spread of the forces at every point of a scan."""

    def make() -> list[Row]:
        found, ensembles = held_out_rows(material, scan, n_frames), point_ensembles(scan)
        errors = {label: force_errors(ensembles[label], rows) for label, rows in found.items()}
        return [
            row(label, scan.points[label].values, one, ddof=ddof) for label, one in errors.items()
        ]

    return material.once(('table', scan.uuid, ddof, n_frames), make)


def scan_gate(material: Material, scan: Scan) -> Gate:
    """Return whether the trainings of a scan's members had ended: that of the worst point."""

    def make() -> Gate:
        found = []
        for label, point in scan.points.items():
            histories = provenance.load_histories(provenance.histories_of(point.members.values()))
            gate = epochs_gate([values for _, values in histories.values()])
            found.append(replace(gate, reason=f'at {label} of the scan {scan.name}, {gate.reason}'))
        return min(found, key=lambda gate: STATES.index(gate.state))

    return material.once(('gate', scan.uuid), make)


def scan_sources(material: Material, scan: Scan) -> dict[str, str]:
    """Return the UUIDs of a scan and of what its members were asked about."""
    found = {f'scan.{scan.name}': scan.uuid}
    for label, ensemble in point_ensembles(scan).items():
        for role, digest in scan.roles.items():
            for member, uuid in provenance.find_predictions(ensemble, digest).items():
                found[f'prediction.{label}.{role}.{member}'] = uuid
    known = {dataset.sha256: dataset for dataset in material.record.datasets.values()}
    for role, digest in scan.roles.items():
        if digest in known:
            found[f'dataset.{role}'] = known[digest].uuid
    return found


def _held_out(
    parts: Sequence[Rows], refused: set[bytes], is_wanted: Callable[[str, Domain], bool]
) -> Integers:
    """Return the indices of the wanted frames that all points predicted and none may refuse."""
    if not parts:
        return np.empty(0, dtype=np.int64)
    shared = parts[0].indices
    for part in parts[1:]:
        shared = np.intersect1d(shared, part.indices)
    rows = parts[0].select(np.flatnonzero(np.isin(parts[0].indices, shared)))
    names = [n for n, kind in rows.configurations.kinds.items() if is_wanted(n, kind)]
    rows = rows.select(np.flatnonzero(np.isin(rows.configurations.domains, names)))
    return rows.indices[fresh(rows.configurations, refused)]
