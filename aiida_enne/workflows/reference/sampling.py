"""Work for an engine that another one may do first: what liquids, samples and relaxations share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder, ProcessSpec

from aiida_enne.aiida_private import inputs_of
from aiida_enne.workflows.reference.chosen import (
    OWNED,
    EngineWorkChain,
    load_protocol,
    refusal,
)
from aiida_enne.workflows.reference.engine import ReferenceWorkChain, load_engine
from aiida_enne.workflows.reference.label import TASK
from aiida_enne.workflows.reference.sampled import (
    SampledReferenceWorkChain,
    define_sampler,
    refuse_sampled,
)

#: What is said of a sampler beside the values of its ports: where and how it runs.
WORDS = ('engine', 'inputs', 'frames', 'min_share', 'then', 'code', 'protocol')
#: Labels of one trajectory or path that a work chain of the engine is asked for.
PER_JOB = 1000


class SamplingWorkChain(EngineWorkChain):
    """Hand work to an engine; what moves is done by the `sampler`, where there is one."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Add the sampler."""
        super().define(spec)
        define_sampler(spec, required=False)

    @classmethod
    def fill(
        cls,
        code: orm.AbstractCode,
        engine: str,
        protocol: str | None,
        chosen: dict[str, Any],
        **work: Any,
    ) -> ProcessBuilder:
        """Return a builder of the inputs, see `EngineWorkChain.fill`; of the sampler's, too.

        Raises:
            ValueError: If a value cannot be used.
            EntryPointError: If there is no such engine.
        """
        if (sampler := chosen.pop('sampler', None)) is None:
            return super().fill(code, engine, protocol, chosen, **work)
        chosen['sampler'] = sampler_inputs(sampler, code, engine, protocol, work)
        labels = {'configurations': work['configurations'], 'task': TASK}
        return super().fill(code, engine, protocol, chosen, **labels)

    def work_of(self, label: str, **work: Any) -> tuple[type[ReferenceWorkChain], dict[str, Any]]:
        """Return what does some work: the engine, or the sampler and it where something moves."""
        process, inputs = super().work_of(label, **work)
        if 'sampler' not in self.inputs or not is_sampled(work['task']):
            return process, inputs
        metadata = inputs.pop('metadata')
        labels = {name: one for name, one in inputs.items() if name not in work}
        asked = {'engine': self.inputs.engine, 'inputs': labels, 'per_job': PER_JOB}
        return SampledReferenceWorkChain, work | {
            'sampler': self.inputs.sampler,
            'labels': asked | {'max_concurrent': 1},
            'metadata': metadata,
        }


def is_sampled(task: orm.Dict) -> bool:
    """Return whether a task moves anything."""
    return bool(task['kind'] != TASK['kind'])


def refuse_work(inputs: Mapping[str, Any], **work: Any) -> str | None:
    """Return why the engine, or the sampler where there is one, would refuse some work, or None.

    Args:
        inputs: Of a `SamplingWorkChain`.
        **work: `configurations`, `task` and, for dynamics, `seed`.
    """
    labels = {'engine': inputs['engine'], 'inputs': inputs.get('inputs', {})}
    if 'sampler' in inputs and is_sampled(work['task']):
        return refuse_sampled(inputs['sampler'], labels, work)
    return refusal(labels['engine'].value, labels['inputs'], **work)


def load_moving(
    workflow: str, engine: str, protocol: str | None, overrides: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the inputs of a protocol, where something moves: of the sampler, if there is one.

    What a protocol says of an engine, such as stages and thermostats, is what the one that moves
    heeds; its `inputs` are those of the engine.

    Raises:
        ValueError: If the workflow has no protocol of that name, or a sampler names no engine.
    """
    given = (overrides or {}).get('sampler')
    own = load_protocol(workflow, engine, protocol, overrides)
    if not given:
        return own
    moving = load_protocol(workflow, read_sampler(given)['engine'], protocol, overrides)
    return moving | {'inputs': own['inputs']}


def read_sampler(given: Any) -> dict[str, Any]:
    """Return what is said of a sampler.

    Raises:
        ValueError: If it names no engine, or holds a word that is unknown.
    """
    if not isinstance(given, Mapping) or not given.get('engine'):
        raise ValueError(f'`sampler` must be a mapping with an `engine`, got {given!r}')
    if unknown := sorted(set(given) - set(WORDS)):
        raise ValueError(f'unknown keys {unknown} of `sampler`; known here: {sorted(WORDS)}')
    return dict(given)


def sampler_inputs(
    given: Mapping[str, Any],
    code: orm.AbstractCode,
    engine: str,
    protocol: str | None,
    work: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the inputs of a sampler for such work.

    Args:
        given: `engine`; `inputs`, overrides of that engine's protocol; `protocol`, that of the
            work chain by default; `code`, a node or a label, that of the reference where the
            engine is the same; `frames`, `min_share`, `then`.
        code: Of the reference.
        engine: Of the reference.
        protocol: Of the work chain.
        work: An example: `configurations`, `task`, `seed`.

    Raises:
        ValueError: If it has no code, or a value cannot be used.
        EntryPointError: If there is no such engine.
    """
    chosen = read_sampler(given)
    name, own = chosen['engine'], chosen.pop('code', None)
    book = load_engine(name)
    if own is None and name != engine:
        raise ValueError(
            f'the sampler {name!r} needs a `code` of its own: that of the engine {engine!r} is '
            f'{code.full_label}'
        )
    node = code if own is None else orm.load_code(own) if isinstance(own, str) else own
    known = chosen.pop('protocol', None) or protocol
    builder = book.get_builder_from_protocol(
        node,
        protocol=known if known in book.get_available_protocols() else None,
        overrides=chosen.pop('inputs', None) or {},
        **work,
    )
    filled = {key: value for key, value in inputs_of(builder).items() if key not in OWNED}
    nodes = {key: orm.to_aiida_type(one) for key, one in chosen.items() if one is not None}
    return nodes | {'inputs': filled}
