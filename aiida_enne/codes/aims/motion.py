"""What the atoms of a run do: relax, or run along a trajectory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from aiida_enne.codes.aims import keywords as words
from aiida_enne.science.checks import count, flag, one_of, positive
from aiida_enne.science.options import Check, Options, option


def kept(check: Check) -> Check:
    """Return a check that keeps a value as it is given: control.in has its very digits."""

    def same(name: str, value: Any) -> Any:
        check(name, value)
        return value

    return same


POSITIVE = kept(positive)


@dataclass(frozen=True, kw_only=True)
class Relaxation(Options):
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
    max_force: float = option(POSITIVE)
    method: str = option(partial(one_of, choices=words.OPTIMIZERS), 'trm')
    cell: str = option(partial(one_of, choices=words.CELL_RELAXATIONS), 'none')
    max_steps: int | None = option(count, None)


@dataclass(frozen=True, kw_only=True)
class MolecularDynamics(Options):
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
    ensemble: str = option(partial(one_of, choices=words.ENSEMBLES))
    time: float = option(POSITIVE)
    time_step: float = option(POSITIVE)
    temperature: float | None = option(POSITIVE, None)
    parameter: float | None = option(POSITIVE, None)
    initial_temperature: float | None = option(POSITIVE, None)
    seed: int | None = option(count, None)
    restart: bool = option(flag, False)
    thermostat_units: str | None = option(partial(one_of, choices=words.THERMOSTAT_UNITS), None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.time < self.time_step:
            raise ValueError(
                f'`time` must be at least one `time_step` of {self.time_step} ps, got {self.time}'
            )
        self._check_thermostat()
        if self.restart and self.initial_temperature is not None:
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
        if self.thermostat_units is not None and self.ensemble != 'NVT_nose-hoover':
            raise ValueError(f'`thermostat_units` has no place in {self.ensemble}')
