"""All that the package uses of AiiDA without a promise of AiiDA's own, and the versions it fits."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from aiida.cmdline.utils.daemon import validate_daemon_env
from aiida.engine import ProcessBuilderNamespace, WorkChain
from aiida.engine.daemon.client import DaemonException
from aiida.engine.processes.calcjobs.tasks import UPDATE_COMMAND
from aiida.engine.processes.workchains.awaitable import Awaitable
from aiida.schedulers.datastructures import JobTemplateCodeInfo
from aiida.tools.graph.graph_traversers import get_nodes_export
from plumpy import ProcessState, Wait

__all__ = [
    'PROVEN',
    'AwaitingAnyWorkChain',
    'DaemonException',
    'JobTemplateCodeInfo',
    'fill_builder',
    'get_nodes_export',
    'inputs_of',
    'validate_daemon_env',
    'waiting',
]

#: Major and minor version of each package with which the tests have passed.
PROVEN = {'aiida-core': '2.9', 'plumpy': '0.26'}


def fill_builder(builder: ProcessBuilderNamespace, inputs: Mapping[str, Any]) -> None:
    """Set inputs of a builder; within a namespace, those that are not given stay what they were."""
    builder._update(inputs)


def inputs_of(builder: ProcessBuilderNamespace) -> dict[str, Any]:
    """Return what was set in a builder, without empty namespaces."""
    inputs: dict[str, Any] = builder._inputs(prune=True)
    return inputs


def waiting(message: str) -> Wait:
    """Return the state in which a `CalcJob` waits for its job in the scheduler."""
    return Wait(msg=message, data=UPDATE_COMMAND)


class AwaitingAnyWorkChain(WorkChain):
    """A work chain that may go on as soon as any one of the processes it waits for has ended.

    AiiDA's own goes on when all have. While `ctx.await_any` is true, the next step comes with the
    first that ends; that step awaits the others anew.
    """

    def _action_awaitables(self) -> None:
        """Ask once for each process, however many steps await it."""
        asked: set[int] = self.__dict__.setdefault('_asked', set())
        for awaitable in self._awaitables:
            if awaitable.pk not in asked:
                asked.add(awaitable.pk)
                ended = partial(self.call_soon, self._on_awaitable_finished, awaitable)
                self.runner.call_on_process_finish(awaitable.pk, ended)
        if self.__dict__.pop('_one_ended', False):  # while the step was not yet over
            self.call_soon(self._resume_waiting)

    def _on_awaitable_finished(self, awaitable: Awaitable) -> None:
        """Take the node over, and go on if that is enough."""
        current = next((one for one in self._awaitables if one.pk == awaitable.pk), None)
        if current is None:  # it ended between two steps: the next one that awaits it asks again
            self.__dict__.setdefault('_asked', set()).discard(awaitable.pk)
            return
        super()._on_awaitable_finished(current)
        if not self.ctx.get('await_any') or not self._awaitables:
            return
        if self.state == ProcessState.WAITING:
            self.resume()
        else:
            self._one_ended = True

    def _resume_waiting(self) -> None:
        if self.state == ProcessState.WAITING:
            self.resume()
