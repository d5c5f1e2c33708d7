"""Members of one structure: read, compared with NequIP's own models, evaluated together."""

import contextlib
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase.data import atomic_numbers
from nequip_codegen import share_generated_code
from nequip_ensemble import Evaluator, Neighbours, Parts, find_neighbours
from nequip_frames import Geometry, to_input
from nequip_predict_member import COMPARED, TOLERANCE, Member
from nequip_product import UnfitError
from nequip_trust import UntrustedError, check
from nequip_weights import architecture, put


class Group:
    """Members of one structure.

    Args:
        model: That of one of them.
        geometry: What their neighbours depend on.
        trials: Structures on which members are compared with NequIP.

    Raises:
        UnfitError: If types of atoms are not elements.
    """

    def __init__(self, model: Any, geometry: Geometry, trials: Sequence[Any]) -> None:
        self.model, self.geometry, self.trials = model, geometry, trials
        self.members: list[Member] = []
        self.brought: list[Parts] = []
        self.expected: list[list[dict[str, Any]]] = []
        self.evaluator: Any = None
        unknown = [name for name in geometry.type_names if name not in atomic_numbers]
        if unknown:
            raise UnfitError(f'the types {unknown} are not elements')
        self.types = np.full(len(atomic_numbers), -1)
        for number, name in enumerate(geometry.type_names):
            self.types[atomic_numbers[name]] = number

    def add(self, member: Member, parts: Parts, expected: list[dict[str, Any]]) -> None:
        """Add a member and what NequIP predicts for the trials."""
        self.members.append(member)
        self.brought.append(parts)
        self.expected.append(expected)

    @property
    def n_bytes(self) -> int:
        """Return the memory of the weights."""
        return sum(parts.n_bytes for parts in self.brought)

    def part(self, rows: Sequence[int]) -> 'Group':
        """Return some of the members."""
        group = Group(self.model, self.geometry, self.trials)
        for row in rows:
            group.add(self.members[row], self.brought[row], self.expected[row])
        return group

    def parts(self, memory: int, n_atoms: int, batch_atoms: int | None) -> Iterator['Group']:
        """Return members in groups that memory suffices for.

        Args:
            memory: Bytes for weights, and as many for what is kept for atoms.
            n_atoms: Atoms of the largest configuration.
            batch_atoms: Atoms, counted for every member, that are evaluated at a time.
        """
        one = self.brought[0]
        most = memory // max(one.n_bytes, n_atoms * one.bytes_by_atom, 1)
        if batch_atoms is not None:
            most = min(most, batch_atoms // max(n_atoms, 1))
        most = max(1, most)
        for start in range(0, len(self.members), most):
            yield self.part(range(len(self.members))[start : start + most])

    def halves(self) -> list['Group']:
        """Return two halves.

        Raises:
            MemoryError: If there is one member only.
        """
        rows, middle = range(len(self.members)), len(self.members) // 2
        if not middle:
            raise MemoryError('memory does not suffice for one member')
        return [self.part(rows[:middle]), self.part(rows[middle:])]

    def types_of(self, atoms: Any) -> Any:
        """Return the numbers of the types of atoms.

        Raises:
            UnfitError: If the model does not know an element.
        """
        types = self.types[atoms.numbers]
        if (types < 0).any():
            raise UnfitError(f'{atoms.symbols} are not all of {self.geometry.type_names}')
        return types

    def predict(self, atoms: Any, neighbours: Neighbours | None = None) -> dict[str, Any]:
        """Return what every member says of a structure, by NequIP's names, the member first.

        Args:
            atoms: The structure; it has a stress where it repeats in all directions.
            neighbours: Its edges, where they are known.
        """
        if neighbours is None:
            neighbours = find_neighbours(atoms, self.geometry.r_max)
        out: dict[str, Any] = self.evaluator.evaluate(self.types_of(atoms), neighbours)
        out['total_energy'] = out['atomic_energy'].sum(1)
        if atoms.pbc.all():
            out['stress'] = out['virial'] / atoms.get_volume()
        return out

    def prepare(self, folder: Path) -> None:
        """Make the evaluator, and keep the members that say what NequIP says; others get a note.

        Args:
            folder: Where compiled code is kept.

        Raises:
            UnfitError: If the code cannot be compiled or no member is left.
        """
        evaluator = Evaluator(self.model, self.brought, folder)
        self.evaluator = evaluator
        found = [self.predict(atoms) for atoms in self.trials]
        limit, kept = TOLERANCE[self.brought[0].dtype], []
        for row, member in enumerate(self.members):
            pairs = zip(found, self.expected[row], strict=True)
            worst = np.max([difference(own, other, row) for own, other in pairs])
            if worst <= limit:
                member.note = f'NequIP’s own within {worst:.1e}, relative to the largest force'
                kept.append(row)
            else:
                member.note = (
                    f'not vectorised: {worst:.1e} from NequIP’s own, more than {limit:.0e}'
                )
        if not kept:
            raise UnfitError(self.members[0].note.removeprefix('not vectorised: '))
        if len(kept) < len(self.members):
            part = self.part(kept)
            self.members, self.brought, self.expected = part.members, part.brought, part.expected
            self.evaluator = Evaluator(self.model, self.brought, folder)


def difference(own: dict[str, Any], other: dict[str, Any], row: int) -> float:
    """Return the largest difference of a member's predictions, relative to the largest value.

    Where that is below 1, it is that of the numbers themselves; it is not a number where one of
    the two is not.
    """
    worst = []
    for name in COMPARED:
        if name in own:
            expected = other[name].numpy().reshape(own[name][row].shape)
            limit = np.maximum(1.0, np.abs(expected).max())
            worst.append(np.abs(own[name][row] - expected).max() / limit)
    return float(np.max(worst))


class Reader:
    """Reads members and finds those of one structure."""

    def __init__(self, trials: Callable[[Geometry], list[Any]]) -> None:
        share_generated_code()
        self.trials = trials
        self.built: dict[str, tuple[Any, Geometry]] = {}
        self.groups: dict[str, Group] = {}

    def read(self, member: Member) -> None:
        """Add a member to the group of its structure.

        Raises:
            UnfitError: If it cannot be predicted together with others.
        """
        content = check(member.path)
        key = architecture(content)
        if key in self.built:
            model, member.geometry = self.built[key]
            put(content, model)
        else:
            member.open()
            model, known = member.model, member.model.state_dict()
            known = {name: tensor.clone() for name, tensor in known.items()}
            put(content, model)
            if any(not torch.equal(t, known[name]) for name, t in model.state_dict().items()):
                raise UnfitError('NequIP reads other weights from the checkpoint')
            self.built[key] = (model, member.geometry)
        parts, member.model = Parts(model), model
        trials = self.trials(member.geometry)
        expected = [member.run([to_input(atoms, member.geometry)]) for atoms in trials]
        member.model = None  # it will hold the weights of the next one
        key = repr((parts.structure, member.geometry))
        if key not in self.groups:
            self.groups[key] = Group(model, member.geometry, trials)
        self.groups[key].add(member, parts, expected)


def read(members: Sequence[Member], trials: Callable[[Geometry], list[Any]]) -> list[Group]:
    """Return the members by structure; those that cannot be read are left alone.

    Args:
        members: Of one job or one calculator.
        trials: The structures on which members of one geometry are compared with NequIP.
    """
    reader = Reader(trials)
    for member in members:
        with left_alone(member):
            reader.read(member)
    return list(reader.groups.values())


@contextlib.contextmanager
def left_alone(*members: Member) -> Iterator[None]:
    """Leave members to the other ways of the job where they cannot be predicted together."""
    try:
        yield
    except (UnfitError, UntrustedError) as exception:
        reason = str(exception)
    except Exception as exception:  # whatever a checkpoint, a model or a compiler raises
        traceback.print_exc()
        reason = f'{type(exception).__name__}: {exception}'
    else:
        return
    for member in members:
        member.note = f'not vectorised: {reason}'
