"""Finished calculations to configurations: the same questions as of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiida_enne.science.importing.checking import Found, Imported, conclude, doubt, take
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.problems import ImportRefusedError, Problem
from aiida_enne.science.importing.reading import OwnFile

#: How many sources a message names of those that share a level of theory.
NAMED = 3


@dataclass(frozen=True, slots=True)
class Run:
    """One calculation, or whatever else holds labels: one trajectory block unless it has its own.

    Attributes:
        name: What messages call it.
        file: Its frames.
        level: What the labels are, by the name of what may differ; empty where it does not say.
        settings: What else must be equal in all runs, by its name.
        converted: Whether the frames are in eV and Å: units and keys of the choices are those of
            others then.
        failed: Why there are no labels, or empty.
        partial: Why the calculation did not reach its goal although its frames are labels, or
            empty.
    """

    name: str
    file: OwnFile = field(default_factory=lambda: OwnFile([]))
    level: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    converted: bool = True
    failed: str = ''
    partial: str = ''


def import_runs(runs: Sequence[Run], choices: ImportChoices) -> Imported:
    """Check every frame of every run.

    Returns:
        Configurations, the names of the runs of which some are, and what there is to say.

    Raises:
        ImportRefusedError: If anything is wrong anywhere; it lists all of it.
    """
    found = Found('all calculations')
    for run in runs:
        _read(run, choices, found)
    return conclude(found, choices)


def _read(run: Run, choices: ImportChoices, found: Found) -> None:
    if run.failed:
        doubt([Problem(run.name, None, run.failed)], choices, found)
        return
    if run.partial and not choices.allow_incomplete:
        text = f'{run.partial} (`allow_incomplete` takes its frames)'
        doubt([Problem(run.name, None, text)], choices, found)
        return
    if run.partial:
        found.notes.append(f'{run.name} is not complete: {run.partial}')
    doubt([Problem(run.name, None, text) for text in run.file.doubts], choices, found)
    if not choices.allow_implausible:
        found.problems += [Problem(run.name, None, text) for text in run.file.questions]
    own = _of_converted(choices) if run.converted else choices
    before = len(found.taken)
    for index, atoms in enumerate(run.file.frames):
        take(Path(run.name), index, atoms, own, found)
    if len(found.taken) > before:
        found.sources.append(run.name)


def _of_converted(choices: ImportChoices) -> ImportChoices:
    """Return the choices without the units and keys that others need; energies keep theirs."""
    names = ('forces_key', 'gradient_key', 'stress_key', 'virial_key', 'force_unit', 'stress_unit')
    none: dict[str, Any] = dict.fromkeys(names)
    key = choices.energy_key if choices.energy_key in ('energy', 'free_energy') else None
    return replace(choices, energy_key=key, energy_unit='eV', length_unit='Å', **none)


def common_level(runs: Sequence[Run], stated: str | None) -> tuple[str, list[str]]:
    """Return the level of theory that all runs share, and what there is to say about it.

    Args:
        runs: Those of which there are frames.
        stated: The level that the user states for all of them, or None.

    Returns:
        The level, empty where no run says it, and notes.

    Raises:
        ImportRefusedError: If runs differ, or only some say their level, and none is stated.
    """
    said = [{**run.settings, **run.level} for run in runs]
    differences = []
    for name in sorted({name for one in said for name in one}):
        values: dict[str, list[str]] = {}
        for run, one in zip(runs, said, strict=True):
            values.setdefault(one.get(name, 'not set'), []).append(run.name)
        if len(values) > 1:
            listed = '; '.join(f'{value!r} of {_listed(who)}' for value, who in values.items())
            differences.append(f'{name} {listed}')
    if differences and stated is None:
        text = (
            f'the levels of theory differ: {", and ".join(differences)}; gather them apart, or '
            'state one level for all if their labels may be joined (`level_of_theory`)'
        )
        raise ImportRefusedError([Problem('all calculations', None, text)])
    if stated is not None:
        return stated, [f'taken as one level of theory: {one}' for one in differences]
    return ', '.join(runs[0].level.values()) if runs else '', []


def _listed(names: Sequence[str]) -> str:
    more = f' and {len(names) - NAMED} more' if len(names) > NAMED else ''
    return ', '.join(names[:NAMED]) + more
