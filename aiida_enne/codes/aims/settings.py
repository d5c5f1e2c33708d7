"""Settings of one run of FHI-aims, checked when they are made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from aiida_enne.codes.aims import keywords as words
from aiida_enne.codes.aims import values
from aiida_enne.codes.aims.motion import POSITIVE, MolecularDynamics, Relaxation, kept
from aiida_enne.science.checks import count, finite, flag, one_of, positive
from aiida_enne.science.options import Options, option

KEYWORD = re.compile(r'[A-Za-z][A-Za-z0-9_\-]*')


def _functional(_: str, xc: Any) -> str:
    name, _, number = str(xc).partition(' ')
    one_of('xc', name, words.FUNCTIONALS)
    if name in words.SCREENED:
        value = values.number(number) if number.isprintable() else None
        if value is None or value <= 0:
            raise ValueError(
                f'`xc` {name} must be followed by its positive screening parameter, got {xc!r}'
            )
    elif number:
        raise ValueError(f'`xc` {name} takes no number, got {xc!r}')
    return str(xc)


def _smearing(name: str, value: Any) -> tuple[str, float]:
    match value:
        case (kind, width):
            return one_of(name, kind, words.SMEARINGS), POSITIVE(name, width)
    raise ValueError(f'`{name}` must be a name and a width, got {value!r}')


def _grid(name: str, value: Any) -> tuple[int, ...]:
    if not isinstance(value, tuple | list) or len(value) != 3:
        raise ValueError(f'`{name}` must be three whole numbers, got {value!r}')
    return tuple(count(name, number) for number in value)


def _share(name: str, value: Any) -> Any:
    if positive(name, value) > 1:
        raise ValueError(f'`{name}` must be at most 1, got {value}')
    return value


def _part(name: str, value: Any, kind: type[Relaxation | MolecularDynamics]) -> Any:
    if isinstance(value, Mapping):
        return kind.from_dict(value, kind.title)
    if not isinstance(value, kind):
        raise ValueError(f'`{name}` must be {kind.__name__}, got {value!r}')
    return value


def _extra(_: str, extra: Any) -> dict[str, Any]:
    if not isinstance(extra, Mapping) and extra:
        raise ValueError(f'`extra` must map keywords to their text, got {extra!r}')
    for keyword, value in dict(extra).items():
        if not isinstance(keyword, str) or not KEYWORD.fullmatch(keyword):
            raise ValueError(f'`extra` must have keywords of one word, got {keyword!r}')
        if keyword.lower() in words.OWNED:
            raise ValueError(f'`{keyword}` must not be in `extra`: a setting of its own writes it')
        for text in value if isinstance(value, list | tuple) else [value]:
            if not isinstance(text, str) or not text.isprintable():
                raise ValueError(f'`extra` must give `{keyword}` as text of one line, got {text!r}')
    return dict(extra)


@dataclass(frozen=True, kw_only=True)
class ControlSettings(Options):
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

    xc: str = option(_functional)
    spin: str = option(partial(one_of, choices=words.SPINS), 'none')
    default_initial_moment: float | None = option(kept(finite), None)
    charge: float = option(kept(finite), 0.0)
    relativistic: str = option(partial(one_of, choices=words.RELATIVITY), 'atomic_zora scalar')
    occupation_type: tuple[str, float] = option(_smearing, ('gaussian', 0.01))
    k_grid: tuple[int, int, int] | None = option(_grid, None)
    sc_accuracy_rho: float | None = option(POSITIVE, None)
    sc_accuracy_eev: float | None = option(POSITIVE, None)
    sc_accuracy_etot: float | None = option(POSITIVE, None)
    sc_accuracy_forces: float | None = option(POSITIVE, None)
    sc_iter_limit: int | None = option(count, None)
    mixer: str | None = option(partial(one_of, choices=words.MIXERS), None)
    charge_mix_param: float | None = option(_share, None)
    n_max_pulay: int | None = option(count, None)
    compute_forces: bool = option(flag, True)
    compute_analytical_stress: bool = option(flag, False)
    relaxation: Relaxation | None = option(partial(_part, kind=Relaxation), None)
    md: MolecularDynamics | None = option(partial(_part, kind=MolecularDynamics), None)
    output_level: str | None = option(partial(one_of, choices=words.OUTPUT_LEVELS), None)
    walltime: int | None = option(count, None)
    extra: Mapping[str, Any] = option(_extra, ())

    @classmethod
    def from_dict(cls, given: Any, what: str = 'settings of control.in') -> Self:
        """Read the settings from plain values, see `Options.from_dict`."""
        return super().from_dict(given, what)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.default_initial_moment is not None and self.spin == 'none':
            raise ValueError('`default_initial_moment` needs `spin` to be collinear')
        if self.relaxation is not None and self.md is not None:
            raise ValueError('a run cannot both relax and run molecular dynamics')
