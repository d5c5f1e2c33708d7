"""Node: predictions of one member on one dataset."""

from typing import Any, Self

import numpy as np

from aiida_enne.data.npz import NpzData
from aiida_enne.science.npz import Arrays

REQUIRED = ('indices', 'energies', 'forces')
OPTIONAL = ('stresses', 'atomic_energies', 'features')


class PredictionData(NpzData):
    """Raw predictions of one model on (a part of) one dataset.

    Arrays: `indices` (n,) of the configurations predicted; `energies` (n,) in eV, float64;
    `forces` (N, 3) in eV/Å; where asked for, `stresses` (n, 3, 3) in eV/Å³, `atomic_energies` (N,)
    in eV and `features` (N, f), the scalars of the last layer.
    """

    FILENAME = 'prediction.npz'

    @classmethod
    def from_arrays(cls, arrays: Arrays, *, dataset_sha256: str, **attributes: Any) -> Self:
        """Create an unstored node.

        Args:
            arrays: `indices`, `energies`, `forces` and the optional ones.
            dataset_sha256: Digest of the dataset that the indices point into.
            **attributes: Further attributes, e.g. `weights_sha256`, `seed`, `mode`.

        Raises:
            ValueError: If an array is missing, unknown, of the wrong shape or not finite.
        """
        missing = [name for name in REQUIRED if name not in arrays]
        unknown = sorted(arrays.keys() - {*REQUIRED, *OPTIONAL})
        if missing or unknown:
            raise ValueError(f'a prediction lacks {missing} and must not hold {unknown}')
        n, energies = len(arrays['indices']), arrays['energies']
        if energies.shape != (n,) or energies.dtype != np.float64:
            raise ValueError(
                f'`energies` must be float64 of shape {(n,)}, got {energies.dtype} '
                f'of shape {energies.shape}'
            )
        if arrays['forces'].ndim != 2 or arrays['forces'].shape[1] != 3:
            raise ValueError(f'`forces` must have the shape (N, 3), got {arrays["forces"].shape}')
        for name in arrays:
            if not np.isfinite(arrays[name]).all():
                raise ValueError(f'`{name}` holds values that are not finite')
        node = cls()
        described = {'n_frames': n, 'dataset_sha256': dataset_sha256} | attributes
        node.set_arrays(arrays, described)
        return node

    def get_description(self) -> str:
        """Return what a graph shows: of whom, for how many configurations, and how large errors."""
        attributes = self.base.attributes.all
        error = attributes.get('force_mae')
        known = '' if error is None else f', force MAE {error:.3g} eV/Å'
        seed = attributes.get('seed', 'unknown')
        return f'seed {seed}, {attributes["n_frames"]} configurations{known}'
