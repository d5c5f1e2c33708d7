"""Predicts with many members at a time: neighbours and geometry of a configuration serve them all.

One model of an architecture is built, of the other members only weights are read. Before anything
is predicted, every member is compared with NequIP's own model; who cannot be predicted so, or
differs, is left to the other ways of the job, with the reason.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from nequip_ensemble import find_neighbours
from nequip_frames import RATTLE, Frames
from nequip_groups import Group, left_alone, read
from nequip_memory import is_out_of_memory
from nequip_predict_member import NO_FEATURES, PER_ATOM, Member, room

MODE = 'vectorised'
#: Atoms × members from which `auto` predicts so. The code is compiled once for a machine, in 2.5 s
#: of one core, which 57 000 repay (small model: 50 µs each eager, 6 µs so). Jobs share it, and with
#: it any two members gain: a third is asked for.
BREAK_EVEN = 20_000
#: The same for the fused tensor product of members that are predicted each alone, of small models
#: and of others. Its code takes 5 s of one core; an atom gains 10 µs, and 1 ms or more.
FUSED_FROM = {True: 500_000, False: 5_000}
#: Bytes of weights, and of what is kept for atoms, that are held at a time.
MEMORY = 2**29


def why_not(members: Sequence[Member], frames: Frames, settings: dict[str, Any]) -> str:
    """Return why members are not predicted together; an empty text if they should be."""
    if settings['device'] != 'cpu':
        return f'members are vectorised on CPUs, not on {settings["device"]}'
    size = int(frames.offsets[-1]) * len(members)
    if not size:
        return 'there is nothing to predict'
    if settings['mode'] == 'auto' and size < BREAK_EVEN:
        return f'vectorised from {BREAK_EVEN} atoms × members on, here {size}'
    return ''


def hasten(member: Member, others: int, frames: Frames, settings: dict[str, Any]) -> None:
    """Let one of so many members that are predicted each alone use a faster product if it pays."""
    size = int(frames.offsets[-1]) * others
    pays = settings['mode'] != 'auto' or size >= FUSED_FROM[member.is_small]
    if size and (pays or member.device != 'cpu'):
        member.hasten(Path(settings['artefacts']), trials_of(frames))


def predict_together(members: Sequence[Member], frames: Frames, settings: dict[str, Any]) -> None:
    """Predict with all members that can be; the others' notes say why not."""
    folder, runs = Path(settings['artefacts']), []
    trials = trials_of(frames)
    for group in read(members, lambda _: trials):
        for part in group.parts(MEMORY, int(frames.n_atoms.max()), settings['batch_atoms']):
            with left_alone(*part.members):
                part.prepare(folder)
                runs.append(Run(part, frames, settings['features']))
    while runs:
        now = [runs.pop(0)]
        while runs and sum(run.group.n_bytes for run in (*now, runs[0])) <= MEMORY:
            now.append(runs.pop(0))
        with left_alone(*[member for run in now for member in run.group.members]):
            predict(now, frames, settings)


def trials_of(frames: Frames) -> list[Any]:
    """Return what members are compared on: the first configuration, and the same rattled."""
    first = frames.atoms(0)
    moved = first.copy()
    moved.rattle(RATTLE, seed=0)
    return [first, moved]


class Run:
    """Members of one group, and the arrays that their predictions fill."""

    def __init__(self, group: Group, frames: Frames, features: str) -> None:
        self.group, self.features = group, features
        m, n, total = len(group.members), len(frames), int(frames.offsets[-1])
        self.energies, self.atomic = np.empty((m, n)), np.empty((m, total))
        self.forces, self.stresses = np.empty((m, total, 3)), np.empty((m, n, 3, 3))
        width = 0 if features == NO_FEATURES else group.evaluator.n_features
        self.kept = [room(features, frames, width) for _ in range(m)]

    def take(self, index: int, atoms: Any, frames: Frames, neighbours: dict[float, Any]) -> None:
        """Predict one configuration; `neighbours` by cutoff are kept for other groups."""
        r_max = self.group.geometry.r_max
        if r_max not in neighbours:
            neighbours[r_max] = find_neighbours(atoms, r_max)
        out = self.group.predict(atoms, neighbours[r_max])
        rows = slice(*frames.offsets[index : index + 2])
        self.energies[:, index] = out['total_energy']
        self.atomic[:, rows], self.forces[:, rows] = out['atomic_energy'], out['forces']
        if frames.is_periodic:
            self.stresses[:, index] = out['stress']
        for kept, features in zip(self.kept, out['node_features'], strict=True):
            if self.features == PER_ATOM:
                kept[rows] = features
            elif self.features != NO_FEATURES:
                kept[index] = features.sum(axis=0, dtype=np.float64)

    def hand_out(self, frames: Frames) -> None:
        """Give every member its predictions."""
        for row, member in enumerate(self.group.members):
            member.mode = MODE
            member.energies, member.forces = self.energies[row], self.forces[row]
            member.atomic_energies, member.stresses = self.atomic[row], self.stresses[row]
            member.kept = self.kept[row]
            with member.failing_alone():
                member.require_finite(range(len(frames)), frames)


def predict(runs: list[Run], frames: Frames, settings: dict[str, Any]) -> None:
    """Let some groups see all configurations; where memory lacks, one half at a time."""

    def one(index: int) -> None:
        atoms = frames.atoms(index)
        neighbours: dict[float, Any] = {}
        for run in runs:
            run.take(index, atoms, frames, neighbours)

    try:
        if settings['threads'] == 1:
            for index in range(len(frames)):
                one(index)
        else:
            with ThreadPoolExecutor(settings['threads']) as pool:
                list(pool.map(one, range(len(frames))))
    except Exception as exception:
        if not is_out_of_memory(exception):
            raise
        print(f'out of memory with {sum(len(run.group.members) for run in runs)} members')
        smaller(runs, frames, settings)
        return
    for run in runs:
        run.hand_out(frames)


def smaller(runs: list[Run], frames: Frames, settings: dict[str, Any]) -> None:
    """Predict with half the members at a time; one alone is left to smaller batches."""
    for run in runs:
        with left_alone(*run.group.members):
            for half in [run.group] if len(runs) > 1 else run.group.halves():
                with left_alone(*half.members):
                    half.prepare(Path(settings['artefacts']))
                    predict([Run(half, frames, settings['features'])], frames, settings)
