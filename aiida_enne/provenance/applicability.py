"""Where the errors of an ensemble are small, by a rule on what its configurations are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiida_enne.provenance.features import known_features
from aiida_enne.provenance.joint import joint_quantities
from aiida_enne.provenance.material import Material
from aiida_enne.provenance.rows import N_FRAMES, Rows
from aiida_enne.science.fields import Floats, Integers, Strings
from aiida_enne.science.guard import Missing
from aiida_enne.science.structures.descriptors import Descriptors, describe
from aiida_enne.science.uncertainty.applicability import Applicability, find_applicability
from aiida_enne.science.uncertainty.judging import distances

#: Quantities of which a configuration has one error.
KINDS = ('energy', 'aligned')


@dataclass(frozen=True, slots=True)
class Described:
    """n configurations with the error of each.

    Attributes:
        descriptors: What each is.
        error: ε of the ensemble's mean, eV/atom, shape (n,).
        block: Number of the independent block of each, shape (n,).
        domain: Domain of each, shape (n,).
    """

    descriptors: Descriptors
    error: Floats
    block: Integers
    domain: Strings

    def find(self) -> Applicability:
        """Return the domain of applicability.

        Raises:
            Missing: If there is too little data; it says what is missing.
        """
        try:
            return find_applicability(self.descriptors, self.error, self.block, self.domain)
        except ValueError as exception:
            raise Missing(f'no domain of applicability: {exception}') from None


def describe_errors(material: Material, of: str = 'energy', n_frames: int = N_FRAMES) -> Described:
    """Return descriptors and errors of all rows; the distance of features where it is stored.

    Args:
        material: Of a study, or of any work chain that knows an ensemble.
        of: 'energy' or 'aligned' (own zeros).
        n_frames: Frames of each domain at most.

    Raises:
        Missing: If nothing was predicted that was not trained on, or there is no domain to take own
            zeros from.
    """
    if of not in KINDS:
        raise ValueError(f'`of` must be one of {list(KINDS)}, got {of!r}')
    rows, quantities = joint_quantities(material, n_frames)
    if of not in quantities:
        raise Missing('there is no domain to take own zeros from')
    samples = quantities[of]

    def make() -> Descriptors:
        found = describe(rows.configurations)
        distance = _distance(material, rows)
        return found if distance is None else found.extended('distance of features', distance)

    described = material.once(('descriptors', n_frames), make)
    error = samples.mean - samples.reference
    return Described(described, error, samples.block, rows.configurations.domains)


def _distance(material: Material, rows: Rows) -> Floats | None:
    """Return the distance of each row to the training features, None where it is not known."""
    if (features := known_features(material, rows)) is None:
        return None
    frames = rows.configurations
    held_out = np.isin(frames.domains, material.training_domains)
    found = distances(features, frames.n_atoms, held_out)
    return found if np.isfinite(found).all() else None
