"""The plan of a study from its inputs: what every part costs, and how long all of it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiida_enne import families
from aiida_enne.calculations.ports import plain
from aiida_enne.science.plans.convergence import NAME as CONVERGENCE
from aiida_enne.science.plans.costs import HOUR, Assumptions, Part, total
from aiida_enne.science.plans.engine_work import Prices
from aiida_enne.science.plans.study_costs import estimate
from aiida_enne.workflows.reference.engine import load_engine

#: Parts of a study that an engine does.
ENGINES = ('liquid', 'sample', 'eos', 'defect', 'surface')


@dataclass(frozen=True, slots=True)
class Plan:
    """What a study is planned to cost.

    Attributes:
        parts: One after another.
        assumptions: What the numbers of the engine rest on.
        slots: Jobs at a time; None where nothing limits them.
        cores: Of a job of the engine.
    """

    parts: list[Part]
    assumptions: Assumptions
    slots: int | None
    cores: int

    @property
    def whole(self) -> Part:
        """The sum of all parts."""
        return total(self.parts)

    @property
    def seconds(self) -> float | None:
        """How long it takes if every slot is busy and queues are empty; None without a limit."""
        if self.slots is None:
            return None
        hours = self.whole.core_hours / (self.slots * self.cores)
        return (hours + self.whole.gpu_hours / self.slots) * HOUR

    @property
    def dearest(self) -> Part:
        """The part that costs most."""
        return max(self.parts, key=lambda part: part.core_hours + part.gpu_hours)


def plan(study: Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> Plan:
    """Return what a study is planned to cost.

    Args:
        study: Inputs of `StudyWorkChain`, nodes or plain values.
        changes: Assumptions in place of the engine's, by name.

    Raises:
        ValueError: If an input or an assumption cannot be used.
        EntryPointError: If there is no such engine.
    """
    inputs = plain(study)
    given = {kind: inputs[kind] for kind in ENGINES if kind in inputs}
    first = next(iter(given.values()))
    engine = load_engine(first['engine'])
    assumptions = Assumptions.of(first['engine'], engine.COSTS, changes)
    movers = [one['sampler']['engine'] for one in given.values() if 'sampler' in one]
    sampler = Assumptions.of(movers[0], load_engine(movers[0]).COSTS) if movers else None
    prices = {}
    if 'label_seconds' not in (changes or {}):
        asked = {kind: one.get('inputs', {}) for kind, one in given.items()}
        for part, more in inputs.get(CONVERGENCE, {}).items():
            settings = more['settings'].items()
            asked |= {f'{CONVERGENCE}.{part}.{name}': one for name, one in settings}
        found = {name: engine.price(one) for name, one in asked.items()}
        prices = {kind: one for kind, one in found.items() if one is not None}
    parts = estimate(inputs, Prices(assumptions, sampler, prices), families)
    cores = max((_cores(one) for one in _resources(first.get('inputs', {}))), default=1)
    slots = inputs.get('max_concurrent')
    return Plan(parts, assumptions, None if slots is None else int(slots), cores)


def _resources(inputs: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what jobs among nested inputs ask a scheduler for."""
    for name, value in inputs.items():
        if name == 'resources':
            yield value
        elif isinstance(value, Mapping):
            yield from _resources(value)


def _cores(resources: Mapping[str, Any]) -> int:
    names = ('num_machines', 'num_mpiprocs_per_machine', 'num_cores_per_mpiproc')
    one, two, three = (int(resources.get(name) or 1) for name in names)
    return one * two * three
