"""How well the reference itself is known: its labels against those of converged settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ase.units import GPa

from aiida_enne.calculations.convergence import AS_LABELLED
from aiida_enne.provenance import Material
from aiida_enne.provenance.convergence import find_convergences
from aiida_enne.report.tables import MEV, Table, shown
from aiida_enne.science.data.convergence import pool
from aiida_enne.science.uncertainty.wording import number

HEADERS = [
    'domain',
    'setting',
    'frames',
    'force: RMS of the difference (eV/Å)',
    'largest (eV/Å)',
    'RMS of the converged (eV/Å)',
    'energy: RMS of the difference (meV/atom)',
    'mean offset (meV/atom)',
    'about the offset (meV/atom)',
    'stress: RMS of the difference (GPa)',
    'level of theory',
]
#: What a page calls the labels that the ensemble has learnt from.
OURS = 'as labelled'


def of_convergence(material: Material) -> Iterator[Table]:
    """Yield differences from converged settings by domain; nothing where nobody has looked."""
    found = find_convergences(material)
    if not found:
        return
    rows = []
    for one in found:
        levels = one.content['levels']
        for name, compared in one.content['settings'].items():
            tail = (OURS if name == AS_LABELLED else name), levels[name]
            several = len(compared['domains']) > 1
            numbers = dict(compared['domains'])
            numbers |= {f'all of {one.label}': compared['pooled']} if several else {}
            rows += [_row(domain, tail, given) for domain, given in numbers.items()]
    converged = sorted({one.content['levels'][one.content['converged']] for one in found})
    title = f'Convergence of the reference: differences from {" and ".join(converged)}'
    numbers = {one.label: one.content for one in found}
    yield Table(title, HEADERS, rows, numbers={'convergence': numbers})


def say_noise(material: Material) -> str:
    """Return how well the reference is known, in a sentence; empty where nobody has looked."""
    found = [one.content['settings'] for one in find_convergences(material)]
    ours = [settings[AS_LABELLED] for settings in found if AS_LABELLED in settings]
    if not ours:
        return ''
    pooled = pool(ours)
    n = pooled['n_frames']
    frames = f'{n} frame{"s" if n > 1 else ""}'
    parts = []
    if pooled['force_rms'] is not None:
        parts.append(f'{number(pooled["force_rms"])} eV/Å (forces, RMS')
    if pooled['energy_noise'] is not None:
        noise = number(MEV * pooled['energy_noise'])
        parts.append(f'{noise} meV/atom (energies about their common offset')
    if not parts:
        return ''
    parts[0] += f' against converged settings, {frames}'
    return f'The reference itself is known to {" and ".join(f"{one})" for one in parts)}.'


def _row(domain: str, tail: tuple[str, str], given: Mapping[str, Any]) -> list[str]:
    setting, level = tail
    return [
        domain,
        setting,
        str(given['n_frames']),
        *(shown(given[name]) for name in ('force_rms', 'force_max', 'force_converged')),
        *(shown(given[f'energy_{name}'], MEV) for name in ('rms', 'offset', 'noise')),
        shown(given['stress_rms'], 1 / GPa),
        level,
    ]
