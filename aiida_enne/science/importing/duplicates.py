"""Configurations that occur more than once: true copies, and equal ones whose labels differ."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from aiida_enne.science.importing.blocks import Located
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.frame import Frame
from aiida_enne.science.importing.problems import Problem

#: Labels that differ by less are equal: eV per atom, eV/Å, eV/Å³.
SAME_ENERGY, SAME_FORCE, SAME_STRESS = 1e-6, 1e-5, 1e-6


def sort_out(
    taken: Sequence[Located], choices: ImportChoices
) -> tuple[list[Located], list[Problem], list[Problem], list[Problem]]:
    """Return what is kept, what is refused, the copies left out, and what is kept but differs.

    Configurations are equal if their atoms, positions and cells are equal to the last digit.
    """
    seen: dict[bytes, Located] = {}
    kept: list[Located] = []
    refused: list[Problem] = []
    copies: list[Problem] = []
    differing: list[Problem] = []
    for item in taken:
        first = seen.setdefault(_key(item.frame), item)
        if first is not item:
            where = f'frame {first.index} of {first.path}'
            difference = _difference(first.frame, item.frame)
            what = f'has the geometry of {where} but other labels: {difference}'
            advice = '`allow_duplicates` keeps both'
            if not difference:
                what = f'is a copy of {where}, labels included'
                advice = '`drop_duplicates` keeps the first, `allow_duplicates` all'
            problem = Problem(str(item.path), item.index, what)
            if not difference and choices.drop_duplicates:
                copies.append(problem)
                continue
            if not choices.allow_duplicates:
                refused.append(replace(problem, text=f'{what} ({advice})'))
            elif difference:
                differing.append(problem)
        kept.append(item)
    return kept, refused, copies, differing


def _key(frame: Frame) -> bytes:
    key = hashlib.sha256(frame.numbers.tobytes() + frame.pbc.tobytes())
    for array in (frame.positions, frame.cell):
        key.update((array + 0.0).tobytes())
    return key.digest()


def _difference(first: Frame, second: Frame) -> str:
    """Say by how much the labels of two equal geometries differ; empty if they do not."""
    parts = []
    energy = second.energy - first.energy
    if abs(energy) > SAME_ENERGY * len(first.numbers):
        parts.append(f'the energy by {energy:+.4g} eV')
    force = float(np.nanmax(np.abs(second.forces - first.forces), initial=0.0))
    if force > SAME_FORCE:
        parts.append(f'a force by {force:.4g} eV/Å')
    stress = float(np.abs(second.stress - first.stress).max())
    if stress > SAME_STRESS:
        parts.append(f'the stress by {stress:.4g} eV/Å³')
    return ', '.join(parts)
