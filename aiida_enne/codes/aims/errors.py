"""The table from messages of a failed run to verdicts, and the function that applies it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from aiida_enne.codes.aims.results import Verdict

#: Markers in order of precedence: the more telling cause first, for one failure drags others
#: behind it (a process that ran out of memory is killed, and MPI then kills its neighbours).
#: The stub and the signal are from real outputs; `scf_solver`, `check_for_close_encounters`,
#: `get_neighbor_lists`, `trusted_descent` and the inconsistent forces are what public error
#: handlers for FHI-aims look for; the rest is the wording of compilers, MPI and schedulers.
MARKERS: dict[Verdict, tuple[str, ...]] = {
    Verdict.WRONG_ARCHITECTURE: (
        r'illegal instruction',
        r'\bSIGILL\b',
        r'exec format error',
        r'cannot execute binary file',
        r'processor supports? intel',
        r'was not built to run (in|on) your system',
        r"version `GLIBC[^']*' not found",
        r'error while loading shared libraries',
        r'this is a stub mpi',
    ),
    Verdict.OUT_OF_MEMORY: (
        r'oom.kill',
        r'out.of.memory',
        r'insufficient virtual memory',
        r'cannot allocate memory',
        r'exceeded (job|step) memory limit',
        r'std::bad_alloc',
        r'allocation would exceed memory limit',
    ),
    Verdict.OUT_OF_WALLTIME: (
        r'due to time limit',
        r'wall ?time\b.*\b(exceed|reached|expired)',
        r'\b(exceed|reached|expired)\w*\b.*\bwall ?time',
    ),
    Verdict.SPECIES_MISSING: (
        r'^\s*\*.*\bspecies\b.*\b(not (found|listed|defined|specified)|undefined|unknown)',
        r'^\s*\*.*\b(no|unknown|undefined) species\b',
    ),
    Verdict.ATOMS_TOO_CLOSE: (
        r'check_for_close_encounters',
        r'get_neighbor_lists: too many neighbors',
        r'^\s*\*.*\batoms\b.*\btoo close',
    ),
    Verdict.SCF_NOT_CONVERGED: (
        r'scf_solver: scf cycle not converged',
        r'self-consistency cycle did not converge',
    ),
    Verdict.RELAXATION_NOT_CONVERGED: (
        r'inconsistency of forces<->energy above specified tolerance',
        r'trusted_descent',
    ),
    Verdict.KILLED: (
        r'killed by signal',
        r'bad termination',
        r'process killed',
        r'\bSIG(KILL|TERM|SEGV|ABRT|BUS)\b',
        r'segmentation fault',
        r'caused collective abort',
        r'mpi_abort was invoked',
        r'mpirun noticed that process',
        r'\bcancelled at\b',
        r'^\s*(\S+: line \d+:.*\s)?killed\b',
    ),
}

_MARKERS = {
    verdict: re.compile('|'.join(patterns), re.IGNORECASE) for verdict, patterns in MARKERS.items()
}
_ANY = re.compile('|'.join(pattern.pattern for pattern in _MARKERS.values()), re.IGNORECASE)
#: Characters of a line that are searched: no message is longer, and a broken line may be.
LONGEST = 500
#: A run that used this share of the time it was given is taken to have been stopped for it.
NEARLY_ALL = 0.9


def find_error(line: str) -> Verdict | None:
    """Return the verdict that a line stands for, or None.

    FHI-aims indents what it says by two spaces and marks what is wrong with stars; what others
    say (the system, MPI, the scheduler) starts at the margin. No other line is looked at.
    """
    if line.startswith('  ') and not line.lstrip().startswith('*'):
        return None
    words = line[:LONGEST]
    if _ANY.search(words) is None:
        return None
    return next(verdict for verdict, marker in _MARKERS.items() if marker.search(words))


@dataclass(frozen=True, slots=True)
class Ending:
    """What is known of a run when its output ends.

    Attributes:
        begun: Whether a first self-consistency cycle was begun.
        in_order: Whether the program took its leave.
        whole: Number of whole steps.
        left_open: Whether it ended within a step.
        unconverged: Whether the last cycle was left without convergence.
        relaxed: Whether the relaxation converged; None if none was asked for.
        short: Whether a trajectory is shorter than was asked for.
        spent: Share of the walltime that was used; None if unknown.
        missing_species: Elements of the geometry for which control.in has nothing.
        errors: First line that stands for each verdict.
    """

    begun: bool
    in_order: bool
    whole: int
    left_open: bool
    unconverged: bool
    relaxed: bool | None
    short: bool
    spent: float | None
    missing_species: tuple[str, ...]
    errors: Mapping[Verdict, str]


def judge(ending: Ending) -> tuple[Verdict, str]:
    """Return the verdict on a run and the words behind it."""
    if ending.in_order and ending.begun:
        return _judge_in_order(ending)
    for verdict in MARKERS:
        if verdict in ending.errors:
            if verdict is Verdict.SCF_NOT_CONVERGED and _is_late(ending):
                return _late(ending)
            return verdict, ending.errors[verdict]
    if ending.missing_species:
        names = ', '.join(ending.missing_species)
        return Verdict.SPECIES_MISSING, f'control.in has no species for {names}'
    if not ending.begun:
        return Verdict.NOT_STARTED, 'no self-consistency cycle was begun'
    if _is_late(ending):
        return _late(ending)
    return Verdict.TRUNCATED, 'the output ends before the program took its leave'


def _judge_in_order(ending: Ending) -> tuple[Verdict, str]:
    if ending.unconverged:
        if _is_late(ending):
            return _late(ending)
        return Verdict.SCF_NOT_CONVERGED, 'the last self-consistency cycle did not converge'
    if ending.short:
        return Verdict.OUT_OF_WALLTIME, 'the trajectory is shorter than was asked for'
    if ending.relaxed is False:
        if _is_late(ending):
            return _late(ending)
        words = 'the forces did not fall below the limit'
        return Verdict.RELAXATION_NOT_CONVERGED, words
    if ending.left_open or not ending.whole:
        return Verdict.TRUNCATED, 'the last step lacks some of its results'
    return Verdict.FINISHED, 'the program took its leave'


def _is_late(ending: Ending) -> bool:
    return ending.spent is not None and ending.spent >= NEARLY_ALL


def _late(ending: Ending) -> tuple[Verdict, str]:
    return Verdict.OUT_OF_WALLTIME, f'{ending.spent:.0%} of the walltime was used'
