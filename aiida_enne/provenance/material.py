"""What the figures of a study are made of: read from the graph when one needs it, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from aiida import orm

from aiida_enne.data.trainings import find_trainings
from aiida_enne.provenance.ensembles import Ensemble
from aiida_enne.provenance.improvements import best_audit
from aiida_enne.provenance.predictions import find_predictions
from aiida_enne.provenance.rows import (
    N_FRAMES,
    Rows,
    find_stresses,
    fresh,
    gather_forces,
    gather_rows,
    join_rows,
    mask,
    thin,
    trained_keys,
)
from aiida_enne.provenance.studies import Dataset, StudyRecord, find_study
from aiida_enne.science.data.configurations import Configurations, concatenate
from aiida_enne.science.fields import Floats
from aiida_enne.science.guard import Missing, guarded
from aiida_enne.science.properties.scatter import Scatter, of_energies
from aiida_enne.science.structures.domains import Domain, in_order, parse
from aiida_enne.science.uncertainty.audit import Audit, audit
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF
from aiida_enne.science.uncertainty.options import AuditOptions

if TYPE_CHECKING:
    from aiida_enne.science.figures import Palette

R = TypeVar('R')


class Material:
    """The raw predictions of one study."""

    def __init__(self, record: StudyRecord) -> None:
        self.record = record
        self._known: dict[Any, Any] = {}

    @classmethod
    def of(cls, identifier: str | int) -> Material:
        """Return the material of a study, or of any work chain that knows an ensemble.

        Of an improvement it is the audit that ended with the least error on the held-out set.

        Raises:
            NotExistent: If there is no such work chain or it knows no models.
        """
        best = best_audit(orm.load_node(identifier))
        return cls(find_study(identifier if best is None else best))

    def once(self, key: Any, make: Callable[[], R]) -> R:
        """Return what was made under a key before, or make it."""
        if key not in self._known:
            self._known[key] = make()
        found: R = self._known[key]
        return found

    def dataset_rows(self, role: str) -> Rows:
        """Return all that the ensemble predicted of one dataset."""
        dataset = self.record.datasets[role]
        return self.once(('rows', role), lambda: self.read(self.record.ensemble, dataset))

    def read(self, ensemble: Ensemble, dataset: Dataset) -> Rows:
        """Return all that an ensemble predicted of a dataset.

        A name that means something else in another dataset has that of its dataset behind it.
        """
        node: Any = orm.load_node(dataset.uuid)
        rows = gather_rows(ensemble, node)
        if not (names := self._renamed(dataset)):
            return rows
        frames = rows.configurations
        domains = np.array([names.get(name, name) for name in frames.domains.tolist()])
        roles = {names.get(name, name): role for name, role in frames.roles.items()}
        return replace(rows, configurations=replace(frames, domains=domains, roles=roles))

    @property
    def rows(self) -> Rows:
        """Every configuration of the reference's geometries that may be tested, each once.

        Left out are frames that the ensemble was trained or validated on, their neighbours that
        the split keeps out of the test, and geometries that the ensemble itself relaxed.

        Raises:
            Missing: If there is none.
        """
        return self.once('rows', self._read_rows)

    def pick(self, is_wanted: Callable[[Domain], bool], what: str, maker: str) -> Rows:
        """Return the rows of some domains.

        Raises:
            Missing: If there are none; `what` they are and the `maker` are in the message.
        """
        rows = self.rows
        chosen = np.flatnonzero(mask(rows.configurations, is_wanted))
        if not len(chosen):
            raise missing(what, maker)
        return rows.select(chosen)

    def held_out(self) -> Rows:
        """Return the rows of what was trained on, or all where there are none of it."""
        chosen = np.flatnonzero(np.isin(self.rows.configurations.domains, self.training_domains))
        return self.rows.select(chosen) if len(chosen) else self.rows

    @property
    def training_domains(self) -> tuple[str, ...]:
        """Domains of what the ensemble was trained on."""

        def read() -> tuple[str, ...]:
            found: set[str] = set()
            datasets = {one.sha256: one for one in self.record.datasets.values()}
            for dataset, split in self._trainings():
                node = orm.load_node(dataset)
                domains = node.get_configurations().domains
                own = set(domains[orm.load_node(split).get_split().train].tolist())
                same = datasets.get(node.sha256)
                names = {} if same is None else self._renamed(same)
                found |= {names.get(name, name) for name in own}
            return tuple(sorted(found))

        return self.once('training_domains', read)

    @property
    def palette(self) -> Palette:
        """How every domain looks, on all figures of a page."""
        from aiida_enne.science.figures import Palette

        def make() -> Palette:
            asked, known, trained = set[str](), set[str](), set(self.training_domains)
            for one in self.record.statistics.values():
                known |= set(one.domains)
                trained |= set(one.attributes['parameters'].get('training_domains', ()))
            for dataset in self.record.datasets.values():
                names = self._renamed(dataset)
                for name, kind in dataset.kinds.items():
                    judged = dataset.predicted and not kind.own
                    (asked if judged else known).add(names.get(name, name))
            points, _ = guarded(lambda: self.scatter(PAPER_DDOF))
            mapped = [] if points is None else points.domain[points.positive].tolist()
            return Palette.of(asked, trained, mapped).extended(known | trained)

        return self.once('palette', make)

    def scatter(self, ddof: int) -> Scatter:
        """Return σ and ε of the energy per atom of every row, in their order."""

        def make() -> Scatter:
            return of_energies(self.rows.configurations, self.rows.energies, ddof=ddof)

        return self.once(('scatter', ddof), make)

    def audits(self) -> list[str]:
        """Return the labels of the stored audits, those of what was trained on first."""
        stored, trained = self.record.statistics, self.palette.trained
        return sorted(in_order(stored), key=lambda label: not trained & {*stored[label].domains})

    def audit(self, dataset: str | None = None) -> Audit:
        """Return a stored audit, the first by default.

        Raises:
            Missing: If there is none, or none of this label.
        """
        labels = self.audits()
        if not labels:
            raise missing('stored audit', 'enne.audit')
        if dataset is not None and dataset not in labels:
            raise Missing(f'this study has no audit of {dataset!r}; there are {labels}')
        label = dataset or labels[0]
        return self.once(('audit', label), self.record.statistics[label].load_audit)

    def audit_rows(self, rows: Rows, options: AuditOptions, n_frames: int = N_FRAMES) -> Audit:
        """Audit rows anew, at most so many frames of each domain; nothing is stored."""
        rows = thin(rows, n_frames)
        key = ('audit', repr(options), rows.datasets.tobytes(), rows.indices.tobytes())

        def make() -> Audit:
            ensemble = self.record.ensemble
            forces, stresses = gather_forces(ensemble, rows), find_stresses(ensemble, rows)
            table = rows.configurations, rows.energies, forces
            return audit(*table, options=options, stresses=stresses)

        return self.once(key, make)

    def liquids(self) -> tuple[Configurations, list[str]]:
        """Return all frames of liquids, trained on or not, and the UUIDs of their datasets.

        Raises:
            Missing: If there are none.
        """
        parts, uuids, seen = [], [], set[bytes]()
        for dataset in self.record.datasets.values():
            if not any(kind.family == 'liquid' for kind in dataset.kinds.values()):
                continue
            frames = orm.load_node(dataset.uuid).get_configurations()
            is_liquid = mask(frames, lambda one: one.family == 'liquid' and not one.own)
            frames = frames.select(np.flatnonzero(is_liquid))
            new = fresh(frames, seen)
            if len(new):
                parts.append(frames.select(new))
                uuids.append(dataset.uuid)
        if not parts:
            raise missing('liquids', 'enne.liquid')
        return concatenate(parts), uuids

    def sources(self, rows: Rows) -> dict[str, str]:
        """Return the UUIDs of the datasets and predictions behind rows, by name."""
        roles = {dataset.uuid: role for role, dataset in self.record.datasets.items()}
        found: dict[str, str] = {}
        for uuid in np.unique(rows.datasets).tolist():
            role = roles.get(uuid, uuid[:8])
            found[f'dataset.{role}'] = uuid
            digest = orm.load_node(uuid).sha256
            for label, one in find_predictions(self.record.ensemble, digest).items():
                found[f'prediction.{role}.{label}'] = one
        return found

    def _read_rows(self) -> Rows:
        refused = trained_keys(self._trainings())
        parts = []
        for role, dataset in self.record.datasets.items():
            if dataset.predicted:
                rows = self.dataset_rows(role)
                own = mask(rows.configurations, lambda one: one.own)
                rows = rows.select(np.flatnonzero(~own))
                parts.append(rows.select(fresh(rows.configurations, refused)))
        parts = [part for part in parts if len(part)]
        if not parts:
            raise missing('predictions of configurations that were not trained on', 'enne.audit')
        return join_rows(parts)

    def _renamed(self, dataset: Dataset) -> dict[str, str]:
        """Return new names of what has the name of something else in another dataset."""

        def read() -> dict[str, set[Domain]]:
            found: dict[str, set[Domain]] = {}
            for one in self.record.datasets.values():
                for name, kind in one.kinds.items():
                    found.setdefault(name, set()).add(kind)
            return found

        known = self.once('kinds', read)
        return {
            name: f'{name} ({dataset.role})'
            for name, kind in dataset.kinds.items()
            if len(known[name]) > 1 and kind != parse(name)
        }

    def _trainings(self) -> list[tuple[str, str]]:
        found = find_trainings(self.record.ensemble.weights)
        return sorted(set(found.values()))


def missing(what: str, maker: str) -> Missing:
    """Return the one sentence for what a study does not have."""
    return Missing(f'this study has no {what}, which the work chain {maker} makes')


def force_errors(ensemble: Ensemble, rows: Rows) -> Floats:
    """Return the members' errors of the force components that are labels in eV/Å, (M, 3 N)."""
    forces = gather_forces(ensemble, rows)
    frames = rows.configurations
    errors: Floats = (forces - np.asarray(frames.forces))[:, frames.known_forces]
    return errors


def named(label: str, uuids: Iterable[str]) -> dict[str, str]:
    """Return UUIDs by numbered names."""
    listed: Sequence[str] = list(uuids)
    return {label if len(listed) == 1 else f'{label}.{i}': u for i, u in enumerate(listed, 1)}
