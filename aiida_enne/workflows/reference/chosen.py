"""An engine chosen by name: ports for its inputs, checked before anything is submitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.common.exceptions import EntryPointError
from aiida.engine import ProcessBuilder, ProcessSpec

from aiida_enne.aiida_private import fill_builder, inputs_of
from aiida_enne.workflows import protocols
from aiida_enne.workflows.base import validate_count
from aiida_enne.workflows.reference.engine import load_engine

#: Inputs of an engine that the workflow above it sets.
OWNED = ('configurations', 'task', 'seed', 'metadata')


def define_engine(spec: ProcessSpec) -> None:
    """Add the ports of a workflow that works with any engine."""
    spec.input(
        'engine',
        valid_type=orm.Str,
        serializer=orm.to_aiida_type,
        validator=validate_engine,
        help='Name of an entry point in `aiida_enne.engines`.',
    )
    spec.input_namespace(
        'inputs', dynamic=True, help=f'Inputs of the engine; not {", ".join(OWNED)}.'
    )
    spec.input(
        'max_concurrent',
        valid_type=int,
        is_metadata=True,
        default=5,
        validator=validate_count,
        help='Engine work chains at a time.',
    )


def validate_engine(node: orm.Str, _: Any) -> str | None:
    """Check that there is such an engine."""
    try:
        load_engine(node.value)
    except EntryPointError as exception:
        return str(exception)
    return None


def refusal(engine: str, inputs: Mapping[str, Any], **owned: Any) -> str | None:
    """Return why the engine would refuse these inputs, or None if it takes them.

    Args:
        engine: Name of the engine.
        inputs: What the namespace `inputs` of a workflow holds.
        **owned: What the workflow adds: configurations, task, seed.
    """
    if extra := sorted(set(inputs) & set(OWNED)):
        return f'`inputs` must not hold {", ".join(extra)}: the workflow sets them'
    process = load_engine(engine)
    builder = process.get_builder()
    try:
        fill_builder(builder, {**thaw(inputs), **owned})
    except (AttributeError, TypeError, ValueError) as exception:
        return f'the engine `{engine}` refuses `inputs`: {exception}'
    why = protocols.complaint(builder)
    return None if why is None else f'the engine `{engine}` refuses its inputs: {why}'


def engine_inputs(builder: ProcessBuilder) -> dict[str, Any]:
    """Return what goes into the namespace `inputs`: all of a builder that no workflow sets."""
    return {key: value for key, value in inputs_of(builder).items() if key not in OWNED}


def thaw(inputs: Any) -> Any:
    """Return plain mappings that a submission may change."""
    if not isinstance(inputs, Mapping):
        return inputs
    return {key: thaw(value) for key, value in inputs.items()}


def load_protocol(
    workflow: str, engine: str, protocol: str | None, overrides: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the inputs of a protocol, then what it says of the engine, then the overrides.

    Raises:
        ValueError: If the workflow has no protocol of that name.
    """
    chosen = protocols.load(workflow, protocol)
    protocols.check_overrides(workflow, protocols.read(workflow), overrides or {})
    specific = chosen.pop('engines').get(engine, {})
    return protocols.merge(protocols.merge(chosen, specific), overrides or {})
