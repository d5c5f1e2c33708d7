"""Domains say what a configuration is: labels and roles, made and read in one place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from aiida_enne.science.structures.defects import DEFECTS
from aiida_enne.science.structures.phases import PHASES
from aiida_enne.science.structures.surfaces import SURFACES

Family = Literal['phase', 'defect', 'surface', 'bulk', 'liquid', 'other']

#: In front of the domain of geometries that the ensemble itself relaxed.
OWN = 'own '

#: The role of a label that is free text, whatever it looks like.
FREE = 'other'

#: The forms of a role, each with the names that may stand in it.
_FORMS: dict[str, Iterable[str]] = {
    'phase:NAME': PHASES,
    'defect:NAME:REPEATS': DEFECTS,
    'bulk[:REPEATS]': (),
    'surface:NAME:LAYERS[:SYMBOL]': SURFACES,
    'liquid:DENSITY[:TEMPERATURE]': (),
    FREE: (),
}

_COUNT = re.compile(r'[1-9]\d*')
_NUMBER = r'(\d+(?:\.\d+)?(?:e[+-]?\d+)?)'
_LIQUID = re.compile(rf'liquid {_NUMBER} g/cm³(?:, {_NUMBER} K)?')
_DEFECT = re.compile(rf'({"|".join(DEFECTS)}) (\d+)³')
_BULK = re.compile(r'bulk(?: (\d+)³)?')
_SURFACE = re.compile(rf'([A-Z][a-z]?)\(100\) ({"|".join(SURFACES)}), (\d+) layers')


@dataclass(frozen=True, slots=True)
class Domain:
    """What the label or the role of a domain says; None where it does not apply.

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


def parse(domain: str, roles: Mapping[str, str] | None = None) -> Domain:
    """Return what a domain is: its role where it has one, else what this package's labels say.

    Args:
        domain: Label of the domain.
        roles: Roles by label, e.g. `Configurations.roles`; they have the last word.

    Raises:
        ValueError: If its role is not one that `read_role` knows.
    """
    if roles and domain in roles:
        found = read_role(roles[domain])
        return Domain('other', domain) if found.family == 'other' else found
    if domain.startswith(OWN):
        return replace(parse(domain.removeprefix(OWN), roles), own=True)
    if domain in PHASES:
        return Domain('phase', domain)
    if read := _DEFECT.fullmatch(domain):
        return Domain('defect', read[1], repeats=int(read[2]))
    if read := _BULK.fullmatch(domain):
        return Domain('bulk', 'bulk', repeats=None if read[1] is None else int(read[1]))
    if read := _SURFACE.fullmatch(domain):
        return Domain('surface', read[2], layers=int(read[3]), symbol=read[1])
    if read := _LIQUID.fullmatch(domain):
        temperature = None if read[2] is None else float(read[2])
        return Domain('liquid', 'liquid', density=float(read[1]), temperature=temperature)
    return Domain('other', domain)


def kinds_of(domains: Iterable[str], roles: Mapping[str, str] | None = None) -> dict[str, Domain]:
    """Return what every domain is, by label in alphabetical order; see `parse`."""
    return {label: parse(label, roles) for label in sorted(set(domains))}


def read_role(role: str) -> Domain:
    """Return what a role says: `phase:diamond`, `defect:vacancy:3`, `bulk:3` and so on.

    A role is written as the label of this package that means the same, so both are read alike.

    Raises:
        ValueError: If it is not a role, with all that there are.
    """
    label = None
    match role.split(':'):
        case ['phase', name] if name in PHASES:
            label = name
        case ['defect', name, repeats] if name in DEFECTS and _COUNT.fullmatch(repeats):
            label = defect_domain(name, int(repeats))
        case ['bulk', *repeats] if len(repeats) < 2 and all(map(_COUNT.fullmatch, repeats)):
            label = bulk_domain(*map(int, repeats))
        case ['surface', name, layers, *symbol] if name in SURFACES and _COUNT.fullmatch(layers):
            label = surface_domain(name, int(layers), ':'.join(symbol) or 'Si')
        case ['liquid', density, *temperature]:
            label = ', '.join([f'liquid {density} g/cm³', *(f'{t} K' for t in temperature)])
    found = Domain('other', role) if label is None else parse(label)
    if found.family == 'other' and role != FREE:
        known = (form + f' ({", ".join(names)})' * bool(names) for form, names in _FORMS.items())
        raise ValueError(f'{role!r} is not a role of a domain; known are {"; ".join(known)}')
    return found


def imported_roles(labels: Iterable[str], given: Mapping[str, str]) -> dict[str, str]:
    """Return the roles of labels that others chose: free text, but for the roles given.

    A label that this package would not read as one of its own needs no role to be free text.

    Args:
        labels: Of all domains.
        given: Roles by label.

    Raises:
        ValueError: If a label or a role does not exist.
    """
    there = set(labels)
    if unknown := sorted(set(given) - there):
        raise ValueError(
            f'a role is given for {unknown[0]!r}, but there are only the domains '
            f'{", ".join(map(repr, sorted(there)))}'
        )
    for role in given.values():
        read_role(role)
    free = {label: FREE for label in there if parse(label) != Domain('other', label)}
    return dict(sorted((free | dict(given)).items()))
