"""What is asked of all frames, whatever they were read from: all pass, or none is taken."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.importing.blocks import Located, join_copies, number_blocks
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.duplicates import sort_out
from aiida_enne.science.importing.frame import BadFrameError, check_frame
from aiida_enne.science.importing.labels import hide_constrained, zeroed_forces
from aiida_enne.science.importing.plausibility import energy_outliers, implausible
from aiida_enne.science.importing.problems import ImportRefusedError, Problem, describe_problems
from aiida_enne.science.importing.work import check_work
from aiida_enne.science.structures.domains import imported_roles, in_order

#: What the level of theory says where energies differ from those that the file has beside them.
FREE_ENERGY = 'free energies'


class Imported(NamedTuple):
    """What came of files or calculations.

    Attributes:
        configurations: In eV and Å, in the order of sources and frames.
        sources: The files, or calculations.
        notes: What was left out or kept although it may be asked about, one sentence each.
        energy: `FREE_ENERGY` if the energies are free energies, which differ from the other
            energies of the sources; empty otherwise.
    """

    configurations: Configurations
    sources: list[Any]
    notes: list[str]
    energy: str


@dataclass(slots=True)
class Found:
    """What was read so far; `everything` is what a message calls all of it."""

    everything: str = 'all files'
    taken: list[Located] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    sources: list[Any] = field(default_factory=list)
    left_out: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    virials: list[Problem] = field(default_factory=list)
    hidden: list[Problem] = field(default_factory=list)


def conclude(found: Found, choices: ImportChoices) -> Imported:
    """Ask what can be asked of all frames together, and return them.

    Raises:
        ImportRefusedError: If anything is wrong anywhere; it lists all of it.
    """
    found.taken, problems, copies, differing = sort_out(found.taken, choices)
    found.problems += problems
    found.left_out += copies
    if differing:
        found.notes.append(f'kept all the same:\n{describe_problems(differing)}')
    found.notes += [describe_problems(one) for one in (found.virials, found.hidden) if one]
    if not choices.elements:
        found.problems += _mixed_elements(found.taken)
    for key in choices.info if found.taken else ():
        if all(np.isnan(item.frame.info[key]) for item in found.taken):
            text = f'no frame has a number under the key `{key}`'
            found.problems.append(Problem(found.everything, None, text))
    _check_domains(found)
    energy = _which_energy(found)
    roles: dict[str, str] = {}
    try:
        roles = imported_roles((item.frame.domain for item in found.taken), choices.roles)
    except ValueError as exception:
        found.problems.append(Problem(found.everything, None, str(exception)))
    if not found.taken and not found.problems:
        found.problems.append(Problem(found.everything, None, 'no frame is left'))
    if found.taken and not choices.allow_implausible:
        found.problems += _questions(found.taken, choices)
    if found.problems:
        raise ImportRefusedError(found.problems)
    if found.left_out:
        found.notes.insert(0, f'left out:\n{describe_problems(found.left_out)}')
    configurations = replace(_assemble(found.taken, choices), roles=roles)
    blocks, notes = join_copies(found.taken, choices, configurations)
    configurations = replace(configurations, blocks=blocks)
    found.notes += notes
    return Imported(configurations, found.sources, found.notes, energy)


def take(path: Path, index: int, atoms: Atoms, choices: ImportChoices, found: Found) -> None:
    """Add a frame, or what is wrong with it."""
    file = str(path)
    try:
        frame = check_frame(atoms, choices)
    except BadFrameError as exception:
        found.problems += [Problem(file, index, reason) for reason in exception.reasons]
        return
    frame = hide_constrained(frame)
    if np.isnan(frame.forces).all():
        doubt([Problem(file, index, 'a constraint hides all its forces')], choices, found)
        return
    if not choices.allow_implausible and (zeros := zeroed_forces(frame)):
        doubt([Problem(file, index, zeros)], choices, found)
        return
    if hidden := int(np.isnan(frame.forces).sum()):
        text = f'{hidden} of {frame.forces.size} components of forces are zero by a constraint'
        found.hidden.append(Problem(file, index, f'{text}: they are neither learnt nor judged'))
    if not choices.allow_implausible:
        found.problems += [Problem(file, index, text) for text in implausible(frame)]
    found.taken.append(Located(path, index, frame))
    if np.isnan(frame.stress).all() and any('virial' in str(key).lower() for key in atoms.info):
        text = 'has a virial and no stress; it is not read (`virial_key`)'
        found.virials.append(Problem(file, index, text))


def doubt(doubts: Sequence[Problem], choices: ImportChoices, found: Found) -> None:
    """Note why numbers are not labels."""
    if choices.drop_unusable:
        found.left_out += doubts
    else:
        found.problems += [
            replace(doubt, text=f'not a label: {doubt.text} (`drop_unusable` leaves it out)')
            for doubt in doubts
        ]


def _questions(taken: Sequence[Located], choices: ImportChoices) -> list[Problem]:
    """Return what can be asked only of many frames: outlying energies, the work of the forces."""
    outliers = energy_outliers([item.frame for item in taken])
    problems = [
        Problem(str(taken[index].path), taken[index].index, text)
        for index, text in outliers.items()
    ]
    kept = [item for index, item in enumerate(taken) if index not in outliers]
    return problems + (check_work(kept, number_blocks(kept, choices)) if kept else [])


def _check_domains(found: Found) -> None:
    """Name the frames that lack a key of their domain which others of the file have."""
    by_file: dict[Path, list[Located]] = {}
    for item in found.taken:
        by_file.setdefault(item.path, []).append(item)
    for path, items in by_file.items():
        for key in sorted({key for item in items for key in item.frame.domain_of}):
            lack = [item for item in items if key not in item.frame.domain_of]
            if not lack:
                continue
            if any(item.frame.domain_of for item in lack):
                domains = ', '.join(in_order(item.frame.domain for item in lack))
                found.notes.append(
                    f'{path}: {len(lack)} of {len(items)} frames lack the key {key!r}; their '
                    f'domains are named without it: {domains}'
                )
                continue
            text = (
                f'lacks the key {key!r}, the domain of other frames of the file: name all, or '
                'give one label (`domain`)'
            )
            found.problems += [Problem(str(path), item.index, text) for item in lack]


def _which_energy(found: Found) -> str:
    """Return `FREE_ENERGY` where it matters; refuse files of which only some give it."""
    kinds: dict[str, Located] = {}
    for item in found.taken:
        kinds.setdefault(item.frame.energy_of, item)
    if 'free' in kinds and 'only' in kinds:
        item = kinds['only']
        text = (
            'has one energy, where other frames have a free energy, from which the forces '
            'derive, beside it: they do not mix (`energy_key`)'
        )
        found.problems.append(Problem(str(item.path), item.index, text))
    return FREE_ENERGY if 'free' in kinds else ''


def _mixed_elements(taken: Sequence[Located]) -> list[Problem]:
    """Name the first frame that brings a second element."""
    known: set[str] = set()
    where: Located | None = None
    for item in taken:
        here = {chemical_symbols[number] for number in np.unique(item.frame.numbers)}
        if where is None and len(known | here) > 1:
            where = item
        known |= here
    if where is None:
        return []
    text = f'more than one element from here on; declare `elements`: {",".join(sorted(known))}'
    return [Problem(str(where.path), where.index, text)]


def _assemble(taken: Sequence[Located], choices: ImportChoices) -> Configurations:
    frames = [item.frame for item in taken]
    stresses = np.array([frame.stress for frame in frames])
    return Configurations(
        n_atoms=np.array([len(frame.numbers) for frame in frames], dtype=np.int64),
        numbers=np.concatenate([frame.numbers for frame in frames]),
        positions=np.concatenate([frame.positions for frame in frames]),
        cells=np.array([frame.cell for frame in frames]),
        pbc=np.array([frame.pbc for frame in frames]),
        domains=np.array([frame.domain for frame in frames], dtype=np.str_),
        blocks=number_blocks(taken, choices),
        energies=np.array([frame.energy for frame in frames]),
        forces=np.concatenate([frame.forces for frame in frames]),
        stresses=stresses if np.isfinite(stresses).any() else None,
        info={key: np.array([frame.info[key] for frame in frames]) for key in choices.info},
    )
