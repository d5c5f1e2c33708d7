"""Domains tell what a configuration is: their names, made and read in one place."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from aiida_enne.science.structures.defects import DEFECTS
from aiida_enne.science.structures.phases import PHASES
from aiida_enne.science.structures.surfaces import SURFACES

Family = Literal['phase', 'defect', 'surface', 'bulk', 'liquid', 'other']

#: In front of the domain of geometries that the ensemble itself relaxed.
OWN = 'own '

_NUMBER = r'(\d+(?:\.\d+)?(?:e[+-]?\d+)?)'
_LIQUID = re.compile(rf'liquid {_NUMBER} g/cm³(?:, {_NUMBER} K)?')
_DEFECT = re.compile(rf'({"|".join(DEFECTS)}) (\d+)³')
_BULK = re.compile(r'bulk(?: (\d+)³)?')
_SURFACE = re.compile(rf'([A-Z][a-z]?)\(100\) ({"|".join(SURFACES)}), (\d+) layers')


@dataclass(frozen=True, slots=True)
class Domain:
    """What the name of a domain says; None where it does not apply.

    Attributes:
        family: What kind of system it is; 'bulk' is the perfect crystal that formation energies
            refer to, 'other' whatever no study of this package names.
        name: The phase, defect or kind of surface, 'bulk', 'liquid', or the whole domain.
        repeats: Conventional cells along each edge, of defects and their perfect crystal.
        layers: Atomic layers of a slab.
        symbol: Chemical symbol of a slab.
        density: Of a liquid, g/cm³.
        temperature: Of a liquid, K.
        own: Whether the ensemble relaxed the geometry, rather than the reference.
    """

    family: Family
    name: str
    repeats: int | None = None
    layers: int | None = None
    symbol: str | None = None
    density: float | None = None
    temperature: float | None = None
    own: bool = False


def defect_domain(name: str, repeats: int) -> str:
    """Return the domain of a defect in repeats³ conventional cells: `vacancy 3³`.

    Raises:
        ValueError: If there is no such defect.
    """
    if name not in DEFECTS:
        raise ValueError(f'unknown defect {name!r}; known are {", ".join(DEFECTS)}')
    return f'{name} {repeats}³'


def bulk_domain(repeats: int | None = None) -> str:
    """Return the domain of the perfect crystal: `bulk 3³` of a defect's cell, `bulk` of a slab."""
    return 'bulk' if repeats is None else f'bulk {repeats}³'


def surface_domain(kind: str, layers: int, symbol: str = 'Si') -> str:
    """Return the domain of a slab: `Si(100) tilted, 10 layers`.

    Raises:
        ValueError: If there is no such kind of surface.
    """
    if kind not in SURFACES:
        raise ValueError(f'unknown surface {kind!r}; known are {", ".join(SURFACES)}')
    return f'{symbol}(100) {kind}, {layers} layers'


def own_domain(domain: str) -> str:
    """Return the domain of the same system in a geometry that the ensemble relaxed."""
    return OWN + domain


def parse(domain: str) -> Domain:
    """Return what a domain says; a name that nobody here gives is of the family 'other'."""
    if domain.startswith(OWN):
        return replace(parse(domain.removeprefix(OWN)), own=True)
    if domain in PHASES:
        return Domain('phase', domain)
    if found := _DEFECT.fullmatch(domain):
        return Domain('defect', found[1], repeats=int(found[2]))
    if found := _BULK.fullmatch(domain):
        return Domain('bulk', 'bulk', repeats=None if found[1] is None else int(found[1]))
    if found := _SURFACE.fullmatch(domain):
        return Domain('surface', found[2], layers=int(found[3]), symbol=found[1])
    if found := _LIQUID.fullmatch(domain):
        temperature = None if found[2] is None else float(found[2])
        return Domain('liquid', 'liquid', density=float(found[1]), temperature=temperature)
    return Domain('other', domain)
