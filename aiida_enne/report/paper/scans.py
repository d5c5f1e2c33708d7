"""The members of scans: who they are, and what they say about the same held-out frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from aiida import orm

from aiida_enne import provenance
from aiida_enne.provenance import Ensemble, Member, Rows, Scan
from aiida_enne.report.paper.material import Material, force_errors, fresh, missing, thin
from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.scans import Row, row

MAKERS = 'enne.scan'


def find_scan(material: Material, kind: str) -> Scan:
    """Return the first scan of a kind.

    Raises:
        Missing: If there is none.
    """
    for scan in material.record.scans.values():
        if scan.kind == kind:
            return scan
    raise missing(f'scan of the kind {kind!r}', MAKERS)


def point_ensembles(scan: Scan) -> dict[str, Ensemble]:
    """Return the members of every point, known by their weights alone, by the point's label."""
    return {
        label: Ensemble(
            scan.uuid,
            tuple(
                Member(member, '', 0, weights, {})
                for member, weights in sorted(point['members'].items())
            ),
        )
        for label, point in scan.points.items()
    }


def scan_rows(
    material: Material, scan: Scan, is_wanted: Callable[[str], bool]
) -> dict[str, list[Rows]]:
    """Return what the members of every point say about the same held-out frames, by point.

    Left out is what any member of the scan was trained on. Every point has one entry per dataset.
    """
    ensembles = point_ensembles(scan)
    weights = [digest for one in ensembles.values() for digest in one.weights]
    refused = provenance.trained_keys(provenance.find_trainings(weights).values())
    found: dict[str, list[Rows]] = {label: [] for label in ensembles}
    for digest in sorted(set(scan.roles.values())):
        datasets = [d for d in material.record.datasets.values() if d.sha256 == digest]
        if not datasets or not any(map(is_wanted, datasets[0].domains)):
            continue
        node = orm.load_node(datasets[0].uuid)
        parts = {label: provenance.gather_rows(one, node) for label, one in ensembles.items()}
        shared = _shared(parts.values())
        rows = next(iter(parts.values()))
        chosen = np.flatnonzero(np.isin(rows.indices, shared))
        rows = rows.select(chosen)
        wanted = np.array([is_wanted(d) for d in rows.configurations.domains.tolist()], dtype=bool)
        new = np.intersect1d(fresh(rows.configurations, refused), np.flatnonzero(wanted))
        if len(new):
            kept = rows.indices[new]
            for label, part in parts.items():
                order = np.argsort(part.indices)
                at = order[np.searchsorted(part.indices, kept, sorter=order)]
                found[label].append(part.select(at))
    return found


def scan_force_errors(
    material: Material, scan: Scan, n_frames: int
) -> tuple[dict[str, Floats], Rows]:
    """Return the force errors of every point's members in eV/Å, and the frames they are of.

    Raises:
        Missing: If the members predicted no held-out frame of a domain trained on.
    """
    trained = material.training_domains
    found = scan_rows(material, scan, lambda domain: domain in trained)
    ensembles, errors = point_ensembles(scan), {}
    rows = None
    for label, parts in found.items():
        if not parts:
            raise missing('predictions of held-out frames by the members of the scan', MAKERS)
        rows = thin(provenance.join_rows(parts), n_frames)
        errors[label] = force_errors(ensembles[label], rows)
    if rows is None:
        raise missing(f'points in the scan {scan.name!r}', MAKERS)
    return errors, rows


def scan_table(material: Material, kind: str, ddof: int, n_frames: int) -> list[Row]:
    """Return error and spread of the forces at every point of a scan."""

    def make() -> list[Row]:
        scan = find_scan(material, kind)
        errors, _ = scan_force_errors(material, scan, n_frames)
        return [
            row(label, scan.points[label]['values'], one, ddof=ddof)
            for label, one in errors.items()
        ]

    return material.once(('table', kind, ddof, n_frames), make)


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


def _shared(parts: Iterable[Rows]) -> Integers:
    """Return the indices of the configurations that the members of all points predicted."""
    first, *others = parts
    shared = first.indices
    for part in others:
        shared = np.intersect1d(shared, part.indices)
    return shared
