"""Configurations that occur more than once: true copies, and equal ones whose labels differ."""

import hashlib
from collections.abc import Sequence

import numpy as np

from aiida_enne.science.importing.blocks import Located
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.frame import Frame
from aiida_enne.science.importing.problems import Problem

#: Labels that differ by less are equal: eV per atom, eV/Å, eV/Å³.
SAME_ENERGY, SAME_FORCE, SAME_STRESS = 1e-6, 1e-5, 1e-6


def sort_out(
    taken: Sequence[Located], choices: ImportChoices
) -> tuple[list[Located], list[Problem], list[str]]:
    """Return what is kept, what is refused, and what is said of the rest.

    Configurations are equal if their atoms, positions and cells are equal to the last digit.
    """
    seen: dict[bytes, Located] = {}
    kept: list[Located] = []
    problems: list[Problem] = []
    notes: list[str] = []
    for item in taken:
        first = seen.setdefault(_key(item.frame), item)
        if first is item:
            kept.append(item)
            continue
        where = f'frame {first.index} of {first.path}'
        if difference := _difference(first.frame, item.frame):
            text = f'has the geometry of {where} but other labels: {difference}'
            kept.append(item)
            if choices.allow_duplicates:
                notes.append(f'{item.path}, frame {item.index}: {text}')
            else:
                problems.append(
                    Problem(str(item.path), item.index, f'{text} (`allow_duplicates` keeps both)')
                )
        elif choices.drop_duplicates:
            notes.append(f'{item.path}, frame {item.index}: left out, a copy of {where}')
        else:
            kept.append(item)
            if not choices.allow_duplicates:
                text = (
                    f'is a copy of {where}, labels included (`drop_duplicates` keeps the first, '
                    '`allow_duplicates` all)'
                )
                problems.append(Problem(str(item.path), item.index, text))
    return kept, problems, notes


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
    force = float(np.abs(second.forces - first.forces).max())
    if force > SAME_FORCE:
        parts.append(f'a force by {force:.4g} eV/Å')
    stress = float(np.abs(second.stress - first.stress).max())
    if stress > SAME_STRESS:
        parts.append(f'the stress by {stress:.4g} eV/Å³')
    return ', '.join(parts)
