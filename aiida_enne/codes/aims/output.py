"""Reads aims.out: whatever its end, it gets a verdict, and the whole steps before are kept."""

from aiida_enne.codes.aims.reader import OutputReader
from aiida_enne.codes.aims.results import (
    AimsOutput,
    Energies,
    Frame,
    ScfIteration,
    Unfinished,
    Verdict,
)

__all__ = [
    'AimsOutput',
    'Energies',
    'Frame',
    'ScfIteration',
    'Unfinished',
    'Verdict',
    'read_output',
]


def read_output(text: str, errors: str = '') -> AimsOutput:
    """Read the output of FHI-aims; never fails, whatever the text.

    Args:
        text: Standard output of the program. A last line without an end was cut off: it may tell
            what went wrong, but no number is taken from it.
        errors: Standard error and what the scheduler said, searched for causes only.
    """
    reader = OutputReader()
    *lines, rest = text.split('\n')
    for line in lines:
        reader.feed(line)
    for line in [rest, *errors.split('\n')]:
        reader.note_error(line)
    return reader.result()
