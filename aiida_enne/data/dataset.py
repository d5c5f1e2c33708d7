"""Node: labelled configurations, the only carrier of reference energies and forces."""

from typing import Any, Self

import numpy as np

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.science.data.configurations import Configurations

#: Level of theory of data whose importer did not state one.
UNKNOWN_LEVEL = 'unknown'


class DatasetData(ConfigurationsData):
    """Configurations with energies in eV and forces in eV/Å at one level of theory."""

    FILENAME = 'dataset.npz'

    @classmethod
    def from_configurations(
        cls,
        configurations: Configurations,
        *,
        level_of_theory: str = UNKNOWN_LEVEL,
        **attributes: Any,
    ) -> Self:
        """Create an unstored node.

        Args:
            configurations: One or more configurations with energies and forces.
            level_of_theory: What the labels are, e.g. 'FHI-aims PW91 light'; part of the identity.
            **attributes: Further attributes to query by; `source` is not part of the identity.

        Raises:
            ValueError: If a label is missing or not finite.
        """
        if configurations.energies is None or configurations.forces is None:
            raise ValueError('a dataset needs energies and forces, these configurations have none')
        per_atom = configurations.energies / configurations.n_atoms
        labels: dict[str, Any] = {
            'level_of_theory': level_of_theory,
            'energy_per_atom_mean': float(per_atom.mean()),
            'energy_per_atom_min': float(per_atom.min()),
            'energy_per_atom_max': float(per_atom.max()),
            'force_rms': float(np.sqrt(np.nanmean(configurations.forces**2))),
            'has_stress': configurations.stresses is not None,
        }
        return super().from_configurations(configurations, **labels, **attributes)

    def get_description(self) -> str:
        """Return what a graph shows, with the level of theory."""
        return f'{super().get_description()}; {self.level_of_theory}'

    @property
    def level_of_theory(self) -> str:
        """What the labels are."""
        return str(self.base.attributes.get('level_of_theory'))
