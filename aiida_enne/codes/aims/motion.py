"""What the atoms of a run do: relax, or run along a trajectory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from aiida_enne.codes.aims import keywords as words
from aiida_enne.science import checks


class Settings:
    """Settings that can be read from a plain dictionary, in which unknown keys are errors."""

    title: ClassVar[str]

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """Read the settings from a plain dictionary.

        Raises:
            ValueError: If a key is unknown, a value is missing or not what it must be.
        """
        if not isinstance(given, Mapping):
            raise ValueError(f'the {cls.title} must be a dictionary, got {given!r}')
        settings: Any = cls
        known = [item.name for item in fields(settings)]
        unknown = sorted(str(key) for key in given if key not in known)
        if unknown:
            raise ValueError(
                f'unknown key `{unknown[0]}` in the {cls.title}; expected some of '
                f'{", ".join(known)}'
            )
        try:
            return cls(**given)
        except TypeError as exception:
            missing = str(exception).rpartition(': ')[2]
            raise ValueError(f'the {cls.title} lack {missing}') from exception


@dataclass(frozen=True, kw_only=True)
class Relaxation(Settings):
    """A search for the nearest minimum.

    Attributes:
        method: `trm` or `bfgs`.
        max_force: Largest force component at which it ends, in eV/Å.
        cell: What the cell may do: `none`, `fixed_angles` or `full`.
        max_steps: Steps after which it is given up; FHI-aims' own limit if None.

    Raises:
        ValueError: If a value is not one of these.
    """

    title: ClassVar[str] = 'settings of the relaxation'
    max_force: float
    method: str = 'trm'
    cell: str = 'none'
    max_steps: int | None = None

    def __post_init__(self) -> None:
        checks.one_of('method', self.method, words.OPTIMIZERS)
        checks.positive('max_force', self.max_force)
        checks.one_of('cell', self.cell, words.CELL_RELAXATIONS)
        if self.max_steps is not None:
            checks.count('max_steps', self.max_steps)


@dataclass(frozen=True, kw_only=True)
class MolecularDynamics(Settings):
    """A trajectory at constant volume; the program has no barostat of its own.

    Attributes:
        ensemble: One of the ensembles of `MD_run`.
        time: Length of the whole trajectory in ps, that of the runs before a restart included.
        time_step: In ps.
        temperature: Of the thermostat in K; None for NVE.
        parameter: The thermostat's number, see `keywords.ENSEMBLES`; None for NVE.
        initial_temperature: Of the Maxwell–Boltzmann velocities at the start, in K; None to take
            them from geometry.in or from the restart file.
        seed: Of the velocities and of the stochastic thermostats.
        restart: Whether to go on from the restart file of an earlier run.
        thermostat_units: Unit of Nosé and Hoover's effective mass.

    Raises:
        ValueError: If a value is missing, superfluous in this ensemble, or out of its range.
    """

    title: ClassVar[str] = 'settings of the molecular dynamics'
    ensemble: str
    time: float
    time_step: float
    temperature: float | None = None
    parameter: float | None = None
    initial_temperature: float | None = None
    seed: int | None = None
    restart: bool = False
    thermostat_units: str | None = None

    def __post_init__(self) -> None:
        checks.one_of('ensemble', self.ensemble, words.ENSEMBLES)
        checks.positive('time', self.time)
        checks.positive('time_step', self.time_step)
        if self.time < self.time_step:
            raise ValueError(
                f'`time` must be at least one `time_step` of {self.time_step} ps, got {self.time}'
            )
        self._check_thermostat()
        if self.initial_temperature is not None:
            checks.positive('initial_temperature', self.initial_temperature)
        if self.seed is not None:
            checks.count('seed', self.seed)
        if checks.flag('restart', self.restart) and self.initial_temperature is not None:
            raise ValueError(
                '`initial_temperature` has no place in a restart: the velocities are in its file'
            )

    def _check_thermostat(self) -> None:
        meaning = words.ENSEMBLES[self.ensemble]
        for name in ('temperature', 'parameter'):
            value = getattr(self, name)
            if meaning is None and value is not None:
                raise ValueError(f'`{name}` has no place in {self.ensemble}, got {value!r}')
            if meaning is not None and value is None:
                what = 'temperature in K' if name == 'temperature' else meaning
                raise ValueError(f'{self.ensemble} needs `{name}`: its {what}')
            if value is not None:
                checks.positive(name, value)
        if self.thermostat_units is not None:
            if self.ensemble != 'NVT_nose-hoover':
                raise ValueError(f'`thermostat_units` has no place in {self.ensemble}')
            checks.one_of('thermostat_units', self.thermostat_units, words.THERMOSTAT_UNITS)
