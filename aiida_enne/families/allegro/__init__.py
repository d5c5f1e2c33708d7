"""Allegro: strictly local equivariant models, trained by NequIP's trainer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_enne.families.nequip import NequipFamily

EMBEDDING = {
    '_target_': 'allegro.nn.TwoBodyBesselScalarEmbed',
    'num_bessels': 8,
    'polynomial_cutoff_p': 6,
}
#: By protocol: l_max, layers, scalar features, tensor features, cutoff in Å.
SIZES = {
    'test': (1, 1, 8, 4, 4.0),
    'laptop': (2, 1, 32, 8, 4.0),
    'paper': (3, 2, 64, 16, 5.0),
}


class AllegroFamily(NequipFamily):
    """Models of Allegro: each member is trained alone."""

    name, extra = 'allegro', 'nequip-allegro'
    kernels: Mapping[str, str] = {}
    gain = 1.0
    strategies = {
        name: scripts
        for name, scripts in NequipFamily.strategies.items()
        if name not in NequipFamily.kernels
    }
    sizes = ('num_layers', 'num_scalar_features', 'num_tensor_features', 'l_max', 'r_max')

    def owns(self, target: str) -> bool:
        """Return whether a model is one of Allegro."""
        return target.startswith('allegro.')

    def model(self, protocol: str) -> dict[str, Any]:
        """Return a model of about the size that NequIP's has in a protocol."""
        l_max, layers, scalars, tensors, r_max = SIZES.get(protocol, SIZES['laptop'])
        hidden = {
            f'{part}_mlp_hidden_layers_{what}': value
            for part in ('scalar_embed', 'allegro', 'readout')
            for what, value in (('depth', 1), ('width', scalars))
        }
        return hidden | {
            '_target_': 'allegro.model.AllegroModel',
            'model_dtype': 'float32',
            'r_max': r_max,
            'l_max': l_max,
            'parity': False,
            'num_layers': layers,
            'num_scalar_features': scalars,
            'num_tensor_features': tensors,
            'radial_chemical_embed': dict(EMBEDDING),
            'avg_num_neighbors': '${training_data_stats:num_neighbors_mean}',
            'per_type_energy_shifts': '${training_data_stats:per_atom_energy_mean}',
            'per_type_energy_scales': '${training_data_stats:forces_rms}',
        }

    def step_seconds(self, model: Mapping[str, Any]) -> float:
        """Return the seconds of a training step of 64 atoms on one core.

        Scaled from NequIP's by what is done for an edge; a guess, not measured.
        """
        self.check_size(model)
        edges = model['r_max'] ** 3 * model['num_layers']
        tensors = model['num_tensor_features'] * (model['l_max'] + 1) ** 4
        scalars = model['num_scalar_features'] ** 2
        return 0.02 + 2.85e-7 * float(edges * (tensors + scalars))


FAMILY = AllegroFamily()
