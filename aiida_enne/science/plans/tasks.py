"""The tasks of all engines: label, move or relax, with the value of every option."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from aiida_enne.science.checks import count, finite, flag, one_of, positive, text
from aiida_enne.science.options import Options, option

#: Stands for the domain of the configuration that a trajectory starts from.
OWN = '{domain}'


def _ramp(name: str, value: Any) -> tuple[float, float]:
    pair = list(value) if isinstance(value, list | tuple) else [value, value]
    if len(pair) != 2:
        raise ValueError(f'`{name}` must be a number in K or [from, to], got {value!r}')
    first, last = (finite(name, end) for end in pair)
    if min(first, last) < 0:
        raise ValueError(f'`{name}` must not be below 0 K, got {value!r}')
    return first, last


def _atoms(name: str, value: Any) -> tuple[tuple[int, ...], ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f'`{name}` must be a list of atoms for every configuration, got {value!r}')
    for atoms in value:
        if not isinstance(atoms, list | tuple):
            raise ValueError(f'`{name}` must hold a list for every configuration, got {atoms!r}')
    return tuple(tuple(count(name, atom, 0) for atom in atoms) for atoms in value)


#: Options that not all thermostats have: which do, and the default for a time step in fs.
_OF_SOME: dict[str, tuple[tuple[str, ...], Callable[[float], float]]] = {
    'friction': (('langevin', 'npt'), lambda _: 10.0),
    'damping': (('nose_hoover_chain',), lambda timestep: 100 * timestep),
    'pressure': (('npt',), lambda _: 0.0),
    'pressure_damping': (('npt',), lambda timestep: 1000 * timestep),
    'compressibility': (('npt',), lambda _: 0.01),
}


@dataclass(frozen=True, kw_only=True)
class Stage(Options):
    """A stage of molecular dynamics.

    Attributes:
        thermostat: `langevin`, `nose_hoover_chain`, `npt` or `nve`.
        temperature: In K at the beginning and at the end; one number stands for both. Under `nve`
            it is what the stage before ended with.
        steps: Their number.
        timestep: In fs.
        record_every: Steps between two recorded frames, 0 for none.
        domain: Label of the frames; `{domain}` stands for the configuration's own.
        friction: In 1/ps (langevin, npt).
        damping: In fs (nose_hoover_chain).
        pressure: In GPa (npt).
        pressure_damping: In fs (npt).
        compressibility: In 1/GPa (npt).

    Raises:
        ValueError: If an option is out of its range or is not one of the thermostat.
    """

    thermostat: str = option(
        partial(one_of, choices=('langevin', 'nose_hoover_chain', 'npt', 'nve'))
    )
    temperature: tuple[float, float] = option(_ramp)
    steps: int = option(count)
    timestep: float = option(positive, 1.0)
    record_every: int = option(partial(count, minimum=0), 0)
    domain: str = option(text, OWN)
    friction: float | None = option(positive, None)
    damping: float | None = option(positive, None)
    pressure: float | None = option(finite, None)
    pressure_damping: float | None = option(positive, None)
    compressibility: float | None = option(positive, None)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, (thermostats, default) in _OF_SOME.items():
            if self.thermostat in thermostats and getattr(self, name) is None:
                object.__setattr__(self, name, default(self.timestep))
            elif self.thermostat not in thermostats and getattr(self, name) is not None:
                raise ValueError(f'the thermostat {self.thermostat} has no `{name}`')
        if self.thermostat == 'nve' and self.temperature[0] != self.temperature[1]:
            raise ValueError(f'nve has no thermostat to ramp over {list(self.temperature)} K')
        if self.thermostat == 'nose_hoover_chain' and min(self.temperature) == 0:
            raise ValueError('nose_hoover_chain needs temperatures above 0 K')

    @property
    def recorded(self) -> int:
        """Number of recorded frames."""
        return self.steps // self.record_every if self.record_every else 0

    def label(self, own: str) -> str:
        """Return the domain of the frames of a configuration whose own domain is given."""
        return self.domain.replace(OWN, own)


@dataclass(frozen=True, kw_only=True)
class Sigma(Options):
    """How σ of an ensemble is looked at along a trajectory; recorded frames hold both.

    Attributes:
        every: So many steps σ of the energy per atom and the largest σ of a force component are
            looked at.
        energy: Frames with more are recorded, eV/atom; 0 for no threshold.
        force: Frames with more are recorded, eV/Å; 0 for no threshold.
        then: Whether the trajectory goes on (keep) or ends (stop).

    Raises:
        ValueError: If an option is out of its range, or what stops has no threshold.
    """

    every: int = option(count, 1)
    energy: float = option(partial(finite, minimum=0), 0.0)
    force: float = option(partial(finite, minimum=0), 0.0)
    then: str = option(partial(one_of, choices=('keep', 'stop')), 'keep')

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.then == 'stop' and not (self.energy or self.force):
            raise ValueError('a trajectory that stops needs a threshold: `energy` or `force`')


def _sigma(name: str, value: Any) -> Sigma:
    return value if isinstance(value, Sigma) else Sigma.from_dict(value, name)


class Task(Options):
    """What an engine is asked for; the base of all kinds.

    Attributes:
        kind: `label`, `md` or `relax`.
        given: The plain values that it was read from, as nodes hold them: what has a default is
            among them only where somebody chose it.
        stages: Of dynamics.
        fixed: For every configuration, the indices of the atoms that do not move; or none.
    """

    kind: ClassVar[str]
    stages: Sequence[Stage] = ()
    max_temperature: float = math.inf
    sigma: Sigma | None = None
    fixed: Sequence[Sequence[int]] = ()
    given: dict[str, Any]

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, 'given', self.complete())

    @property
    def steps(self) -> int:
        """Number of steps of dynamics."""
        return sum(stage.steps for stage in self.stages)

    @property
    def recorded(self) -> int:
        """Number of frames of dynamics that are recorded, of every configuration."""
        return sum(stage.recorded for stage in self.stages)

    def complete(self) -> dict[str, Any]:
        """Return plain values with every option given, fit for `read_task`."""
        return {'kind': self.kind} | self.to_dict()

    def fixed_of(self, index: int) -> list[int]:
        """Return the atoms of a configuration that do not move."""
        return list(self.fixed[index]) if self.fixed else []

    def misfit(self, n_atoms: Sequence[int]) -> str | None:
        """Return why the fixed atoms are not those of the configurations, None if they are."""
        if self.fixed and len(self.fixed) != len(n_atoms):
            return (
                f'`fixed` must list atoms for {len(n_atoms)} configurations, got {len(self.fixed)}'
            )
        for index, n in enumerate(n_atoms):
            if (atoms := self.fixed_of(index)) and max(atoms) >= n:
                return (
                    f'`fixed` points to atom {max(atoms)} of configuration {index} with {n} atoms'
                )
        return None


@dataclass(frozen=True, kw_only=True)
class Label(Task):
    """Energy and forces of every configuration as it is."""

    kind = 'label'


@dataclass(frozen=True, kw_only=True)
class Dynamics(Task):
    """Molecular dynamics of every configuration.

    Attributes:
        stages: One after the other.
        max_temperature: In K, above which a trajectory is ended.
        fixed: See `Task`.
        sigma: Where the calculator is an ensemble.

    Raises:
        ValueError: If there is no stage, or an option is out of its range.
    """

    kind = 'md'
    stages: Sequence[Stage] = option(lambda _, value: tuple(value))
    max_temperature: float = option(positive, None)
    fixed: Sequence[Sequence[int]] = option(_atoms, ())
    sigma: Sigma | None = option(_sigma, None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.max_temperature:
            hottest = max(max(stage.temperature) for stage in self.stages)
            object.__setattr__(self, 'max_temperature', 10 * max(hottest, 1000.0))
        if self.fixed and any(stage.thermostat == 'npt' for stage in self.stages):
            raise ValueError('`fixed` atoms do not go with the thermostat npt')

    @classmethod
    def from_dict(cls, given: Any, what: str) -> Dynamics:
        """Return the dynamics of plain values, see `Options.from_dict`."""
        stages = given.get('stages')
        if not isinstance(stages, list | tuple) or not stages:
            raise ValueError(f'`stages` must be a list of one stage or more, got {stages!r}')
        read: list[Stage] = []
        for index, one in enumerate(stages):
            goes_on = read and isinstance(one, Mapping) and one.get('thermostat') == 'nve'
            before = {'temperature': read[-1].temperature[1]} if goes_on else {}
            read.append(Stage.from_dict(before | one if before else one, f'stage {index}'))
        return super().from_dict({**given, 'stages': read}, what)


@dataclass(frozen=True, kw_only=True)
class Relaxation(Task):
    """Relaxation of every configuration.

    Attributes:
        cell: `fixed`, `shape` at constant volume, or `free`.
        symmetry: Whether it is kept.
        symprec: Distance in Å within which atoms are symmetric.
        fmax: Largest force in eV/Å that may be left.
        max_steps: Steps at most.
        optimizer: Of ASE.
        fixed: See `Task`.

    Raises:
        ValueError: If an option is out of its range.
    """

    kind = 'relax'
    cell: str = option(partial(one_of, choices=('fixed', 'shape', 'free')), 'fixed')
    symmetry: bool = option(flag, False)
    symprec: float = option(positive, 0.01)
    fmax: float = option(positive, 0.01)
    max_steps: int = option(count, 500)
    optimizer: str = option(
        partial(one_of, choices=('BFGS', 'LBFGS', 'FIRE', 'BFGSLineSearch')), 'BFGS'
    )
    fixed: Sequence[Sequence[int]] = option(_atoms, ())

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fixed and (self.symmetry or self.cell != 'fixed'):
            raise ValueError(
                '`fixed` atoms go neither with `symmetry` nor with a cell that relaxes'
            )


#: Every kind of task by its name.
KINDS: dict[str, type[Task]] = {one.kind: one for one in (Label, Dynamics, Relaxation)}


def read_task(given: Mapping[str, Any]) -> Task:
    """Return the task of plain values, e.g. of a node.

    Args:
        given: `kind` and options of that kind.

    Raises:
        ValueError: If an option is unknown, missing or out of its range.
    """
    kind = KINDS[one_of('kind', given.get('kind'), tuple(KINDS))]
    read = kind.from_dict({key: value for key, value in given.items() if key != 'kind'}, 'task')
    object.__setattr__(read, 'given', dict(given))
    return read
