"""Which estimator ranks, alarms and calibrates best by domain, from stored predictions.

    python benchmarks/estimators.py PK [PK …] --profile NAME [--calibrate DOMAIN]

PK is a work chain that knows an ensemble, of which every member has predicted, with features, what
is judged and what it was trained on (`launch audit --features per_atom`); where snapshots of one
have, too (`--snapshots seed_1`), they are a row. Nothing is run or stored.
Printed are two tables in Markdown: one line for each estimator, and one for each domain.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from aiida import load_profile
from scipy import stats

from aiida_enne.provenance import Material, joint_quantities, stored_features
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.best import RIVALS, rival_name
from aiida_enne.science.uncertainty.estimators import Asked, make_estimator
from aiida_enne.science.uncertainty.rule import NOMINAL
from aiida_enne.science.uncertainty.scores.detection import roc_auc
from aiida_enne.science.uncertainty.scores.levels import width_factor


@dataclass(frozen=True)
class Judged:
    """One estimator on one domain: Spearman, and by how much its 90 % width is too narrow."""

    ranks: float
    factor: float


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('processes', nargs='+')
    parser.add_argument('--profile')
    parser.add_argument('--calibrate', help='Domain of the calibration; all trained on.')
    parser.add_argument('--quantity', default='energy', choices=['energy', 'aligned'])
    chosen = parser.parse_args()
    load_profile(chosen.profile)
    for process in chosen.processes:
        report(Material.of(process), chosen.calibrate, chosen.quantity)


def report(material: Material, calibrate: str | None, quantity: str) -> None:
    """Print the tables of one ensemble."""
    samples, names, trained = gather(material, quantity)
    domain = names[samples.domain]
    inside = [name for name in trained if name in names]
    learnt = np.isin(domain, [calibrate] if calibrate else inside)
    where = calibrate or ', '.join(inside)
    blocks = len(np.unique(samples.block[learnt]))
    print(f'\n{len(samples.members)} members, calibrated on {where} ({blocks} blocks)')
    judged = [name for name in names.tolist() if name not in set(domain[learnt].tolist())]
    found, alarms = {}, {}
    for name, options in RIVALS:
        label = rival_name(name, options)
        estimator = make_estimator(name, options)
        known = samples.select(learnt) if estimator.calibrated else None
        try:
            values = estimator.fit(known)(samples)
        except ValueError as exception:
            print(f'{label}: {exception}')
            continue
        factor = width_factor(estimator, len(samples.members), NOMINAL)
        width = None if factor is None else factor * values
        error = ensemble.error(samples.members, samples.reference)
        found[label] = {one: judge(error, values, width, domain == one) for one in judged}
        # whether a configuration is of a domain not trained on; held-out ones are among them all
        alarms[label] = roc_auc(1.0 - np.isin(domain, inside), values, 0.5)
    show(found, alarms, judged, {one: int((domain == one).sum()) for one in judged})


def gather(material: Material, quantity: str) -> tuple[Asked, np.ndarray, tuple[str, ...]]:
    """Return samples of one quantity with features, domains by number, and those trained on."""
    rows, quantities = joint_quantities(material)
    features, own = stored_features(material.record.ensemble, rows), quantities[quantity]
    frames, known = features.frames(rows.configurations.n_atoms)
    names = np.unique(rows.configurations.domains)
    samples = Asked(
        own.members, own.block, own.reference, frames, known,
        features.trained_errors, features.trained_groups, own.domain, own.snapshots,
    )  # fmt: skip
    return samples, names, material.training_domains


def judge(
    error: np.ndarray, values: np.ndarray, width: np.ndarray | None, own: np.ndarray
) -> Judged:
    """Return how values rank errors, and what widths must be multiplied by to cover 90 %."""
    size = np.abs(error[own])
    varies = own.sum() > 4 and np.ptp(values[own]) > 1e-12 * np.abs(values[own]).max()
    ranks = stats.spearmanr(size, values[own]).statistic if varies else np.nan
    factor = np.nan if width is None else float(np.quantile(size / width[own], NOMINAL))
    return Judged(float(ranks), factor)


def show(
    found: dict[str, dict[str, Judged]],
    alarms: dict[str, float],
    judged: list[str],
    counts: dict[str, int],
) -> None:
    """Print one line for each estimator, and one for each domain with the best of it."""
    print('\n| estimator | mean Spearman | AUC, not trained on | median factor | worst factor |')
    print('|---|---|---|---|---|')
    for label, by_domain in found.items():
        ranks = [one.ranks for one in by_domain.values()]
        off = np.array([one.factor for one in by_domain.values()])
        widths = '– | –'
        if np.isfinite(off).all():
            worst = off[np.abs(np.log(off)).argmax()]
            widths = f'{np.median(off):.2g} | {worst:.2g}'
        rank = f'{np.nanmean(ranks):.2f}' if np.isfinite(ranks).any() else '–'
        print(f'| {label} | {rank} | {alarms[label]:.2f} | {widths} |')
    print('\n| domain | n | ranks best | Spearman | calibrates best | factor |')
    print('|---|---|---|---|---|---|')
    for name in judged:
        ranks = {k: one[name].ranks for k, one in found.items() if np.isfinite(one[name].ranks)}
        off = {k: one[name].factor for k, one in found.items() if np.isfinite(one[name].factor)}
        best = max(ranks, key=lambda k: ranks[k]) if ranks else '–'
        nearest = min(off, key=lambda k: abs(np.log(off[k])))
        rank = f'{ranks[best]:.2f}' if ranks else '–'
        print(f'| {name} | {counts[name]} | {best} | {rank} | {nearest} | {off[nearest]:.2g} |')


if __name__ == '__main__':
    main()
