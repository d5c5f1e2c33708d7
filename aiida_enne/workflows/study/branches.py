"""Branches of a study: work chains that need not know of each other, so many at a time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from textwrap import shorten
from typing import Any, NamedTuple

from aiida import orm
from aiida.engine import Process

from aiida_enne.workflows.base import PoolWorkChain, why_failed

#: Of the message of one branch in that of all; the branch itself has the rest.
WIDTH = 300
Job = tuple[type[Process], dict[str, Any]]
#: A branch by its kind and its label, which is empty where there is one of the kind.
Planned = tuple[str, str]


class Branch(NamedTuple):
    """What is done for a kind of branch.

    Attributes:
        build: From its label and what may run at a time to a work chain and its inputs.
        take: Takes over what the work chain of a label gave.
    """

    build: Callable[[str, int | None], Job]
    take: Callable[[orm.ProcessNode, str], None]


class Branches(PoolWorkChain):
    """Submit branches stage by stage; one that fails is named, and the others continue."""

    @abstractmethod
    def stages(self) -> dict[str, Callable[[], list[Planned]]]:
        """Return what plans each stage, by its name and in order."""

    @abstractmethod
    def branches(self) -> dict[str, Branch]:
        """Return what is done for each kind of branch."""

    def begin(self) -> None:
        """Nothing is known yet."""
        self.open_pool()
        self.ctx.stages, self.ctx.planned, self.ctx.share = list(self.stages()), {}, None
        self.ctx.failures = {}

    def has_work(self) -> bool:
        """Plan stages until one has something to do; False when none is left."""
        while not self.ctx.waiting and not self.ctx.running and self.ctx.stages:
            stage = self.ctx.stages.pop(0)
            planned = {
                '__'.join(filter(None, (kind, label))): [kind, label]
                for kind, label in self.stages()[stage]()
            }
            self.ctx.planned |= planned
            self.ctx.waiting = list(planned)
            if planned:
                limit = self.at_a_time
                self.ctx.share = None if limit is None else limit // min(limit, len(planned))
                self.report(f'{stage}: {", ".join(planned)}')
        return super().has_work()

    def job(self, name: Any) -> Job:
        """Return the work chain of a branch and its inputs."""
        kind, label = self.ctx.planned[name]
        process, inputs = self.branches()[kind].build(label, self.ctx.share)
        link = {'call_link_label': name}
        return process, inputs | {'metadata': dict(inputs.get('metadata', {})) | link}

    def refuse(self, name: Any, reason: ValueError) -> None:
        """Name a branch whose inputs cannot be used; the others go on."""
        self.ctx.failures[name] = str(reason)

    def take(self, name: Any, node: orm.ProcessNode) -> None:
        """Take over what there is, and remember what failed."""
        if not node.is_finished_ok:
            self.ctx.failures[name] = shorten(why_failed(node), WIDTH)
        kind, label = self.ctx.planned[name]
        self.branches()[kind].take(node, label)


def limited(own: Any, share: int | None) -> int | None:
    """Return the smaller of what a branch itself allows and its share; None for no limit."""
    numbers = [int(number) for number in (own, share) if number is not None]
    return min(numbers) if numbers else None


def returned(node: orm.ProcessNode, namespace: str) -> dict[str, Any]:
    """Return the outputs of a process in a namespace, nested by label; there may be none."""
    if namespace not in node.outputs:
        return {}
    found = node.outputs[namespace]
    return {label: _plain(value) for label, value in found.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {label: _plain(one) for label, one in value.items()}
    return value
