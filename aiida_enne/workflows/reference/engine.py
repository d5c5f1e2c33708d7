"""What every reference engine is: the same ports, the same tasks, one entry point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from aiida import orm
from aiida.common.exceptions import EntryPointError
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, WorkChain

from aiida_enne.calculations.ports import port, validator_of
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.plans.costs import Price
from aiida_enne.science.plans.tasks import Task, read_task
from aiida_enne.science.plugins import registered
from aiida_enne.workflows import protocols
from aiida_enne.workflows.base import ProtocolMixin, listed

#: Entry points of all engines, ours and those of other packages.
GROUP = 'aiida_enne.engines'
#: Checks every option of the task by name.
validate_task = validator_of(read_task)


def validate_inputs(inputs: dict[str, Any], ports: Any) -> str | None:
    """Check that dynamics has a seed."""
    if not {'task', 'seed'} <= set(ports):
        return None  # a workflow has excluded them and validates by submitting
    if inputs['task'].get_dict().get('kind') == 'md' and 'seed' not in inputs:
        return 'molecular dynamics needs a `seed`'
    return None


class ReferenceWorkChain(ProtocolMixin, WorkChain):
    """Label, move or relax configurations; an engine adds the inputs of its code and the outline.

    A configuration that fails is listed in `results`, and the labels of all others are handed out
    with an exit code that says so: nothing is dropped in silence.
    """

    #: The tasks that an engine can do.
    KINDS: ClassVar[tuple[str, ...]] = ('label', 'md', 'relax')
    #: What it costs, by the names of `science.plans.costs.Assumptions`; a plan needs it.
    COSTS: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the ports that all engines share."""
        super().define(spec)
        spec.input('configurations', valid_type=ConfigurationsData, help='What to work on.')
        spec.input(
            'task',
            **port(orm.Dict, validate_task),
            help='`kind` (label, md, relax) and its options, see `science.plans.tasks`.',
        )
        spec.input('seed', **port(orm.Int, required=False), help='Seed of dynamics.')
        spec.inputs.validator = validate_inputs
        spec.output(
            'dataset',
            valid_type=DatasetData,
            required=False,
            help='Labelled frames; info has time (ps), temperature (K), step, converged.',
        )
        spec.output(
            'results', valid_type=orm.Dict, required=False, help='Status of every configuration.'
        )
        spec.exit_code(
            410, 'ERROR_SOME_FAILED', message='{n} of {total} configurations failed: {failures}'
        )
        spec.exit_code(
            510, 'ERROR_ALL_FAILED', message='All {total} configurations failed: {failures}'
        )

    @classmethod
    def price(cls, inputs: Mapping[str, Any]) -> Price | None:
        """Return what a label costs by its structure; None where `COSTS` says all.

        Args:
            inputs: Of the engine, as far as they do not depend on what is labelled; plain values
                where nodes stand for such.
        """
        return None

    @classmethod
    def level_of(cls, inputs: Mapping[str, Any], elements: Sequence[str]) -> str | None:
        """Return the level of theory that labels of these elements will have; None if unknown.

        Args:
            inputs: Of the engine, nodes, without those of the work.
            elements: Symbols, all known to the inputs.
        """
        return None

    @property
    def task(self) -> Task:
        """What is asked for."""
        return read_task(self.inputs.task.get_dict())

    def verdict(
        self, failures: Mapping[Any, str], total: int, most: int | None = None
    ) -> ExitCode | None:
        """Return the exit code that names the configurations that failed, at most so many."""
        if not failures:
            return None
        named = listed(dict(list(failures.items())[:most]))
        named += f'; and {len(failures) - most} more' if most and len(failures) > most else ''
        label = 'ERROR_ALL_FAILED' if len(failures) == total else 'ERROR_SOME_FAILED'
        return self.exit_codes[label].format(n=len(failures), total=total, failures=named)

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        configurations: ConfigurationsData,
        task: dict[str, Any],
        *,
        seed: int | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set by the protocol, then by the overrides.

        Args:
            code: Of the engine.
            configurations: What to work on.
            task: See `science.plans.tasks.read_task`.
            seed: Seed of dynamics.
            protocol: One of `get_available_protocols`.
            overrides: Inputs that win over the protocol's, see `from_protocol`.

        Raises:
            ValueError: If there is no such protocol, or the engine lacks what it names.
        """
        inputs = cls.from_protocol(configurations, protocol, overrides)
        inputs |= {'configurations': configurations, 'task': task}
        inputs |= {} if seed is None else {'seed': seed}
        return protocols.fill(cls, inputs, code)

    @classmethod
    def from_protocol(
        cls,
        configurations: ConfigurationsData,
        protocol: str | None,
        overrides: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        """Return the inputs that a protocol sets for work on such configurations."""
        return protocols.load(cls.PROTOCOLS, protocol, overrides)


def load_engine(name: str) -> type[ReferenceWorkChain]:
    """Return the work chain of an engine by its name.

    Raises:
        EntryPointError: If no package registers an engine of that name.
    """
    found = registered(GROUP)
    if name not in found:
        raise EntryPointError(f'no engine `{name}`; there are {list(found)}')
    return found[name].load()
