"""How far a run of pw.x is, from what it has written so far."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

STEPS = re.compile(r'^ *nstep +=\s*(\d+)', re.MULTILINE)
ITERATION = re.compile(r'iteration #\s*(\d+)')
ACCURACY = re.compile(r'estimated scf accuracy\s*<\s*(\S+) Ry')
#: What stands above the times of a run that ends, whatever for.
ENDS = 'init_run'
CONVERGED = 'convergence has been achieved'


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        steps: Self-consistent cycles that are done: labels, or steps of a relaxation or dynamics.
        of: Of these at most; 1 for a label.
        iteration: Of the cycle that runs; 0 before its first.
        accuracy: Of its energy as estimated last, Ry; None where nothing is said yet.
        runs: Whether it has not said that it ends.
    """

    steps: int
    of: int
    iteration: int
    accuracy: float | None
    runs: bool


def read_progress(path: Path) -> Progress | None:
    """Return how far a run is; None before its first iteration, and without an output.

    Args:
        path: Of what pw.x writes on its standard output.
    """
    try:
        text = path.read_text(errors='replace')
    except OSError:
        return None
    said, steps = STEPS.search(text), text.count(CONVERGED)
    now = text.rpartition(CONVERGED)[2]
    iterations, accuracies = ITERATION.findall(now), ACCURACY.findall(now)
    if not (steps or iterations):
        return None
    return Progress(
        steps,
        int(said[1]) if said else 1,
        int(iterations[-1]) if iterations else 0,
        float(accuracies[-1]) if accuracies else None,
        ENDS not in now,
    )
