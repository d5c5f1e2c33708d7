"""An engine chosen by name: ports for its inputs, checked before anything is submitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder, ProcessSpec

from aiida_enne.aiida_private import fill_builder, inputs_of
from aiida_enne.calculations.ports import at_least, port, validator_of
from aiida_enne.workflows import protocols
from aiida_enne.workflows.base import PoolWorkChain, ProtocolMixin
from aiida_enne.workflows.reference.engine import ReferenceWorkChain, load_engine

#: Inputs of an engine that the workflow above it sets.
OWNED = ('configurations', 'task', 'seed', 'metadata')


class EngineWorkChain(ProtocolMixin, PoolWorkChain):
    """Hand work to an engine that is chosen by name, so much at a time."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input(
            'engine',
            **port(orm.Str, validator_of(load_engine)),
            help='Name of an entry point in `aiida_enne.engines`.',
        )
        spec.input_namespace(
            'inputs', dynamic=True, help=f'Inputs of the engine; not {", ".join(OWNED)}.'
        )
        spec.input(
            'max_concurrent',
            **port(int, at_least(1), default=5),
            help='Engine work chains at a time.',
        )

    @classmethod
    def fill(
        cls,
        code: orm.AbstractCode,
        engine: str,
        protocol: str | None,
        chosen: dict[str, Any],
        **work: Any,
    ) -> ProcessBuilder:
        """Return a builder of the inputs, those of the engine for such work.

        Args:
            code: Code of the engine.
            engine: Name of the engine.
            protocol: Protocol of the engine.
            chosen: All inputs; of the engine in `inputs`, the overrides.
            **work: An example of what the engine will do: `configurations`, `task`, `seed`.

        Raises:
            ValueError: If a value cannot be used.
            EntryPointError: If there is no such engine.
        """
        builder = load_engine(engine).get_builder_from_protocol(
            code, protocol=protocol, overrides=chosen.pop('inputs'), **work
        )
        inputs = {key: value for key, value in inputs_of(builder).items() if key not in OWNED}
        return protocols.fill(cls, chosen | {'engine': engine, 'inputs': inputs}, code)

    def work_of(self, label: str, **work: Any) -> tuple[type[ReferenceWorkChain], dict[str, Any]]:
        """Return the engine and its inputs for some work: `configurations`, `task`, `seed`."""
        inputs = thaw(self.inputs.get('inputs', {})) | work
        return load_engine(self.inputs.engine.value), inputs | {
            'metadata': {'call_link_label': label}
        }


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
        ValueError: If the workflow has no protocol of that name, or a key is not known.
    """
    chosen = protocols.load(workflow, protocol)
    protocols.check_overrides(workflow, protocols.read(workflow), overrides or {})
    if 'engines' in (overrides or {}):
        raise ValueError(
            f'overrides of {workflow!r} are those of the chosen engine: leave out `engines` and '
            f'`{engine}`, give the keys under them'
        )
    specific = chosen.pop('engines').get(engine, {})
    return protocols.merge(protocols.merge(chosen, specific), overrides or {})
