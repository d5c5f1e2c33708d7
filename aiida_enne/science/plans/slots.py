"""Which branches of a plan may begin, and how the slots of a limit are dealt out among them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Needs:
    """What a branch waits for; names that the plan does not have count as ended.

    Attributes:
        ended: What must have ended.
        first: What goes first where it runs or could begin; nothing waits for it otherwise.
    """

    ended: tuple[str, ...] = ()
    first: tuple[str, ...] = ()


def find_ready(
    plan: Mapping[str, Needs], ended: Collection[str], begun: Collection[str]
) -> list[str]:
    """Return the branches that may begin, in the order of the plan.

    Args:
        plan: All branches, the most urgent first.
        ended: Those that have ended, or that there is nothing to do for.
        begun: Those that have begun or wait for slots.
    """

    def open_among(names: tuple[str, ...]) -> list[str]:
        return [name for name in names if name in plan and name not in ended]

    def goes_first(name: str) -> bool:
        return name in begun or not open_among(plan[name].ended)

    return [
        name
        for name, needs in plan.items()
        if name not in begun
        and name not in ended
        and not open_among(needs.ended)
        and not any(map(goes_first, open_among(needs.first)))
    ]


def deal(
    limit: int, held: Mapping[str, int], waiting: Sequence[str], widths: Mapping[str, int | None]
) -> dict[str, int]:
    """Return the slots of every branch that begins now or gets more; none is ever taken away.

    Each that waits gets one, in order, as long as there are any; what then is left goes in turns
    to those that begin, and what these cannot use to those that run.

    Args:
        limit: Slots of all branches together.
        held: Slots of those that run.
        waiting: Those that may begin, the most urgent first.
        widths: Slots that each can use; None for any number.
    """
    free = max(0, limit - sum(held.values()))
    starting = list(waiting[:free])
    shares = dict(held) | dict.fromkeys(starting, 1)
    free -= len(starting)
    for group in (starting, list(held)):
        while free and (able := [name for name in group if _can_use(shares[name], widths[name])]):
            for name in able[:free]:
                shares[name] += 1
            free -= min(free, len(able))
    return {name: share for name, share in shares.items() if share != held.get(name)}


def _can_use(share: int, width: int | None) -> bool:
    return width is None or share < width
