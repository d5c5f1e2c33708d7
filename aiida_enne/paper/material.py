"""What the figures of a study are made of: read from the graph when one needs it, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
from aiida import orm
from numpy.typing import NDArray

from aiida_enne import provenance
from aiida_enne.provenance import Ensemble, Rows, StudyRecord
from aiida_enne.science.data.configurations import Configurations, concatenate
from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.structures.domains import Domain, parse

R = TypeVar('R')

#: Frames of each domain whose forces are read, unless another number is chosen.
N_FRAMES = 1000


class Missing(LookupError):  # noqa: N818 (it is a verdict on a study, not a fault)
    """A figure's data are not in the study; the message says which, and what makes them."""


class Material:
    """The raw predictions of one study.

    Attributes:
        record: What there is, as identities.
    """

    def __init__(self, record: StudyRecord) -> None:
        self.record = record
        self._known: dict[Any, Any] = {}

    @classmethod
    def of(cls, identifier: str | int) -> Material:
        """Return the material of a study, or of any work chain that knows an ensemble.

        Raises:
            NotExistent: If there is no such work chain or it knows no models.
        """
        return cls(provenance.find_study(identifier))

    def once(self, key: Any, make: Callable[[], R]) -> R:
        """Return what was made under a key before, or make it."""
        if key not in self._known:
            self._known[key] = make()
        found: R = self._known[key]
        return found

    def dataset_rows(self, role: str) -> Rows:
        """Return all that the ensemble predicted of one dataset."""

        def read() -> Rows:
            node: Any = orm.load_node(self.record.datasets[role].uuid)
            return provenance.gather_rows(self.record.ensemble, node)

        return self.once(('rows', role), read)

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

    @property
    def training_domains(self) -> tuple[str, ...]:
        """Domains of what the ensemble was trained on."""

        def read() -> tuple[str, ...]:
            found: set[str] = set()
            for dataset, split in self._trainings():
                domains = orm.load_node(dataset).get_configurations().domains
                found |= set(domains[orm.load_node(split).get_split().train].tolist())
            return tuple(sorted(found))

        return self.once('training_domains', read)

    def liquids(self) -> tuple[Configurations, list[str]]:
        """Return all frames of liquids, trained on or not, and the UUIDs of their datasets.

        Raises:
            Missing: If there are none.
        """
        parts, uuids, seen = [], [], set[bytes]()
        for dataset in self.record.datasets.values():
            if not any(parse(d).family == 'liquid' for d in dataset.domains):
                continue
            frames = orm.load_node(dataset.uuid).get_configurations()
            frames = frames.select(np.flatnonzero(mask(frames, _is_liquid)))
            new = fresh(frames, seen)
            if len(new):
                parts.append(frames.select(new))
                uuids.append(dataset.uuid)
        if not parts:
            raise missing('liquids', 'enne.liquid')
        return concatenate(parts), uuids

    def sources(self, rows: Rows, ensemble: Ensemble | None = None) -> dict[str, str]:
        """Return the UUIDs of the datasets and predictions behind rows, by name."""
        ensemble = ensemble or self.record.ensemble
        roles = {dataset.uuid: role for role, dataset in self.record.datasets.items()}
        found: dict[str, str] = {}
        for uuid in np.unique(rows.datasets).tolist():
            role = roles.get(uuid, uuid[:8])
            found[f'dataset.{role}'] = uuid
            digest = orm.load_node(uuid).sha256
            for label, one in provenance.find_predictions(ensemble, digest).items():
                found[f'prediction.{role}.{label}'] = one
        return found

    def _read_rows(self) -> Rows:
        refused = provenance.trained_keys(self._trainings())
        parts = []
        for role, dataset in self.record.datasets.items():
            if dataset.predicted:
                rows = self.dataset_rows(role)
                rows = rows.select(np.flatnonzero(mask(rows.configurations, _is_reference)))
                parts.append(rows.select(fresh(rows.configurations, refused)))
        parts = [part for part in parts if len(part)]
        if not parts:
            raise missing('predictions of configurations that were not trained on', 'enne.audit')
        return provenance.join_rows(parts)

    def _trainings(self) -> list[tuple[str, str]]:
        found = provenance.find_trainings(self.record.ensemble.weights)
        return sorted(set(found.values()))


def missing(what: str, maker: str) -> Missing:
    """Return the one sentence for what a study does not have."""
    return Missing(f'this study has no {what}, which the work chain {maker} makes')


def mask(configurations: Configurations, is_wanted: Callable[[Domain], bool]) -> NDArray[np.bool_]:
    """Return which configurations are of the wanted domains, shape (n,)."""
    names, index = np.unique(configurations.domains, return_inverse=True)
    wanted: NDArray[np.bool_] = np.array([is_wanted(parse(n)) for n in names.tolist()], dtype=bool)
    return wanted[index]


def fresh(configurations: Configurations, seen: set[bytes]) -> Integers:
    """Return the frames that are neither seen before nor twice among these; they are seen now."""
    chosen = []
    for index, key in enumerate(provenance.frame_keys(configurations)):
        if key not in seen:
            seen.add(key)
            chosen.append(index)
    return np.array(chosen, dtype=np.int64)


def thin(rows: Rows, n_frames: int = N_FRAMES) -> Rows:
    """Return at most so many frames of each domain, evenly spread over those that there are.

    Raises:
        ValueError: If the number is less than 1.
    """
    if n_frames < 1:
        raise ValueError(f'`n_frames` must be at least 1, got {n_frames}')
    chosen: list[int] = []
    for name in np.unique(rows.configurations.domains).tolist():
        own = np.flatnonzero(rows.configurations.domains == name)
        at = np.linspace(0, len(own) - 1, min(n_frames, len(own)))
        chosen += own[np.round(at).astype(int)].tolist()
    return rows.select(sorted(chosen))


def force_errors(ensemble: Ensemble, rows: Rows) -> Floats:
    """Return the members' errors of force components in eV/Å, shape (M, 3 N)."""
    forces = provenance.gather_forces(ensemble, rows)
    known = np.asarray(rows.configurations.forces)
    errors: Floats = (forces - known).reshape(len(forces), -1)
    return errors


def named(label: str, uuids: Iterable[str]) -> dict[str, str]:
    """Return UUIDs by numbered names."""
    listed: Sequence[str] = list(uuids)
    return {label if len(listed) == 1 else f'{label}.{i}': u for i, u in enumerate(listed, 1)}


def _is_liquid(domain: Domain) -> bool:
    return domain.family == 'liquid' and not domain.own


def _is_reference(domain: Domain) -> bool:
    return not domain.own
