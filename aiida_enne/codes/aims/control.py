"""Writes control.in: the settings in a fixed order, then one species block per element."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from aiida_enne.codes.aims.keywords import ENSEMBLES, OWNED
from aiida_enne.codes.aims.motion import MolecularDynamics, Relaxation
from aiida_enne.codes.aims.settings import ControlSettings
from aiida_enne.codes.aims.species import read_species
from aiida_enne.science import checks

RULER = '#' + '=' * 79
#: A k-point count this close above a whole number is that number: cells carry rounding errors.
ROUNDING = 1e-6


def render_control(
    settings: ControlSettings | Mapping[str, Any], species_texts: Mapping[str, str]
) -> str:
    """Write control.in.

    Args:
        settings: What to compute, checked or as a plain dictionary.
        species_texts: Species default of each element, appended word by word in the order of
            the elements' names.

    Raises:
        ValueError: If a setting is unknown or bad, if there is no species, or if a species text
            is not that of its element alone.
    """
    if not isinstance(settings, ControlSettings):
        settings = ControlSettings.from_dict(settings)
    if not species_texts:
        raise ValueError('`species_texts` must hold a text for every element, got none')
    lines = [RULER, '# FHI-aims input, written by aiida-enne', RULER]
    lines += [f'{keyword:<28}{text}'.rstrip() for keyword, text in _keywords(settings)]
    lines.append(RULER)
    texts = [_checked_species(element, species_texts[element]) for element in sorted(species_texts)]
    return '\n'.join(lines) + '\n' + ''.join(texts)


def k_grid(cell: ArrayLike, pbc: Sequence[bool], density: float) -> tuple[int, int, int]:
    """Return the number of k-points along each reciprocal vector; 1 where nothing is periodic.

    Args:
        cell: Lattice vectors as rows in Å, shape (3, 3).
        pbc: Periodic directions, shape (3,).
        density: Points per Å⁻¹ of reciprocal length, 2π included: n_i = ⌈|b_i| density⌉.

    Raises:
        ValueError: If the density is not above zero or a periodic cell has no volume.
    """
    checks.positive('density', density)
    if not any(pbc):
        return (1, 1, 1)
    vectors = np.asarray(cell, dtype=np.float64)
    has_volume = vectors.shape == (3, 3) and np.isfinite(vectors).all() and np.linalg.det(vectors)
    if not has_volume:
        raise ValueError(f'a periodic `cell` must be three vectors with a volume, got {vectors}')
    lengths = 2 * math.pi * np.linalg.norm(np.linalg.inv(vectors).T, axis=1)
    first, second, third = (
        max(1, math.ceil(float(length) * density - ROUNDING)) if periodic else 1
        for length, periodic in zip(lengths, pbc, strict=True)
    )
    return (first, second, third)


def _keywords(settings: ControlSettings) -> Iterator[tuple[str, str]]:
    plain = (
        'xc spin default_initial_moment charge relativistic occupation_type k_grid sc_accuracy_rho '
        'sc_accuracy_eev sc_accuracy_etot sc_accuracy_forces sc_iter_limit mixer charge_mix_param '
        'n_max_pulay compute_forces compute_analytical_stress'
    )
    for name in plain.split():
        value = getattr(settings, name)
        if value is not None:
            yield name, _text(value)
    if settings.relaxation is not None:
        yield from _relaxation(settings.relaxation)
    if settings.md is not None:
        yield from _molecular_dynamics(settings.md)
    level = settings.output_level or ('MD_light' if settings.md else None)
    if level is not None:
        yield 'output_level', level
    if settings.walltime is not None:
        yield 'walltime', _text(settings.walltime)
    for keyword in sorted(settings.extra):
        value = settings.extra[keyword]
        for text in value if isinstance(value, list | tuple) else [value]:
            yield keyword, text


def _relaxation(relaxation: Relaxation) -> Iterator[tuple[str, str]]:
    yield 'relax_geometry', f'{relaxation.method} {_text(relaxation.max_force)}'
    yield 'relax_unit_cell', relaxation.cell
    if relaxation.max_steps is not None:
        yield 'max_relaxation_steps', _text(relaxation.max_steps)


def _molecular_dynamics(md: MolecularDynamics) -> Iterator[tuple[str, str]]:
    run = [md.time, md.ensemble]
    if ENSEMBLES[md.ensemble] is not None:
        run += [md.temperature, md.parameter]
    yield 'MD_run', _text(tuple(run))
    yield 'MD_time_step', _text(md.time_step)
    if md.thermostat_units is not None:
        yield 'MD_thermostat_units', md.thermostat_units
    if md.initial_temperature is not None:
        yield 'MD_MB_init', _text(md.initial_temperature)
    if md.seed is not None:
        yield 'MD_RNG_seed', _text(md.seed)
    yield 'MD_restart', _text(md.restart)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return f'.{str(value).lower()}.'
    if isinstance(value, tuple):
        return ' '.join(_text(item) for item in value)
    return value if isinstance(value, str) else repr(value)


def _checked_species(element: str, text: str) -> str:
    species = read_species(text)
    if species.element != element:
        raise ValueError(f'the species text given for {element} is that of {species.element}')
    for line in text.splitlines():
        keyword = line.split('#')[0].split()[:1]
        if keyword and keyword[0].lower() in OWNED - {'species'}:
            raise ValueError(
                f'the species text of {element} sets `{keyword[0]}`, which belongs to the whole run'
            )
    return text if text.endswith('\n') else text + '\n'
