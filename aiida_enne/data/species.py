"""Node: one species default of FHI-aims, and families of them as groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from aiida import orm
from aiida.common.exceptions import ValidationError

from aiida_enne.codes.aims.species import SpeciesDefault, list_species, read_species
from aiida_enne.data.npz import FileData


class SpeciesData(FileData):
    """Basis and grids of one element: equal text, equal hash."""

    FILENAME = 'species.in'
    #: Where the text came from is not part of its identity.
    _hash_ignored_attributes = ('level', 'family')

    @classmethod
    def from_species(cls, species: SpeciesDefault) -> Self:
        """Create an unstored node."""
        node = cls()
        node.base.repository.put_object_from_bytes(species.text.encode(), cls.FILENAME)
        node.base.attributes.set_many(
            {
                'element': species.element,
                'nuclear_charge': species.nuclear_charge,
                'level': species.level,
                'family': species.family,
                'sha256': species.sha256,
            }
        )
        return node

    def get_description(self) -> str:
        """Return what a graph shows: element, level and family."""
        return ' '.join(filter(None, (self.element, self.level, self.family)))

    @property
    def text(self) -> str:
        """The whole text, as it goes into control.in."""
        return self.base.repository.get_object_content(self.FILENAME, mode='rb').decode()

    @property
    def element(self) -> str:
        """Chemical symbol."""
        return str(self.base.attributes.get('element'))

    @property
    def level(self) -> str:
        """Such as `light`; empty if unknown."""
        return str(self.base.attributes.get('level'))

    @property
    def family(self) -> str:
        """Such as `defaults_2020`; empty if unknown."""
        return str(self.base.attributes.get('family'))

    def _validate(self) -> bool:
        super()._validate()
        if read_species(self.text).sha256 != self.sha256:
            raise ValidationError('the text is not the one that the attributes describe')
        return True


@dataclass(frozen=True)
class Installed:
    """What became of one family: its label, its elements, and how many nodes are new."""

    label: str
    elements: tuple[str, ...]
    n_new: int


def install_species(folder: Path, label: str | None = None) -> list[Installed]:
    """Register every species default below a folder, one group per level; never the same twice.

    Args:
        folder: Such as `species_defaults/defaults_2020`, or the folder of one level.
        label: Takes the place of the family's name in the group's label, `defaults_2020/light`.

    Raises:
        ValueError: If the folder holds no species defaults or bad ones, if `label` stands for
            several families, or if a family of that label has another text for an element;
            nothing is stored then.
    """
    families: dict[str, dict[str, SpeciesDefault]] = {}
    found = list_species(folder)
    names = {species.family for species in found}
    if label is not None and (len(names) > 1 or not label.strip()):
        raise ValueError(
            f'`label` must be a text for one family, got {label!r} for {", ".join(sorted(names))}'
        )
    for species in found:
        members = families.setdefault(f'{label or species.family}/{species.level}', {})
        other = members.setdefault(species.element, species)
        if other.sha256 != species.sha256:
            raise ValueError(
                f'{folder} holds two texts for {species.element} of {species.level}; '
                'install their folders one by one, each with a `label` of its own'
            )
    there = dict(list_families())
    groups = {name: there.get(name, {}) for name in families}
    for name, members in families.items():
        for element, known in groups[name].items():
            if element in members and members[element].sha256 != known.sha256:
                raise ValueError(
                    f'the family {name} has another text for {element} ({known.sha256[:12]}, '
                    f'not {members[element].sha256[:12]}); install this one under a `label` of '
                    'its own'
                )
    return [_store(name, members, groups[name]) for name, members in families.items()]


def list_families() -> list[tuple[str, dict[str, SpeciesData]]]:
    """Return the label and the species by element of every family, by label."""
    query = orm.QueryBuilder().append(orm.Group, tag='group', project='label')
    query.append(SpeciesData, with_group='group', project='*')
    families: dict[str, dict[str, SpeciesData]] = {}
    for name, node in query.iterall():
        families.setdefault(name, {})[node.element] = node
    return sorted(families.items())


def find_species(family: str, elements: Iterable[str]) -> dict[str, SpeciesData]:
    """Return the species of the elements.

    Args:
        family: Label such as `defaults_2020/light`, or its last part alone if only one ends so.
        elements: Chemical symbols.

    Raises:
        ValueError: If there is no such family, more than one, or an element is not in it.
    """
    families = dict(list_families())
    fits = [name for name in families if name == family]
    fits = fits or [name for name in families if name.rpartition('/')[2] == family]
    if len(fits) != 1:
        there = ', '.join(fits or families) or 'none: `aiida-enne species install FOLDER` makes one'
        raise ValueError(f'`{family}` must name one family of species; there are {there}')
    members = families[fits[0]]
    if missing := sorted(set(elements) - set(members)):
        raise ValueError(f'the family {fits[0]} has no species for {", ".join(missing)}')
    return {element: members[element] for element in sorted(set(elements))}


def _store(
    name: str, members: dict[str, SpeciesDefault], known: dict[str, SpeciesData]
) -> Installed:
    group, _ = orm.Group.collection.get_or_create(name)
    fresh = [species for element, species in members.items() if element not in known]
    there = [_find_node(species) for species in fresh]
    new = [
        SpeciesData.from_species(species).store()
        for species, node in zip(fresh, there, strict=True)
        if node is None
    ]
    group.add_nodes([*filter(None, there), *new])
    return Installed(name, tuple(sorted(members)), len(new))


def _find_node(species: SpeciesDefault) -> SpeciesData | None:
    names = ('sha256', 'level', 'family')
    same = {f'attributes.{name}': getattr(species, name) for name in names}
    query = orm.QueryBuilder().append(SpeciesData, filters=same).limit(1)
    return query.first(flat=True)
