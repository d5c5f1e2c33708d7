"""Settings of one run of FHI-aims, checked when they are made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from aiida_enne.codes.aims import keywords as words
from aiida_enne.codes.aims import values
from aiida_enne.codes.aims.motion import MolecularDynamics, Relaxation, Settings
from aiida_enne.science import checks

#: Parts of the settings that are settings themselves.
PARTS: dict[str, type[Settings]] = {'relaxation': Relaxation, 'md': MolecularDynamics}

KEYWORD = re.compile(r'[A-Za-z][A-Za-z0-9_\-]*')


@dataclass(frozen=True, kw_only=True)
class ControlSettings(Settings):
    """Settings of one run of FHI-aims, named as in control.in.

    Attributes:
        xc: Functional, such as `pw91_gga`; a screened hybrid with its number, `hse06 0.11`,
            whose unit `hse_unit` in `extra` says.
        spin: `none` or `collinear`.
        default_initial_moment: Spin of every atom at the start where geometry.in has none.
        charge: Of the whole cell, in e.
        relativistic: `none` or `atomic_zora scalar`.
        occupation_type: Name of the smearing and its width in eV.
        k_grid: Number of k-points along each reciprocal vector; None for molecules.
        sc_accuracy_rho: Change of the density at which the cycle has converged, in e.
        sc_accuracy_eev: The same of the sum of eigenvalues, in eV.
        sc_accuracy_etot: The same of the total energy, in eV.
        sc_accuracy_forces: The same of the forces, in eV/Å.
        sc_iter_limit: Iterations after which a cycle is given up.
        mixer: `pulay`, `linear` or `broyden`.
        charge_mix_param: Share of the new density, above 0 and at most 1.
        n_max_pulay: Iterations that Pulay's mixer remembers.
        compute_forces: Whether forces are computed.
        compute_analytical_stress: Whether the stress is computed.
        relaxation: What to relax, or None.
        md: What trajectory to run, or None.
        output_level: `normal` or `MD_light`; by default the latter for molecular dynamics.
        walltime: Seconds after which the program stops by itself.
        extra: Further keywords with their text; a list writes the keyword once per entry.

    Raises:
        ValueError: If a value is not what it must be; the message names both.
    """

    title: ClassVar[str] = 'settings of control.in'
    xc: str
    spin: str = 'none'
    default_initial_moment: float | None = None
    charge: float = 0.0
    relativistic: str = 'atomic_zora scalar'
    occupation_type: tuple[str, float] = ('gaussian', 0.01)
    k_grid: tuple[int, int, int] | None = None
    sc_accuracy_rho: float | None = None
    sc_accuracy_eev: float | None = None
    sc_accuracy_etot: float | None = None
    sc_accuracy_forces: float | None = None
    sc_iter_limit: int | None = None
    mixer: str | None = None
    charge_mix_param: float | None = None
    n_max_pulay: int | None = None
    compute_forces: bool = True
    compute_analytical_stress: bool = False
    relaxation: Relaxation | None = None
    md: MolecularDynamics | None = None
    output_level: str | None = None
    walltime: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """Read the settings from plain dictionaries and lists, such as JSON holds.

        Raises:
            ValueError: If a key is unknown, a value is missing or not what it must be.
        """
        arguments = given
        if isinstance(given, Mapping):
            arguments = {
                name: PARTS[name].from_dict(value)
                if name in PARTS and isinstance(value, Mapping)
                else (tuple(value) if isinstance(value, list) else value)
                for name, value in given.items()
            }
        return super().from_dict(arguments)

    def __post_init__(self) -> None:
        _check_functional(self.xc)
        checks.one_of('spin', self.spin, words.SPINS)
        checks.finite('charge', self.charge)
        checks.one_of('relativistic', self.relativistic, words.RELATIVITY)
        self._check_electrons()
        for name in ('sc_iter_limit', 'n_max_pulay', 'walltime'):
            if getattr(self, name) is not None:
                checks.count(name, getattr(self, name))
        checks.flag('compute_forces', self.compute_forces)
        checks.flag('compute_analytical_stress', self.compute_analytical_stress)
        if self.output_level is not None:
            checks.one_of('output_level', self.output_level, words.OUTPUT_LEVELS)
        self._check_motion()
        _check_extra(self.extra)

    def _check_electrons(self) -> None:
        if self.default_initial_moment is not None:
            checks.finite('default_initial_moment', self.default_initial_moment)
            if self.spin == 'none':
                raise ValueError('`default_initial_moment` needs `spin` to be collinear')
        match self.occupation_type:
            case (name, width):
                checks.one_of('occupation_type', name, words.SMEARINGS)
                checks.positive('occupation_type', width)
            case other:
                raise ValueError(f'`occupation_type` must be a name and a width, got {other!r}')
        if self.k_grid is not None:
            if not isinstance(self.k_grid, tuple) or len(self.k_grid) != 3:
                raise ValueError(f'`k_grid` must be three whole numbers, got {self.k_grid!r}')
            for number in self.k_grid:
                checks.count('k_grid', number)
        for name in ('rho', 'eev', 'etot', 'forces'):
            value = getattr(self, f'sc_accuracy_{name}')
            if value is not None:
                checks.positive(f'sc_accuracy_{name}', value)
        if self.mixer is not None:
            checks.one_of('mixer', self.mixer, words.MIXERS)
        if self.charge_mix_param is not None:
            share = checks.positive('charge_mix_param', self.charge_mix_param)
            if share > 1:
                raise ValueError(f'`charge_mix_param` must be at most 1, got {share}')

    def _check_motion(self) -> None:
        if self.relaxation is not None and self.md is not None:
            raise ValueError('a run cannot both relax and run molecular dynamics')
        for name, kind in PARTS.items():
            part = getattr(self, name)
            if part is not None and not isinstance(part, kind):
                raise ValueError(f'`{name}` must be {kind.__name__}, got {part!r}')


def _check_functional(xc: Any) -> None:
    name, _, number = str(xc).partition(' ')
    checks.one_of('xc', name, words.FUNCTIONALS)
    if name in words.SCREENED:
        value = values.number(number) if number.isprintable() else None
        if value is None or value <= 0:
            raise ValueError(
                f'`xc` {name} must be followed by its positive screening parameter, got {xc!r}'
            )
    elif number:
        raise ValueError(f'`xc` {name} takes no number, got {xc!r}')


def _check_extra(extra: Any) -> None:
    if not isinstance(extra, Mapping):
        raise ValueError(f'`extra` must map keywords to their text, got {extra!r}')
    for keyword, value in extra.items():
        if not isinstance(keyword, str) or not KEYWORD.fullmatch(keyword):
            raise ValueError(f'`extra` must have keywords of one word, got {keyword!r}')
        if keyword.lower() in words.OWNED:
            raise ValueError(f'`{keyword}` must not be in `extra`: a setting of its own writes it')
        for text in value if isinstance(value, list | tuple) else [value]:
            if not isinstance(text, str) or not text.isprintable():
                raise ValueError(f'`extra` must give `{keyword}` as text of one line, got {text!r}')
