"""What work chains share: protocols, a pool that keeps processes busy, and checks of numbers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, cast

from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ExitCode, Process, ProcessState

from aiida_enne.aiida_private import CUT_SHORT, AwaitingAnyWorkChain
from aiida_enne.workflows import protocols

#: Extra of a process: how many others it may run at a time now, whatever its inputs say.
SHARE = 'enne_share'
#: Of the reason of one process in the message of many; the process itself has the rest.
WIDTH = 300


def why_failed(node: orm.ProcessNode) -> str:
    """Return which process failed and why, in one line."""
    state = node.process_state
    why = node.exit_message or node.exception or ('unknown' if state is None else state.value)
    return f'{node.process_label}<{node.uuid}>: {" ".join(why.split())}'


def listed(reasons: Mapping[str, str]) -> str:
    """Return what failed, each with its reason, in one line."""
    return '; '.join(f'{name} ({why})' for name, why in reasons.items())


def process_of(pk: int) -> orm.ProcessNode:
    """Return the node of a process."""
    return cast('orm.ProcessNode', orm.load_node(pk))


def share_of(node: orm.ProcessNode) -> int | None:
    """Return how many processes a study lets a branch run at a time; None where it says nothing."""
    share = node.base.extras.get(SHARE, None)
    return None if share is None else int(share)


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


class ProtocolMixin:
    """Protocols of a work chain: named sets of inputs, each with a description.

    `get_builder_from_protocol` of every work chain takes the name of one as `protocol`, by default
    that of `get_default_protocol`, and `overrides`: nested inputs that win over the protocol's. A
    protocol or key that is not known raises `ValueError` with the nearest known name.
    """

    #: File of the protocols in `workflows/protocols`, without suffix.
    PROTOCOLS: ClassVar[str]

    @classmethod
    def get_available_protocols(cls) -> dict[str, dict[str, str]]:
        """Return the `description` of every protocol by name."""
        found = protocols.read(cls.PROTOCOLS)['protocols']
        return {name: {'description': one['description']} for name, one in found.items()}

    @classmethod
    def get_default_protocol(cls) -> str:
        """Return the name of the protocol that is taken where none is named."""
        return str(protocols.read(cls.PROTOCOLS)['default_protocol'])


class PoolWorkChain(AwaitingAnyWorkChain):
    """Keep as many processes busy as may run at a time: when one ends, the next is submitted.

    A subclass lists keys in `ctx.waiting`, has `while_(cls.has_work)(cls.work)` in its outline, and
    says what `job` and `take` do. What is taken comes in the order in which processes end: nothing
    that is stored may depend on that order.
    """

    def open_pool(self) -> None:
        """Begin with nothing."""
        self.ctx.waiting, self.ctx.running, self.ctx.begun = [], {}, []

    @property
    def told(self) -> orm.ProcessNode:
        """The process that is told how many may run at a time."""
        return self.node

    @property
    def at_a_time(self) -> int | None:
        """How many processes may run at a time, as it is now; None for all."""
        share = share_of(self.told)
        number = self.inputs.get('max_concurrent') if share is None else share
        return None if number is None else int(number)

    def has_work(self) -> bool:
        """Return whether something waits or runs."""
        self.ctx.await_any = bool(self.ctx.waiting or self.ctx.running)
        return bool(self.ctx.await_any)

    def work(self) -> None:
        """Take what has ended, submit what there is room for, and wait for the first that ends."""
        for key, pk in list(self.ctx.running.items()):
            node = process_of(pk)
            if node.is_terminated:
                del self.ctx.running[key]
                self.ctx.pop(f'process_{pk}', None)
                self.take(key, node)
        self.begin_more()
        for pk in self.ctx.running.values():
            self.to_context(**{f'process_{pk}': process_of(pk)})

    def begin_more(self) -> None:
        """Submit what there is room for."""
        limit = self.at_a_time
        while self.ctx.waiting and (limit is None or len(self.ctx.running) < limit):
            self.start(self.ctx.waiting.pop(0))

    def start(self, key: Any) -> None:
        """Submit a process, unless its inputs are refused."""
        try:
            process, inputs = self.job(key)
            node = self.find_begun(inputs) or self.submit(process, inputs)
        except ValueError as exception:  # its inputs were refused when built or checked
            self.refuse(key, exception)
            return
        self.ctx.running[key] = node.pk
        self.ctx.begun.append(node.pk)

    def find_begun(self, inputs: dict[str, Any]) -> orm.ProcessNode | None:
        """Return what a worker began under this name in a step that it did not live to finish.

        Its checkpoint does not know of it. What is only created may never have reached the broker,
        or was given up for that reason when the work chain was taken up again.
        """
        label = inputs['metadata']['call_link_label']
        calls = (LinkType.CALL_CALC, LinkType.CALL_WORK)
        for node in self.node.base.links.get_outgoing(None, calls, label).all_nodes():
            found = cast('orm.ProcessNode', node)
            given_up = found.process_status == CUT_SHORT
            is_begun = found.process_state != ProcessState.CREATED and not given_up
            if is_begun and found.pk not in self.ctx.begun:
                return found
        return None

    @abstractmethod
    def job(self, key: Any) -> tuple[type[Process], dict[str, Any]]:
        """Return a process and its inputs, with a `call_link_label` of its own."""

    def refuse(self, key: Any, reason: ValueError) -> None:
        """Go on without a process whose inputs cannot be used, or raise the reason."""
        raise reason

    @abstractmethod
    def take(self, key: Any, node: orm.ProcessNode) -> None:
        """Take over what a process gave; more keys may be put into `ctx.waiting`."""

    def failed(self, label: str) -> ExitCode | None:
        """Return the exit code of a label that names all of `ctx.failures`, if there are any."""
        failures = listed(self.ctx.failures)
        return self.exit_codes[label].format(failures=failures) if failures else None
