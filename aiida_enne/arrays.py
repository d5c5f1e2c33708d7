"""The front door for your own arrays: table, verdict and figures without a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.structures.domains import imported_roles
from aiida_enne.science.uncertainty.audit import Audit, audit
from aiida_enne.science.uncertainty.beside import Beside, Snapshots
from aiida_enne.science.uncertainty.best import add_best, find_all
from aiida_enne.science.uncertainty.features import group_by_density
from aiida_enne.science.uncertainty.fit import Fit
from aiida_enne.science.uncertainty.gates import Gate, epochs_gate, training_gate
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.science.uncertainty.samples import gather

if TYPE_CHECKING:
    from aiida_enne.science.figures import Palette


def audit_arrays(  # noqa: PLR0913 (each is an array of its own)
    energies: ArrayLike,
    reference: ArrayLike,
    n_atoms: ArrayLike,
    *,
    forces: tuple[ArrayLike, ArrayLike] | None = None,
    stresses: tuple[ArrayLike, ArrayLike] | None = None,
    domains: Sequence[str] | None = None,
    blocks: ArrayLike | None = None,
    trained: tuple[ArrayLike, ArrayLike, ArrayLike] | None = None,
    snapshots: tuple[ArrayLike, ArrayLike | None] | None = None,
    **options: Any,
) -> Audit:
    """Audit any committee from plain arrays, e.g. four MACE models on a labelled test set.

    Args:
        energies: Total energies of the M members in eV, shape (M, n).
        reference: Total energies of the reference in eV, shape (n,).
        n_atoms: Atoms of each configuration, shape (n,), N in all.
        forces: Forces of the members, shape (M, N, 3), and of the reference, shape (N, 3), in
            eV/Å; atoms of one configuration in a row. Without them only energies are judged.
        stresses: Stresses of the members, shape (M, n, 3, 3), and of the reference, shape
            (n, 3, 3), in eV/Å³.
        domains: What each configuration is, shape (n,): verdicts are by domain.
        blocks: Which configurations are relatives, shape (n,): frames of one trajectory, copies of
            one structure, volumes of one curve share a number. Each is its own by default, and
            then looks like more evidence than it may be.
        trained: Of frames that the members were trained on, `energies`, `reference` and `n_atoms`
            as above, k of them: whether the members fit them is a gate, unknown without.
        snapshots: Energies (K, n) in eV and, where forces are judged, forces (K, N, 3) in eV/Å of K
            models of one training, e.g. of its last epochs: the estimator `snapshots` judges their
            spread, and verdicts compare it with the other estimators.
        **options: Choices by name, see `AuditOptions`; `training_domains` names what the members
            were trained on.

    Returns:
        The audit: `verdicts`, `gates`, `domains` (scalars by name). `print(as_table(found))` shows
        the verdicts, `save_figures(found, folder)` draws.

    Raises:
        ValueError: If shapes disagree, there are fewer than two members, or a value is not finite.
    """
    members, truth, counts = _energies((energies, reference, n_atoms), '')
    n, total = len(truth), int(counts.sum())
    predicted, labels = np.zeros((len(members), total, 3)), np.zeros((total, 3))
    if forces is not None:
        predicted, labels = (np.asarray(one, dtype=np.float64) for one in forces)
    names = ['all'] * n if domains is None else [str(name) for name in domains]
    configurations = Configurations(
        n_atoms=counts,
        numbers=np.zeros(total, dtype=np.int64),
        positions=np.zeros((total, 3)),
        cells=np.zeros((n, 3, 3)),
        pbc=np.zeros((n, 3), dtype=bool),
        domains=np.array(names),
        blocks=np.arange(n) if blocks is None else np.asarray(blocks, dtype=np.int64),
        energies=truth,
        forces=labels,
        stresses=None if stresses is None else np.asarray(stresses[1], dtype=np.float64),
        # names are free text here, whatever they look like
        roles=imported_roles(names, {}),
    )
    chosen = AuditOptions.from_dict(options)
    gates = _gates(trained, len(members), chosen.energy_tolerance)
    beside: Beside = {}
    if stresses is not None:
        beside['stresses'] = np.asarray(stresses[0], dtype=np.float64)
    if snapshots is not None:
        beside['snapshots'] = _snapshots(snapshots, total, with_forces=forces is not None)
    table = configurations, members, predicted
    found = audit(*table, options=chosen, gates=gates, **beside)
    quantities = gather(*table, None, chosen, **beside)
    best = find_all(quantities, np.unique(configurations.domains).tolist(), chosen)
    return replace(found, verdicts=add_best(found.verdicts, best))


def _gates(
    trained: tuple[ArrayLike, ArrayLike, ArrayLike] | None, n_members: int, tolerance: float
) -> list[Gate]:
    """Return what is known of the trainings: how well they fit, and not whether they had ended."""
    histories = 'see that the validation errors had stopped falling'
    ended = replace(epochs_gate([]), remedy=histories)
    if trained is None:
        remedy = 'predict some of them, and give them as `trained`'
        return [replace(training_gate(None, tolerance), remedy=remedy), ended]
    fitted, known, sizes = _energies(trained, ' of `trained`', n_members)
    errors = (fitted - known) / sizes
    groups = group_by_density(np.full(len(known), 'all'), np.zeros(len(known)))
    return [training_gate(Fit(errors, [groups] * len(errors)), tolerance), ended]


def _snapshots(
    given: tuple[ArrayLike, ArrayLike | None], total: int, *, with_forces: bool
) -> Snapshots:
    """Return energies and forces of snapshots; forces are zero where none are judged.

    Raises:
        ValueError: If forces are judged, and the snapshots have none.
    """
    energies = np.asarray(given[0], dtype=np.float64)
    if not with_forces:
        return Snapshots(energies, np.zeros((len(energies), total, 3)))
    if given[1] is None:
        raise ValueError('`snapshots` must hold forces (K, N, 3), too, where `forces` are given')
    return Snapshots(energies, np.asarray(given[1], dtype=np.float64))


def _energies(
    given: tuple[ArrayLike, ArrayLike, ArrayLike], whose: str, n_members: int | None = None
) -> tuple[Floats, Floats, Integers]:
    """Return energies (M, n), reference (n,) and numbers of atoms (n,).

    Raises:
        ValueError: If shapes disagree, a value is not finite, or a configuration has no atom.
    """
    members, truth = (np.asarray(one, dtype=np.float64) for one in given[:2])
    counts, n = np.asarray(given[2], dtype=np.int64), len(truth)
    expected = (len(members) if n_members is None else n_members, n)
    if members.shape != expected or counts.shape != (n,):
        m = 'M' if n_members is None else n_members
        raise ValueError(
            f'`energies`{whose} must have the shape ({m}, {n}) and `n_atoms` ({n},) for {n} '
            f'reference energies, got {members.shape} and {counts.shape}'
        )
    return members, truth, counts


def as_table(found: Audit) -> str:
    """Return gates, verdicts and their reasons as text."""
    from aiida_enne.science.uncertainty.table import as_text, gate_lines, reasons

    sentences = [f'- {line}' for line in reasons(found.verdicts)]
    return '\n'.join([*gate_lines(found.gates), '', as_text(found.verdicts), '', *sentences])


def save_figures(found: Audit, folder: Path | str, palette: Palette | None = None) -> list[Path]:
    """Draw error beside spread, and coverage, of each quantity; return the files.

    Args:
        found: An audit.
        folder: Where to write; it is made.
        palette: How domains look; those trained on first by default.
    """
    from aiida_enne.science.figures import (
        Palette,
        draw_coverage,
        draw_error_and_spread,
        new_axes,
        save,
    )

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    looks = palette or Palette.of(set(found.domains), set(found.parameters['training_domains']))
    kinds = [kind for kind in ('energy', 'force') if found.pooled.get(f'{kind}_rmse') is not None]
    written = []
    for kind in kinds:
        axes = new_axes(6.4, 1.6 + 0.3 * len(found.domains))
        draw_error_and_spread(axes=axes, audit=found, prefix=kind, palette=looks)
        written.append(folder / f'error_and_spread_{kind}.png')
        save(axes, written[-1], 'png')
    axes = new_axes(6.4, 1.6 + 0.3 * len(found.domains))
    draw_coverage(axes=axes, audit=found, prefixes=kinds, palette=looks)
    written.append(folder / 'coverage.png')
    save(axes, written[-1], 'png')
    return written
