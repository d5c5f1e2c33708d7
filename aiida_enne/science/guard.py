"""The one guard of a page: what cannot be shown is a line with the reason, not a crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

R = TypeVar('R')


class Missing(LookupError):  # noqa: N818 (it is a verdict on a study, not a fault)
    """The data of a figure are not in the study; the message says which, and what makes them."""


@dataclass(frozen=True, slots=True)
class Absence:
    """A figure, a claim, a table or the map that cannot be shown.

    Attributes:
        name: Of the figure or the table.
        title: What it would show.
        reason: What is missing and which work chain makes it, or why the data are refused.
    """

    name: str
    title: str
    reason: str


def guarded(make: Callable[[], R]) -> tuple[R | None, str]:
    """Return what is made and an empty text, or None and why it is unavailable.

    Whatever goes wrong, be it in a part of another package, is a reason: nothing is raised.
    """
    try:
        return make(), ''
    except (Missing, ValueError) as exception:
        return None, str(exception)
    except Exception as exception:
        return None, f'{type(exception).__name__}: {exception}'


def attempt(make: Callable[[], R], name: str, absences: list[Absence], title: str = '') -> R | None:
    """Return what is made, or None; the reason joins what is absent."""
    found, reason = guarded(make)
    if reason:
        absences.append(Absence(name, title or name, reason))
    return found
