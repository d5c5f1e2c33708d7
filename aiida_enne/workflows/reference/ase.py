"""Reference engine: any ASE calculator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida.engine import ExitCode, ProcessSpec, ToContext

from aiida_enne import families
from aiida_enne.codes import ase
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.science.plans.prices import Members
from aiida_enne.workflows.reference.ase_base import AseBaseWorkChain
from aiida_enne.workflows.reference.engine import ReferenceWorkChain

#: Energy and forces of 64 atoms by a member of unknown size: six layers of 32 features.
UNKNOWN_SECONDS = 0.7


class AseReferenceWorkChain(ReferenceWorkChain):
    """Label, move or relax configurations with an ASE calculator, many of them in one job."""

    PROTOCOLS = 'reference_ase'

    #: Of LAMMPS with Stillinger-Weber silicon: 465 steps/s on one core.
    COSTS = {
        'label_seconds': 1 / 465,
        'step_seconds': 1 / 465,
        'exponent': 1.0,
        'model_megabytes': 0.1,
        'source': 'measured: LAMMPS, Stillinger-Weber',
    }

    @classmethod
    def price(cls, inputs: Mapping[str, Any]) -> Members | None:
        """Return what a label by an ensemble costs; other calculators as `COSTS` say.

        A model that does not tell its size, such as one tuned from a package, counts as
        `UNKNOWN_SECONDS`.
        """
        job = inputs.get('base', {}).get('ase', {})
        if not ase.is_ensemble(job.get('calculator', {})) or not job.get('models'):
            return None
        each = [_seconds(node.get_model()) for node in job['models'].values()]
        return Members(len(each), sum(each))

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Add the inputs of the job and the outline."""
        super().define(spec)
        spec.expose_inputs(
            AseBaseWorkChain,
            namespace='base',
            exclude=('ase.configurations', 'ase.task', 'ase.seed'),
        )
        spec.outline(cls.calculate, cls.conclude)

    @classmethod
    def from_protocol(
        cls,
        configurations: ConfigurationsData,
        protocol: str | None,
        overrides: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        """Return the inputs that a protocol sets; a `calculator` of the overrides replaces its own.

        That is a preset by name, or a mapping as in `codes.ase_run.complete_calculator`.
        """
        inputs = super().from_protocol(configurations, protocol, overrides)
        calculator = inputs.pop('calculator')
        if isinstance(calculator, str):
            calculator = {'preset': calculator}
        elif 'import_path' in calculator:
            calculator = {
                **(overrides or {})['calculator']
            }  # nothing of the protocol's preset is left
        inputs['base']['ase']['calculator'] = calculator
        return inputs

    @classmethod
    def level_of(cls, inputs: Mapping[str, Any], elements: Sequence[str]) -> str | None:
        """Return that of the calculator."""
        return ase.complete_calculator(
            inputs['base']['ase']['calculator'].get_dict()
        ).level_of_theory

    def calculate(self) -> dict[str, Any]:
        """Submit one job for all configurations; it is continued where it was stopped."""
        inputs = self.exposed_inputs(AseBaseWorkChain, 'base')
        for name in ('configurations', 'task', 'seed'):
            if name in self.inputs:
                inputs['ase'][name] = self.inputs[name]
        return ToContext(base=self.submit(AseBaseWorkChain, **inputs))

    def conclude(self) -> ExitCode | None:
        """Hand out everything, then say what failed."""
        base = self.ctx.base
        for name in ('dataset', 'results'):
            if name in base.outputs:
                self.out(name, base.outputs[name])
        if base.is_finished_ok:
            return None
        total, finished, failures = self.inputs.configurations.n_frames, 0, ''
        if 'results' in base.outputs:
            results = base.outputs.results.get_dict()
            finished = results['counts'].get('finished', 0)
            failures = '; '.join(
                f'{item["configuration"]}: {item["message"]}' for item in results['failures']
            )
        failures = failures or base.exit_message or base.process_state.value
        if not finished:
            return self.exit_codes.ERROR_ALL_FAILED.format(total=total, failures=failures)
        return self.exit_codes.ERROR_SOME_FAILED.format(
            n=total - finished, total=total, failures=failures
        )


def _seconds(model: Mapping[str, Any]) -> float:
    """Return the seconds of one core for 64 atoms, of one member of many computed at once."""
    try:
        return families.inference_seconds(model) / families.gain(model)
    except ValueError:
        return UNKNOWN_SECONDS
