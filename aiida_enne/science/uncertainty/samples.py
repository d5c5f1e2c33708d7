"""What an audit compares: reference and members, one column per sample, for each quantity."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.structures.deformations import VOIGT
from aiida_enne.science.structures.domains import in_order
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.alignment import Offsets
from aiida_enne.science.uncertainty.beside import (
    Beside,
    Snapshots,
    check_shapes,
    features_of,
    snapshots_of,
)
from aiida_enne.science.uncertainty.blocks import find_blocks
from aiida_enne.science.uncertainty.components import force_components, stress_components
from aiida_enne.science.uncertainty.estimators import Asked
from aiida_enne.science.uncertainty.options import AuditOptions

#: Samples of a domain, at most, on which an estimator on features is tested M + 1 times.
TESTED_FEATURES = 500

Used = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Samples:
    """One quantity, one column per sample.

    Attributes:
        reference: Reference values, shape (n,).
        members: Predictions of the members, shape (M, n).
        mean: Mean over members, shape (n,).
        spread: Values of the estimator, shape (n,): widths, or scores that only rank.
        used: Which samples are judged, shape (n,): not those that the estimator has learnt from.
        counts: Which samples count at all, shape (n,): not those that symmetry makes zero or a
            constraint hides.
        domain: Number of the domain of each sample, shape (n,).
        block: Number of the independent block of each sample, see `blocks`, shape (n,).
        trajectory: Number of the stored block of each sample, shape (n,).
        is_width: Whether `spread` holds widths in the unit of the quantity.
        snapshots: Predictions of K snapshots of one member, shape (K, n); None without any.
        tested: Errors of some of the samples judged, with features and domains, as an estimator
            that learns, or needs features, is asked; None for another.
        learnt: The same of some that it has learnt from.
        unfitted: Why the estimator has no values of this quantity, where it cannot be fitted to it;
            then none is used.
    """

    reference: Floats
    members: Floats
    mean: Floats
    spread: Floats
    used: NDArray[np.bool_]
    counts: NDArray[np.bool_]
    domain: Integers
    block: Integers
    trajectory: Integers
    is_width: bool = True
    snapshots: Floats | None = None
    tested: Asked | None = None
    learnt: Asked | None = None
    unfitted: str = ''

    def errors(self, chosen: NDArray[Any]) -> Floats:
        """Return the errors of the members for the chosen samples, shape (M, chosen)."""
        errors = self.members[:, chosen]
        errors -= self.reference[chosen]
        return errors


def some_of(chosen: Used, options: AuditOptions) -> Integers:
    """Return the numbers of at most `n_force_samples` of the chosen samples, drawn by chance.

    Args:
        chosen: Which samples, shape (n,).
        options: Choices of the audit.
    """
    at = np.flatnonzero(chosen)
    if len(at) > options.n_force_samples:
        rng = np.random.default_rng(options.seed)
        at = np.sort(rng.choice(at, options.n_force_samples, replace=False))
    return at


def gather(
    configurations: Configurations,
    energies: Floats,
    forces: Floats,
    offsets: Offsets | None,
    options: AuditOptions,
    **beside: Unpack[Beside],
) -> dict[str, Samples]:
    """Return the samples of `energy` and `aligned` (eV/atom), of `force` (eV/Å) and `stress` (GPa).

    `stress` is there only where labels and members have it: six components a configuration.
    `aligned` is there only with offsets: energies per atom less each one's own zero. Force
    components that symmetry makes zero, in the reference and in all members, or that a constraint
    hides in the reference, do not count, nor does the domain that the estimator has learnt from.

    Args:
        configurations: n labelled configurations of N atoms in all.
        energies: Total energies of the M members in eV, shape (M, n).
        forces: Forces of the members in eV/Å, shape (M, N, 3).
        offsets: Own zeros of the reference and the members.
        options: Choices of the audit.
        **beside: What estimators may need.

    Raises:
        ValueError: If labels are missing, shapes disagree, there are fewer than two members, a
            member holds values that are not finite, own zeros are known of members but not of
            snapshots, or the estimator can be fitted to no quantity.
    """
    zeros = None if offsets is None else offsets.members
    check_shapes(configurations, (energies, forces), zeros, options)
    n = len(configurations)
    domain = np.unique(configurations.domains, return_inverse=True)[1].astype(np.int64)
    pairs = np.stack([domain, configurations.blocks])
    stored = np.unique(pairs, axis=1, return_inverse=True)[1].reshape(-1).astype(np.int64)
    learnt = configurations.domains == options.calibration_domain
    if options.calibration_domain and not learnt.any():
        raise ValueError(
            f'`calibration_domain` {options.calibration_domain!r} is not a domain of the data; '
            f'there are {in_order(configurations.domains.tolist())}'
        )
    reference = np.asarray(configurations.energies) / configurations.n_atoms
    members = energies.astype(np.float64) / configurations.n_atoms
    every = np.ones(n, dtype=bool)
    block = find_blocks(configurations, frame_errors(configurations, members, forces)).number

    known = features_of(configurations, energies, beside.get('features'), options)
    rivals = _rivals(configurations, beside, offsets, options)
    asks = bool(rivals) and 'snapshots' in options.make_estimator().needs

    def make(
        name: str, truth: Floats, members: Floats, used: Used, each: Integers | None = None
    ) -> Samples:
        """Judge one quantity, of which a configuration has one sample or `each` of them."""
        repeated = [
            a if each is None else np.repeat(a, each) for a in (domain, block, stored, learnt)
        ]
        found, rival = known['energy' if each is None else 'force'], rivals.get(name)
        if asks and found is not None:
            found = None if rival is None else found | {'snapshots': rival}
        return replace(_samples(truth, members, used, repeated, found, options), snapshots=rival)

    samples = {'energy': make('energy', reference, members, every)}
    if offsets is not None:
        own = members - offsets.members[:, None]
        samples['aligned'] = make('aligned', reference - offsets.reference, own, every)
    components = force_components(configurations, forces, options)
    samples['force'] = make('force', *components, 3 * configurations.n_atoms)
    if stresses := stress_components(configurations, beside.get('stresses')):
        samples['stress'] = make('stress', *stresses, np.full(n, len(VOIGT)))
    if all(one.unfitted for one in samples.values()):
        raise ValueError(samples['energy'].unfitted)
    return samples


def frame_errors(configurations: Configurations, members: Floats, forces: Floats) -> Floats:
    """Return the error of energy (eV/atom) and the rms error of force (eV/Å) by frame, (2, n).

    Args:
        configurations: n labelled configurations of N atoms in all.
        members: Energies per atom of the members, shape (M, n).
        forces: Forces of the members, shape (M, N, 3).
    """
    reference = np.asarray(configurations.energies) / configurations.n_atoms
    square = (forces.mean(axis=0) - np.asarray(configurations.forces)) ** 2
    frame = np.repeat(np.arange(len(configurations)), configurations.n_atoms)
    summed, count = (
        np.bincount(frame, weights=value, minlength=len(configurations))
        for value in (np.nansum(square, axis=1), configurations.known_forces.sum(axis=1))
    )
    rms = np.sqrt(summed / np.maximum(count, 1))
    return np.stack([ensemble.mean(members) - reference, rms])


def _rivals(
    configurations: Configurations, beside: Beside, offsets: Offsets | None, options: AuditOptions
) -> dict[str, Floats]:
    """Return what snapshots predicted by quantity, see `snapshots_of`; empty without any."""
    if (given := beside.get('snapshots')) is None:
        return {}
    several, zeros = Snapshots(*given), None if offsets is None else offsets.snapshots
    check_shapes(configurations, several[:2], zeros, options, ' of snapshots')
    return snapshots_of(configurations, several, offsets)


def _samples(
    reference: Floats,
    members: Floats,
    used: Used,
    groups: list[Any],
    features: dict[str, Any] | None,
    options: AuditOptions,
) -> Samples:
    """Return samples with the values of the estimator, fitted to what it may learn from.

    Without what it needs, or where it cannot be fitted, there are no values, and nothing is judged.
    """
    domain, block, stored, learnt = groups
    estimator = options.make_estimator()
    width, mean = estimator.unit is not None, ensemble.mean(members)
    none, nan = np.zeros_like(used), np.full(len(reference), np.nan)
    nothing = Samples(reference, members, mean, nan, none, used, domain, block, stored, width)
    if features is None:
        return nothing
    asked = Asked(members, block, reference, domain=domain, **features)
    calibration = asked.select(learnt & used) if estimator.calibrated else None
    try:
        spread = estimator.fit(calibration)(replace(asked, reference=None))
    except ValueError as exception:
        return replace(nothing, unfitted=str(exception))
    judged = used & ~learnt if estimator.calibrated else used
    found = Samples(reference, members, mean, spread, judged, used, domain, block, stored, width)
    if not estimator.calibrated and 'features' not in estimator.needs:
        return found
    few = options
    if 'features' in estimator.needs:
        few = replace(options, n_force_samples=min(TESTED_FEATURES, options.n_force_samples))
    parts = [some_of(judged & (domain == one), few) for one in np.unique(domain).tolist()]
    tested = _of_errors(asked.select(np.concatenate(parts)))
    known = None
    if estimator.calibrated:
        known = _of_errors(asked.select(some_of(learnt & used, few)))
    return replace(found, tested=tested, learnt=known)


def _of_errors(asked: Asked) -> Asked:
    """Return the same of errors, which lose no digits to the size of energies."""
    truth = np.asarray(asked.reference)
    return replace(asked, members=asked.members - truth, reference=np.zeros_like(truth))
