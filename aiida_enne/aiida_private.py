"""All that the package uses of AiiDA without a promise of AiiDA's own, and the versions it fits."""

from collections.abc import Mapping
from typing import Any

from aiida.cmdline.utils.daemon import validate_daemon_env
from aiida.engine import ProcessBuilderNamespace
from aiida.engine.daemon.client import DaemonException
from aiida.engine.processes.calcjobs.tasks import UPDATE_COMMAND
from aiida.schedulers.datastructures import JobTemplateCodeInfo
from aiida.tools.graph.graph_traversers import get_nodes_export
from plumpy import Wait

__all__ = [
    'PROVEN',
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
