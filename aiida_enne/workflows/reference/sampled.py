"""Two engines as one: a cheap one moves or relaxes, the reference labels or goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext, if_

from aiida_enne.calculations.ports import at_least, one_of, port, validator_of
from aiida_enne.calculations.sampling import (
    join_relaxed,
    join_sampled,
    take_ends,
    take_sampled,
    tell_sampler,
)
from aiida_enne.workflows.base import why_failed
from aiida_enne.workflows.reference.chosen import refusal, thaw
from aiida_enne.workflows.reference.engine import ReferenceWorkChain, load_engine, validate_inputs
from aiida_enne.workflows.reference.label import TASK, LabelWorkChain

#: What the reference does with what was sampled: labels of it, or a relaxation from its ends.
LABEL, RELAX = 'label', 'relax'


def check_share(value: float) -> None:
    """Refuse what is no share above zero.

    Raises:
        ValueError: If it is not.
    """
    if not 0 < value <= 1:
        raise ValueError(f'`min_share` must be above 0 and at most 1, got {value!r}')


def define_sampler(spec: ProcessSpec, *, required: bool) -> None:
    """Add the namespace `sampler`: an engine, its inputs, and what becomes of its frames."""
    more = {} if required else {'required': False, 'populate_defaults': False}
    spec.input_namespace(
        'sampler',
        help='What moves or relaxes in place of the engine, which labels: named beside the labels.',
        **more,
    )
    spec.input(
        'sampler.engine',
        **port(orm.Str, validator_of(load_engine)),
        help='Name of an entry point in `aiida_enne.engines`.',
    )
    spec.input_namespace('sampler.inputs', dynamic=True, help='Inputs of that engine.')
    spec.input(
        'sampler.frames',
        **port(orm.Int, at_least(1), required=False),
        help='Frames that are labelled of each stage of a trajectory, or of each path; all.',
    )
    spec.input(
        'sampler.min_share',
        **port(orm.Float, validator_of(check_share), default=1.0),
        help='Share of these that must have a label.',
    )
    spec.input(
        'sampler.then',
        **port(orm.Str, one_of('then', (LABEL, RELAX)), default=LABEL),
        help='What the engine does with a relaxation: label its frames, or relax on from its end.',
    )


def validate_sampled(inputs: Mapping[str, Any], ports: Any) -> str | None:
    """Check that the sampler takes the task, and the reference what it is then asked for."""
    if problem := validate_inputs(dict(inputs), ports):
        return problem
    work = {name: inputs[name] for name in ('configurations', 'task', 'seed') if name in inputs}
    return refuse_sampled(inputs['sampler'], inputs['labels'], work)


def refuse_sampled(
    sampler: Mapping[str, Any], labels: Mapping[str, Any], work: Mapping[str, Any]
) -> str | None:
    """Return why one of two engines would refuse its part of some work, or None.

    Args:
        sampler: The namespace `sampler`.
        labels: `engine` and `inputs` of the reference.
        work: `configurations`, `task` and, for dynamics, `seed`.
    """
    if why := refusal(sampler['engine'].value, sampler.get('inputs', {}), **work):
        return f'sampler: {why}'
    goes_on = sampler['then'].value == RELAX and work['task'].get_dict()['kind'] == RELAX
    task = work['task'] if goes_on else orm.Dict(TASK)
    owned = {'configurations': work['configurations'], 'task': task}
    return refusal(labels['engine'].value, labels.get('inputs', {}), **owned)


class SampledReferenceWorkChain(ReferenceWorkChain):
    """Let one engine do the task and another one label what it gave, or relax on from its ends.

    To whoever asks it is an engine: the dataset holds time, step and so on of the one, energies,
    forces and level of theory of the other. Both stand in `results`, and in the provenance.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        define_sampler(spec, required=True)
        spec.expose_inputs(
            LabelWorkChain, namespace='labels', exclude=('configurations', 'min_labelled')
        )
        spec.inputs.validator = validate_sampled
        spec.outline(
            cls.sample,
            cls.see_sampled,
            if_(cls.goes_on)(cls.relax, cls.hand_on).else_(cls.label, cls.conclude),
        )

    @property
    def sampler(self) -> Any:
        """Inputs of the engine that samples."""
        return self.inputs.sampler

    def goes_on(self) -> bool:
        """Return whether the reference relaxes from where the sampler has ended."""
        return self.task.kind == RELAX and self.sampler.then.value == RELAX

    def sample(self) -> dict[str, Any]:
        """Let the cheap engine do the task."""
        inputs = thaw(self.sampler.get('inputs', {}))
        for name in ('configurations', 'task', 'seed'):
            if name in self.inputs:
                inputs[name] = self.inputs[name]
        inputs['metadata'] = {'call_link_label': 'sample'}
        return ToContext(sampled=self.submit(load_engine(self.sampler.engine.value), inputs))

    def see_sampled(self) -> ExitCode | None:
        """Stop where nothing was sampled."""
        if not {'dataset', 'results'} <= set(self.ctx.sampled.outputs):
            total, why = self.inputs.configurations.n_frames, why_failed(self.ctx.sampled)
            return self.exit_codes.ERROR_ALL_FAILED.format(total=total, failures=why)
        return None

    def label(self) -> dict[str, Any]:
        """Label the frames that are chosen."""
        frames = self.sampler.frames.value if 'frames' in self.sampler else None
        chosen = take_sampled(self.ctx.sampled.outputs.dataset, orm.Dict({'frames': frames}))
        inputs = self.exposed_inputs(LabelWorkChain, 'labels')
        least = max(1, int(self.sampler.min_share.value * chosen.n_frames))
        inputs |= {'configurations': chosen, 'min_labelled': orm.Int(least)}
        inputs['metadata'] = {'call_link_label': 'label'}
        self.ctx.chosen = chosen
        return ToContext(labelled=self.submit(LabelWorkChain, inputs))

    def conclude(self) -> ExitCode | None:
        """Hand out the labels, then say what failed of either."""
        labelled, sampled = self.ctx.labelled, self.ctx.sampled
        total = self.inputs.configurations.n_frames
        if 'dataset' not in labelled.outputs:
            why = why_failed(labelled)
            return self.exit_codes.ERROR_ALL_FAILED.format(total=total, failures=why)
        told = tell_sampler(sampled.outputs.results, sampled.outputs.dataset)
        outputs = labelled.outputs
        self.out_many(join_sampled(self.ctx.chosen, outputs.dataset, outputs.failures, told))
        if not labelled.is_finished_ok:
            why = why_failed(labelled)
            return self.exit_codes.ERROR_SOME_FAILED.format(n=total, total=total, failures=why)
        named = {one['configuration']: one['message'] for one in told['failures']}
        return self.verdict(named, total)

    def relax(self) -> dict[str, Any] | ExitCode:
        """Let the reference relax from where the sampler has ended."""
        try:
            ends = take_ends(self.ctx.sampled.outputs.dataset, self.inputs.configurations)
        except ValueError as exception:
            total = self.inputs.configurations.n_frames
            return self.exit_codes.ERROR_ALL_FAILED.format(total=total, failures=exception)
        labels = self.inputs.labels
        inputs = thaw(labels.get('inputs', {})) | {'configurations': ends}
        inputs |= {'task': self.inputs.task, 'metadata': {'call_link_label': 'relax'}}
        return ToContext(relaxed=self.submit(load_engine(labels.engine.value), inputs))

    def hand_on(self) -> ExitCode | None:
        """Hand out what the reference gave; what it said of failures stands as it is."""
        relaxed, sampled = self.ctx.relaxed, self.ctx.sampled
        if {'dataset', 'results'} <= set(relaxed.outputs):
            outputs = relaxed.outputs
            self.out_many(join_relaxed(outputs.dataset, sampled.outputs.dataset, outputs.results))
        if relaxed.is_finished_ok:
            return None
        return relaxed.exit_code if relaxed.is_finished else ExitCode(510, why_failed(relaxed))
