"""Branches of a study: work chains that need not know of each other, so many at a time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from textwrap import shorten
from typing import Any

from aiida import orm
from aiida.engine import ToContext, WorkChain

#: Of the message of one branch in that of all; the branch itself has the rest.
WIDTH = 300


class Branches(WorkChain):
    """Submit branches stage by stage; one that fails is named and takes no other along.

    A subclass has `plan_<stage>`, which names branches, and `take_<kind>(node, label)` for those
    that are called `<kind>` or `<kind>__<label>`.
    """

    #: Stages in their order.
    STAGES: tuple[str, ...] = ()

    def begin(self) -> None:
        """Nothing is known yet."""
        self.ctx.stages, self.ctx.waiting = list(self.STAGES), []
        self.ctx.failures = {}

    def has_branches(self) -> bool:
        """Plan stages until one has something to do; False when none is left."""
        while not self.ctx.waiting and self.ctx.stages:
            stage = self.ctx.stages.pop(0)
            self.ctx.waiting = getattr(self, f'plan_{stage}')()
            if self.ctx.waiting:
                self.report(f'{stage}: {", ".join(self.ctx.waiting)}')
        return bool(self.ctx.waiting)

    def submit_branches(self) -> dict[str, Any]:
        """Submit as many branches as may share what may run at a time."""
        limit = self.inputs.get('max_concurrent')
        n = len(self.ctx.waiting) if limit is None else min(limit, len(self.ctx.waiting))
        self.ctx.running, self.ctx.waiting = self.ctx.waiting[:n], self.ctx.waiting[n:]
        share = None if limit is None else limit // n
        submitted = {}
        for name in self.ctx.running:
            try:
                process, inputs = self.branch(name, share)
                inputs['metadata'] = dict(inputs.get('metadata', {})) | {'call_link_label': name}
                submitted[f'branch_{name}'] = self.submit(process, inputs)
            except ValueError as exception:  # refused when its inputs were built or checked
                self.ctx.failures[name] = str(exception)
        self.ctx.running = [name for name in self.ctx.running if f'branch_{name}' in submitted]
        return ToContext(**submitted)

    @abstractmethod
    def branch(self, name: str, share: int | None) -> tuple[type[WorkChain], dict[str, Any]]:
        """Return the work chain of a branch and its inputs; `share` is what may run at a time."""

    def gather(self) -> None:
        """Take over what there is, and remember what failed."""
        for name in self.ctx.running:
            node = self.ctx[f'branch_{name}']
            if not node.is_finished_ok:
                why = shorten(node.exit_message or node.process_state.value, WIDTH)
                self.ctx.failures[name] = f'{node.process_label}<{node.uuid}>: {why}'
            kind, _, label = name.partition('__')
            getattr(self, f'take_{kind}')(node, label)


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
