"""Labels against those of converged settings: which frames, and how far apart, by domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.data.labelling import ORIGIN
from aiida_enne.science.fields import Floats, Integers, Strings
from aiida_enne.science.options import nearest
from aiida_enne.science.structures.domains import in_order

#: eV/Å; below it in both, symmetry fixes a component of a force at zero, whatever the settings.
NO_FORCE = 1e-6


def choose(domains: Strings, n: int, wanted: Sequence[str] | None = None) -> Integers:
    """Return n frames of each domain: the middles of n equal stretches of it, in rising order.

    Args:
        domains: Domain of each frame, shape (m,).
        n: Frames of a domain, 1 or more; all where there are fewer.
        wanted: The domains; all by default.
    """
    chosen: list[int] = []
    for name in set(domains.tolist()) & set(domains.tolist() if wanted is None else wanted):
        own = np.flatnonzero(domains == name)
        taken = min(n, len(own))
        chosen += own[(2 * np.arange(taken) + 1) * len(own) // (2 * taken)].tolist()
    return np.array(sorted(chosen), dtype=np.int64)


def refuse_domains(wanted: Sequence[str], known: Sequence[str]) -> str | None:
    """Return why frames of these domains cannot be chosen, or None if they can."""
    if not wanted:
        return f'none is named; name one or more of {in_order(known)}, or leave it out for all'
    for name in wanted:
        if name not in known:
            return f'no domain {name!r}{nearest(name, known)}; there are {in_order(known)}'
    return None


def compare(labels: Configurations, converged: Configurations) -> dict[str, Any]:
    """Return how far labels are from converged ones of the same frames, in any order.

    Of a frame d = (E − E converged) / atoms. `energy_offset` is the mean of d over the frames,
    `energy_rms` the root of the mean of d², and `energy_noise` the root of the sum of
    (d − offset)² over n − 1, None of one frame: an offset that all frames share is no noise.
    `force_rms` and `force_max` are of the differences of those components that are known in both
    and that symmetry does not fix at zero (`n_components`), `force_converged` is the rms of these
    components themselves, `stress_rms` is over the nine components of the frames that have a
    stress in both (`n_stresses`); None where there are none. Energies are eV/atom, forces eV/Å,
    stresses eV/Å³.

    Args:
        labels: `info['configuration']` says which frame each is.
        converged: Likewise; what one of the two lacks is left out.

    Returns:
        These numbers with `n_frames`, by domain in `domains` and for all frames in `pooled`;
        `frames`, what was compared, and `energy_differences`, d of each.

    Raises:
        ValueError: If no frame is in both, or one has other atoms.
    """
    frames, mine, theirs = np.intersect1d(
        labels.info[ORIGIN].astype(np.int64),
        converged.info[ORIGIN].astype(np.int64),
        return_indices=True,
    )
    if not len(frames):
        raise ValueError('no frame has labels by both settings')
    labels, converged = labels.select(mine), converged.select(theirs)
    same = np.array_equal(labels.n_atoms, converged.n_atoms)
    if not same or not np.array_equal(labels.numbers, converged.numbers):
        raise ValueError('the frames of the two settings have other atoms')
    domains = converged.domains
    return {
        'domains': {
            name: _measure(labels, converged, np.flatnonzero(domains == name))
            for name in in_order(domains.tolist())
        },
        'pooled': _measure(labels, converged, np.arange(len(frames))),
        'frames': frames.tolist(),
        'energy_differences': _differences(labels, converged).tolist(),
    }


def pool(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return `n_frames`, `force_rms`, `energy_offset` and `energy_noise` of several comparisons.

    Args:
        found: What `compare` returned, of different frames.
    """
    differences = np.concatenate([np.array(one['energy_differences']) for one in found])
    forces = [(one['pooled']['n_components'], one['pooled']['force_rms']) for one in found]
    n, total = sum(n for n, _ in forces), sum(n * rms**2 for n, rms in forces if n)
    force = {'force_rms': float(np.sqrt(total / n)) if n else None}
    return {'n_frames': len(differences)} | force | _energies(differences)


def _differences(labels: Configurations, converged: Configurations) -> Floats:
    """Return the differences of energy per atom, eV, shape (n,)."""
    difference: Floats = np.asarray(labels.energies) - np.asarray(converged.energies)
    return difference / converged.n_atoms


def _energies(differences: Floats) -> dict[str, float | None]:
    several = len(differences) > 1
    return {
        'energy_rms': _rms(differences),
        'energy_offset': float(differences.mean()),
        'energy_noise': float(differences.std(ddof=1)) if several else None,
    }


def _measure(labels: Configurations, converged: Configurations, chosen: Integers) -> dict[str, Any]:
    """Return the numbers of the chosen frames."""
    labels, converged = labels.select(chosen), converged.select(chosen)
    ours, truth = np.asarray(labels.forces), np.asarray(converged.forces)
    known = ~(np.isnan(ours) | np.isnan(truth))
    known &= np.maximum(np.abs(ours), np.abs(truth)) > NO_FORCE
    found: dict[str, Any] = {'n_frames': len(chosen), 'n_components': int(known.sum())}
    found |= _energies(_differences(labels, converged))
    apart = (ours - truth)[known]
    found |= {
        'force_rms': _rms(apart),
        'force_max': float(np.abs(apart).max()) if apart.size else None,
        'force_converged': _rms(truth[known]),
    }
    stresses = np.empty((0, 3, 3))
    if labels.stresses is not None and converged.stresses is not None:
        stresses = labels.stresses - converged.stresses
        stresses = stresses[np.isfinite(stresses).all(axis=(1, 2))]
    return found | {'n_stresses': len(stresses), 'stress_rms': _rms(stresses)}


def _rms(values: Floats) -> float | None:
    return float(np.sqrt(np.mean(values**2))) if values.size else None
