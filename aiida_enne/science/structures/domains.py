"""Domains say what a configuration is: every label, role and port is made and read here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

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
    'liquid[:[DENSITY][:TEMPERATURE]]': (),
    FREE: (),
}
_NAMES = {'phase': PHASES, 'defect': DEFECTS, 'surface': SURFACES}

_COUNT = re.compile(r'[1-9]\d*')
_NUMBER = r'(\d+(?:\.\d+)?(?:e[+-]?\d+)?)'
#: Of one density, of one temperature, or of both.
_LIQUID = re.compile(rf'liquid(?=[ ,])(?: {_NUMBER} g/cm³)?(?:, {_NUMBER} K)?')
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
        density: Of a liquid, g/cm³; None where it has several.
        temperature: Of a liquid, K.
        own: Whether the ensemble relaxed the geometry, rather than the reference.

    Raises:
        ValueError: If there is no such phase, defect or kind of surface.
    """

    family: Family
    name: str
    repeats: int | None = None
    layers: int | None = None
    symbol: str | None = None
    density: float | None = None
    temperature: float | None = None
    own: bool = False

    def __post_init__(self) -> None:
        if self.name not in (known := _NAMES.get(self.family, (self.name,))):
            raise ValueError(f'unknown {self.family} {self.name!r}; known are {", ".join(known)}')

    @property
    def label(self) -> str:
        """The domain as it is written: `vacancy 3³`, `Si(100) tilted, 10 layers`."""
        text = self.name
        if self.repeats is not None:
            text += f' {self.repeats}³'
        if self.family == 'surface':
            text = f'{self.symbol}(100) {self.name}, {self.layers} layers'
        if self.family == 'liquid':
            text = stage_domain(self.name, self.density, self.temperature)
        return OWN * self.own + text

    @property
    def port(self) -> str:
        """The label of one system among those of its family: `vacancy_3`, `layers_10`, `bulk_3`.

        Of a liquid it is that of its trajectory: `density_2p57`, `density_2p57_1600K`.
        """
        if self.family == 'surface':
            return f'layers_{self.layers}'
        if self.family == 'liquid':
            heat = '' if self.temperature is None else f'_{self.temperature:g}K'
            start = self.name if self.density is None else f'density_{self.density:g}'
            return f'{start}{heat}'.replace('.', 'p')
        name = _identifier(self.name)
        return name if self.repeats is None else f'{name}_{self.repeats}'

    @property
    def role(self) -> str:
        """The name of its dataset in a study: `eos_beta_tin`, `defect_vacancy_3`, `surface_10`."""
        names = {
            'phase': f'eos_{self.port}',
            'defect': f'defect_{self.port}',
            'surface': f'surface_{self.layers}',
            'liquid': 'liquid',
        }
        return 'own_' * self.own + (names.get(self.family) or self.port or 'mixed')


def stage_domain(stage: str, density: float | None, temperature: float | None = None) -> str:
    """Return the domain of frames of a trajectory, e.g. `melt 2.57 g/cm³`.

    Args:
        stage: Its name; that of the production is 'liquid'.
        density: In g/cm³; None of frames of several.
        temperature: In K.
    """
    label = stage if density is None else f'{stage} {density:g} g/cm³'
    return label if temperature is None else f'{label}, {temperature:g} K'


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
        density, temperature = (None if one is None else float(one) for one in read.groups())
        return Domain('liquid', 'liquid', density=density, temperature=temperature)
    return Domain('other', domain)


def natural(name: str) -> tuple[Any, ...]:
    """Return what sorts names as people do: 300 K, 605 K, 1089 K."""
    text, *rest = re.split(r'(\d+(?:\.\d+)?)', name)
    numbers = zip(map(float, rest[::2]), rest[1::2], strict=True)
    return text.casefold(), tuple((value, word.casefold()) for value, word in numbers), name


def in_order(names: Iterable[str]) -> list[str]:
    """Return names, each once, in natural order."""
    return sorted(set(names), key=natural)


def kinds_of(domains: Iterable[str], roles: Mapping[str, str] | None = None) -> dict[str, Domain]:
    """Return what every domain is, by label in natural order; see `parse`."""
    return {label: parse(label, roles) for label in in_order(domains)}


def dataset_role(kinds: Iterable[Domain]) -> str:
    """Return the name of a dataset in a study: `liquid`, `eos_diamond` or `defect_vacancy_3`.

    A dataset of several kinds of systems is `mixed`.

    Args:
        kinds: What its domains are. The perfect crystal stands beside a defect or a slab as what
            its energy refers to.
    """
    subjects = {(one.role, one.name) for one in kinds if one.family != 'bulk'}
    return subjects.pop()[0] if len(subjects) == 1 else 'mixed'


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
            label = Domain('defect', name, repeats=int(repeats)).label
        case ['bulk', *repeats] if len(repeats) < 2 and all(map(_COUNT.fullmatch, repeats)):
            label = ' '.join(['bulk', *(f'{n}³' for n in repeats)])
        case ['surface', name, layers, *symbol] if name in SURFACES and _COUNT.fullmatch(layers):
            symbols = ':'.join(symbol) or 'Si'
            label = Domain('surface', name, layers=int(layers), symbol=symbols).label
        case ['liquid']:
            return Domain('liquid', 'liquid')
        case ['liquid', '', temperature]:
            label = f'liquid, {temperature} K'
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

    Raises:
        ValueError: If a label or a role does not exist.
    """
    there = set(labels)
    if unknown := in_order(set(given) - there):
        raise ValueError(
            f'a role is given for {unknown[0]!r}, but there are only the domains '
            f'{", ".join(map(repr, in_order(there)))}'
        )
    for role in given.values():
        read_role(role)
    free = {label: FREE for label in there if parse(label) != Domain('other', label)}
    return dict(sorted((free | dict(given)).items()))


def _identifier(name: str) -> str:
    """Return a name in which every run of other characters is one underscore."""
    letters = ''.join(letter if letter.isalnum() else ' ' for letter in name.lower())
    return '_'.join(letters.split())
