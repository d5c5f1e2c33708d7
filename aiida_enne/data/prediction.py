"""Node: predictions of one member on one dataset."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.npz import NpzData
from aiida_enne.science.fields import Integers
from aiida_enne.science.npz import Arrays

REQUIRED = ('indices', 'energies', 'forces')
#: Part of a split that members were trained on.
TRAIN = 'train'
#: Which features a prediction has, by the name of the array.
PER_ATOM, SUMMED = 'per_atom', 'summed'
FEATURES = {'features': PER_ATOM, 'summed_features': SUMMED}
OPTIONAL = ('stresses', 'atomic_energies', 'features', 'summed_features')


class PredictionData(NpzData):
    """Raw predictions of one model on (a part of) one dataset.

    Arrays: `indices` (n,) of the configurations predicted; `energies` (n,) in eV, float64;
    `forces` (N, 3) in eV/Å; where asked for, `stresses` (n, 3, 3) in eV/Å³, `atomic_energies` (N,)
    in eV and `features` (N, f), the scalars of the last layer in float32, or `summed_features`
    (n, f), their sums over the atoms of each configuration.
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
        if kept := [kind for name, kind in FEATURES.items() if name in arrays]:
            described['features'] = kept[0]
        node.set_arrays(arrays, described)
        return node

    def get_description(self) -> str:
        """Return what a graph shows: of whom, for how many configurations, and how large errors."""
        attributes = self.base.attributes.all
        error = attributes.get('force_mae')
        known = '' if error is None else f', force MAE {error:.3g} eV/Å'
        seed = attributes.get('seed', 'unknown')
        return f'seed {seed}, {attributes["n_frames"]} configurations{known}'

    @property
    def indices(self) -> Integers:
        """Of the configurations predicted, shape (n,)."""
        return self.get_arrays(['indices'])['indices']


def stack_predictions(
    predictions: Mapping[str, PredictionData],
    dataset: ConfigurationsData,
    names: Sequence[str] = ('energies', 'forces'),
) -> tuple[Integers, Arrays]:
    """Stack what members predicted of one dataset.

    Args:
        predictions: One or more, by label of the member.
        dataset: What they predicted.
        names: Arrays to read.

    Returns:
        The indices of the n configurations, and arrays by name whose first axis are the members, in
        alphabetical order of their labels.

    Raises:
        ValueError: If a prediction belongs to another dataset, or two members predicted different
            configurations.
    """
    found = []
    for label in sorted(predictions):
        node = predictions[label]
        if (digest := node.base.attributes.get('dataset_sha256')) != dataset.sha256:
            raise ValueError(
                f'the prediction of {label} belongs to the dataset {digest[:12]}, '
                f'expected {dataset.sha256[:12]}'
            )
        found.append(node.get_arrays(['indices', *names]))
        if not np.array_equal(found[-1]['indices'], found[0]['indices']):
            raise ValueError(
                f'{label} predicted other configurations of <{dataset.uuid}> than '
                f'{min(predictions)}'
            )
    return found[0]['indices'], {name: np.stack([one[name] for one in found]) for name in names}
