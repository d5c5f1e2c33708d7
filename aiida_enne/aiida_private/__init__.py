"""All that the package uses of AiiDA without a promise of AiiDA's own, and the versions it fits."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from aiida import orm
from aiida.brokers.zeromq.broker import ZeromqBroker
from aiida.cmdline.utils.daemon import validate_daemon_env
from aiida.common.hashing import make_hash
from aiida.engine import Process, ProcessBuilder, ProcessBuilderNamespace, WorkChain
from aiida.engine.daemon.client import DaemonException
from aiida.engine.daemon.execmanager import kill_calculation
from aiida.engine.processes.calcjobs.tasks import UPDATE_COMMAND
from aiida.engine.processes.workchains.awaitable import Awaitable
from aiida.engine.runners import Runner
from aiida.manage import get_manager
from aiida.manage.configuration import get_config
from aiida.schedulers.datastructures import JobTemplateCodeInfo
from aiida.tools.graph.graph_traversers import get_nodes_export
from plumpy import ProcessState, Wait
from plumpy.persistence import LoadSaveContext

from aiida_enne.aiida_private.bookkeeping import lean_bookkeeping

__all__ = [
    'CUT_SHORT',
    'PROVEN',
    'AwaitingAnyWorkChain',
    'DaemonException',
    'JobTemplateCodeInfo',
    'fill_builder',
    'fingerprint',
    'foreground_runner',
    'get_config',
    'get_nodes_export',
    'give_up',
    'inputs_of',
    'kill_calculation',
    'lean_bookkeeping',
    'reread',
    'revive',
    'run_until',
    'schedule',
    'tasks_of_daemon',
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


def fingerprint(builder: ProcessBuilder) -> str:
    """Return what is the same for two builders of the same process with the same inputs."""
    contents = (builder.process_class.__name__, _content(inputs_of(builder)))
    return str(make_hash(contents))


def _content(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _content(one) for name, one in value.items()}
    if isinstance(value, orm.Node):
        return value.base.caching.get_objects_to_hash()
    return value if isinstance(value, str | int | float | bool | None) else repr(value)


def reread() -> None:
    """End the open transaction, so that what others have written since is seen."""
    storage = get_manager().get_profile_storage()
    if hasattr(storage, 'get_session'):
        storage.get_session().commit()
        storage.get_session().expire_all()


class _ForegroundRunner(Runner):
    """The runner of this interpreter, which leaves signals to its caller and hears of every end.

    With AiiDA's own, a signal kills the process function that is at work, and the work chain that
    called it ends by an exception; and without a broker a work chain asks the database now and then
    whether what it waits for has ended, although that runs in the same interpreter.
    """

    @property
    def is_daemon_runner(self) -> bool:
        """Process functions of the daemon leave signals alone."""
        return True

    @property
    def here(self) -> WeakValueDictionary[int | None, Process]:
        """The processes of this interpreter by primary key."""
        known: WeakValueDictionary[int | None, Process] = self.__dict__.setdefault(
            '_here', WeakValueDictionary()
        )
        return known

    def instantiate_process(self, process: Any, **inputs: Any) -> Process:
        """Return a process, of which it is noted that it is here."""
        made: Process = super().instantiate_process(process, **inputs)
        self.note(made)
        return made

    def note(self, process: Process) -> None:
        """Note that a process is here, and tell whoever asked for it."""
        self.here[process.node.pk] = process
        tell: Callable[[Process], None] | None = self.__dict__.get('_tell')
        if tell is not None:
            tell(process)

    def call_on_process_finish(self, pk: int, callback: Callable[[], Any]) -> None:
        """Call back as soon as a process of this interpreter has ended; look for others."""
        process = self.here.get(pk)
        if process is None or process.has_terminated():
            super().call_on_process_finish(pk, callback)
        else:
            process.future().add_done_callback(lambda _: callback())


@contextmanager
def foreground_runner(tell: Callable[[Process], None] | None = None) -> Iterator[Runner]:
    """Let the runner of this interpreter leave signals alone.

    Args:
        tell: Called with every process that begins in this interpreter.
    """
    broker = get_manager().get_broker()
    # AiiDA's own broker lives with the daemon: where neither runs, nobody sends messages
    absent = isinstance(broker, ZeromqBroker) and not broker.check_service_reachable()
    runner = get_manager().get_runner(**({'communicator': None} if absent else {}))
    kept = runner.__class__
    runner.__class__ = _ForegroundRunner
    runner.__dict__['_tell'] = tell
    try:
        with lean_bookkeeping():
            yield runner
    finally:
        runner.__class__ = kept
        del runner.__dict__['_tell']


def run_until(runner: Runner, *futures: asyncio.Future[Any]) -> None:
    """Run all processes until one of the futures is done."""

    async def first() -> None:
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)

    runner.run_until_complete(asyncio.ensure_future(first(), loop=runner.loop))


def schedule(runner: Runner, process: ProcessBuilder | Process) -> tuple[orm.ProcessNode, Any]:
    """Make a process ready to run; return its node and the future of its end."""
    made = process if isinstance(process, Process) else runner.instantiate_process(process)
    if isinstance(runner, _ForegroundRunner) and made.node.pk not in runner.here:
        runner.note(made)
    if made.paused:
        made.play()
    return made.node, runner.loop.create_task(made.step_until_terminated())


#: Status of a process that is begun anew by the step that had created it.
CUT_SHORT = 'left by a step that was cut short'


def revive(runner: Runner, node: orm.ProcessNode) -> list[Process]:
    """Load a process that no runner has any more, and everything that it waits for.

    Args:
        runner: What is to run them.
        node: The process, which has not ended.

    Raises:
        Exception: Whatever a checkpoint says that cannot be read, such as one of another version.
    """
    persister = runner.persister
    assert persister is not None, 'the runner of a profile has a persister'
    process = persister.load_checkpoint(node.pk).unbundle(LoadSaveContext(runner=runner))
    awaited = {one.pk for one in getattr(process, '_awaitables', ())}
    revived = [process]
    for child in node.called:
        if child.is_terminated:
            continue
        # a step that was cut short begins anew, and so does what it had only created
        repeated = child.process_state == ProcessState.CREATED and child.pk not in awaited
        if repeated or isinstance(child, orm.CalcFunctionNode | orm.WorkFunctionNode):
            give_up([child], CUT_SHORT)
        else:
            revived += revive(runner, child)
    return revived


def give_up(nodes: Iterable[orm.ProcessNode], why: str) -> None:
    """Mark processes that nobody runs as killed."""
    for node in nodes:
        node.set_process_status(why)
        node.set_process_state(ProcessState.KILLED)
        node.delete_checkpoint()
        if not node.is_sealed:
            node.seal()


def tasks_of_daemon() -> set[int]:
    """Return the processes that the daemon runs or has queued; empty without a broker."""
    broker = get_manager().get_broker()
    if broker is None or not get_manager().get_daemon_client().is_daemon_running:
        return set()
    return {task.body.get('args', {}).get('pid') for task in broker.iterate_tasks()}


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
        """Store the finished node in the context; continue if no other is awaited."""
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
