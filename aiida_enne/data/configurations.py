"""Node: configurations without labels, as they go into a reference calculation."""

from typing import Any, Self

import numpy as np
from ase import Atoms

from aiida_enne.data.npz import NpzData
from aiida_enne.science.data import frames
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.structures.domains import Domain, in_order, kinds_of


class ConfigurationsData(NpzData):
    """Configurations of any size, each with a domain and a trajectory block."""

    FILENAME = 'configurations.npz'

    @classmethod
    def from_configurations(
        cls, configurations: Configurations, *, masked_forces: bool = False, **attributes: Any
    ) -> Self:
        """Create an unstored node.

        Args:
            configurations: One or more configurations.
            masked_forces: Whether components of forces may be NaN: those that a constraint hides.
            **attributes: Further attributes to query by; `source` is not part of the identity.

        Raises:
            ValueError: If there are no configurations, or numbers that are not finite.
        """
        node = cls()
        node.set_arrays(
            configurations.as_arrays(), describe(configurations, masked_forces) | attributes
        )
        return node

    @classmethod
    def from_atoms(cls, structures: list[Atoms], **attributes: Any) -> Self:
        """Create an unstored node from ASE frames; see `frames.from_atoms`."""
        return cls.from_configurations(frames.from_atoms(structures), **attributes)

    def get_configurations(self) -> Configurations:
        """Return everything as arrays; see `Configurations` for shapes and units."""
        return Configurations.from_arrays(self.get_arrays())

    def get_atoms(self) -> list[Atoms]:
        """Return ASE frames, labels attached where there are any."""
        return frames.to_atoms(self.get_configurations())

    def get_description(self) -> str:
        """Return what a graph shows: how many, of which elements, in which domains."""
        domains = list(self.domains)
        more = f' and {len(domains) - 3} more' if len(domains) > 3 else ''
        labels = ', '.join(domains[:3]) + more
        return f'{self.n_frames} configurations of {"".join(self.elements)}: {labels}'

    @property
    def n_frames(self) -> int:
        """Number of configurations."""
        return int(self.base.attributes.get('n_frames'))

    @property
    def elements(self) -> list[str]:
        """Chemical symbols that occur, in alphabetical order."""
        return list(self.base.attributes.get('elements'))

    @property
    def domains(self) -> dict[str, int]:
        """Number of configurations by domain, in natural order."""
        stored = self.base.attributes.get('domains')
        return {name: stored[name] for name in in_order(stored)}

    @property
    def kinds(self) -> dict[str, Domain]:
        """What every domain is, by label in natural order."""
        return kinds_of(self.domains, self.base.attributes.get('roles', None))


def describe(configurations: Configurations, masked_forces: bool = False) -> dict[str, Any]:
    """Return the attributes that queries read, derived from the content.

    Raises:
        ValueError: If there are no configurations, or numbers that are not finite.
    """
    if not len(configurations):
        raise ValueError('there are no configurations')
    for name in ('positions', 'cells', 'energies', 'forces'):
        value = getattr(configurations, name)
        if masked_forces and name == 'forces' and configurations.known_forces.any():
            value = value[configurations.known_forces]
        if value is not None and not np.isfinite(value).all():
            raise ValueError(f'`{name}` holds values that are not finite')
    labels, counts = np.unique(configurations.domains, return_counts=True)
    some: dict[str, Any] = {'roles': configurations.roles} if configurations.roles else {}
    if configurations.is_labelled and (hidden := int((~configurations.known_forces).sum())):
        some['n_masked_forces'] = hidden
    return some | {
        'n_frames': len(configurations),
        'n_atoms_total': int(configurations.n_atoms.sum()),
        'n_atoms_min': int(configurations.n_atoms.min()),
        'n_atoms_max': int(configurations.n_atoms.max()),
        'n_blocks': len(np.unique(configurations.blocks)),
        'elements': configurations.elements,
        'domains': dict(zip(labels.tolist(), counts.tolist(), strict=True)),
    }
