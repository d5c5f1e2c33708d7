"""Branches of a study: work chains that begin as soon as what they need is there."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from textwrap import shorten
from typing import Any, NamedTuple

from aiida import orm
from aiida.engine import Process

from aiida_enne.science.plans.slots import Needs, deal, find_ready
from aiida_enne.workflows.base import (
    SHARE,
    WIDTH,
    PoolWorkChain,
    process_of,
    share_of,
    why_failed,
)


class Job(NamedTuple):
    """A work chain that a branch is.

    Attributes:
        process: The work chain, with an input `max_concurrent`.
        inputs: Its inputs.
        width: How many jobs it can keep busy at a time; None for any number.
    """

    process: type[Process]
    inputs: dict[str, Any]
    width: int | None


class Branch(NamedTuple):
    """What is known of a branch before it begins.

    Attributes:
        build: To its work chain and inputs.
        take: Takes over what that work chain gave.
        needs: What it waits for.
        wanted: Whether there is anything to do for it; asked when what it needs has ended.
    """

    build: Callable[[], Job]
    take: Callable[[orm.ProcessNode], None]
    needs: Needs = Needs()
    wanted: Callable[[], bool] = lambda: True


class Branches(PoolWorkChain):
    """Begin each branch when what it needs has ended; one that fails is named, the others go on.

    `max_concurrent` is shared by all that run, see `science.plans.slots.deal`. A branch that runs
    is told by an extra when it gets more: it heeds that when the next of its own jobs ends. It
    never gets fewer, so that all together never have more than there are.
    """

    @abstractmethod
    def branches(self) -> dict[str, Branch]:
        """Return all branches by name, the most urgent first."""

    def begin(self) -> None:
        """Nothing is known yet."""
        self.open_pool()
        self.ctx.widths, self.ctx.shares = {}, {}
        self.ctx.skipped, self.ctx.failures = [], {}

    def has_work(self) -> bool:
        """Plan what may begin; False when nothing is left."""
        self.plan()
        return super().has_work()

    def plan(self) -> None:
        """Put all that may begin in the queue, the most urgent first."""
        if 'stages' in self.ctx:
            self.leave_stages()
        table = self.branches()
        needs = {name: branch.needs for name, branch in table.items()}
        while ready := find_ready(needs, self.ended, self.ctx.widths):
            name = ready[0]
            if table[name].wanted():
                self.ctx.widths[name] = self.room_for(table[name])
                self.ctx.waiting.append(name)
            else:
                self.ctx.skipped.append(name)
        self.ctx.waiting.sort(key=list(table).index)

    @property
    def ended(self) -> set[str]:
        """The branches that have ended, or that there is nothing to do for."""
        open_ones = {*self.ctx.waiting, *self.ctx.running}
        return {*self.ctx.skipped, *(name for name in self.ctx.widths if name not in open_ones)}

    def room_for(self, branch: Branch) -> int | None:
        """Return how many jobs a branch can keep busy at a time; its own limit counts."""
        try:
            job = branch.build()
        except ValueError:
            return 1  # it is refused as soon as it begins
        numbers = [job.inputs.get('max_concurrent'), job.width]
        return min((int(number) for number in numbers if number is not None), default=None)

    def leave_stages(self) -> None:
        """Go on with what a version before 0.2 began, whose branches came stage by stage."""
        planned, share = self.ctx.pop('planned'), self.ctx.pop('share')
        self.ctx.widths = dict.fromkeys(planned, share)
        self.ctx.shares = dict.fromkeys(planned, share or 1)
        self.ctx.skipped = []
        del self.ctx['stages']

    def begin_more(self) -> None:
        """Deal out what is free, and begin or tell those that got something."""
        refused = True
        while refused:
            self.plan()
            refused = False
            for name, share in self.deal().items():
                self.ctx.shares[name] = share
                if name not in self.ctx.running:
                    self.ctx.waiting.remove(name)
                    self.start(name)
                if name not in self.ctx.running:
                    refused = True
                elif share is not None:  # also what a lost step began, perhaps with another number
                    process_of(self.ctx.running[name]).base.extras.set(SHARE, share)

    def deal(self) -> dict[str, int | None]:
        """Return the slots of what begins or gets more; None for any number of them."""
        if self.at_a_time is None:
            return dict.fromkeys(self.ctx.waiting)
        nodes = {name: process_of(pk) for name, pk in self.ctx.running.items()}
        held = {name: share_of(node) or self.ctx.shares[name] for name, node in nodes.items()}
        return {**deal(self.at_a_time, held, self.ctx.waiting, self.ctx.widths)}

    def job(self, name: Any) -> tuple[type[Process], dict[str, Any]]:
        """Return the work chain of a branch and its inputs."""
        process, inputs, _ = self.branches()[name].build()
        metadata = dict(inputs.get('metadata', {})) | {'call_link_label': name}
        share = self.ctx.shares[name]
        limit = {} if share is None else {'max_concurrent': share}
        return process, inputs | limit | {'metadata': metadata}

    def refuse(self, name: Any, reason: ValueError) -> None:
        """Name a branch whose inputs cannot be used; the others go on."""
        self.ctx.failures[name] = str(reason)

    def take(self, name: Any, node: orm.ProcessNode) -> None:
        """Take over what there is, and remember what failed."""
        if not node.is_finished_ok:
            self.ctx.failures[name] = shorten(why_failed(node), WIDTH)
        self.branches()[name].take(node)
