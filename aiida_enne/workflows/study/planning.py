"""The plan of a study from its inputs: what every part costs, and how long all of it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aiida_enne import families
from aiida_enne.calculations.ports import plain
from aiida_enne.science.plans.convergence import NAME as CONVERGENCE
from aiida_enne.science.plans.costs import HOUR, Assumptions, Part, Price, total
from aiida_enne.science.plans.engine_work import Prices
from aiida_enne.science.plans.prices import Meshed
from aiida_enne.science.plans.study_costs import NAMES, estimate
from aiida_enne.workflows.reference.engine import load_engine

#: Parts of a study that an engine does.
ENGINES = ('liquid', 'sample', 'eos', 'defect', 'surface')


@dataclass(frozen=True, slots=True)
class Plan:
    """What a study is planned to cost.

    Attributes:
        parts: One after another.
        assumptions: What the numbers of the engine rest on.
        slots: Jobs at a time; None where nothing limits all of them.
        cores: Of a job of the engine.
        limits: Jobs at a time of the parts that have such a limit of their own.
        prices: What labels cost by their structure, by the part among the inputs.
        unused: Assumptions in whose place these are.
    """

    parts: list[Part]
    assumptions: Assumptions
    slots: int | None
    cores: int
    limits: Mapping[str, int] = field(default_factory=dict)
    prices: Mapping[str, Price] = field(default_factory=dict)
    unused: Sequence[str] = ()

    @property
    def whole(self) -> Part:
        """The sum of all parts."""
        return total(self.parts)

    @property
    def seconds(self) -> float | None:
        """How long it takes if every slot is busy and queues are empty; None without a limit."""
        if self.slots is None:
            return None
        return self._seconds(self.whole, self.slots)

    @property
    def slowest(self) -> tuple[Part, int, float] | None:
        """The part that takes longest of those with a limit, that limit, and its seconds."""
        found = [
            (part, slots, self._seconds(part, slots))
            for part in self.parts
            if (slots := self.limits.get(part.name)) is not None
        ]
        return max(found, key=lambda one: one[2], default=None)

    def _seconds(self, part: Part, slots: int) -> float:
        return (part.core_hours / (slots * self.cores) + part.gpu_hours / slots) * HOUR

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
    asked = {kind: one.get('inputs', {}) for kind, one in given.items()}
    for part, more in inputs.get(CONVERGENCE, {}).items():
        settings = more['settings'].items()
        asked |= {f'{CONVERGENCE}.{part}.{name}': one for name, one in settings}
    found = {name: engine.price(one) for name, one in asked.items()}
    labels, steps = (
        _priced(found, assumptions, name in (changes or {}))
        for name in ('label_seconds', 'step_seconds')
    )
    for kind, one in given.items():
        if 'sampler' in one:
            steps.pop(kind, None)
            mover = load_engine(one['sampler']['engine'])
            if (price := mover.price(one['sampler'].get('inputs', {}))) is not None:
                steps[kind] = price
    parts = estimate(inputs, Prices(assumptions, sampler, labels, steps), families)
    cores = max((_cores(one) for one in _resources(first.get('inputs', {}))), default=1)
    slots = inputs.get('max_concurrent')
    slots = None if slots is None else int(slots)
    unused = [
        name
        for name, known in (('label_seconds', labels), ('step_seconds', steps | _sampled(given)))
        if set(given) <= set(known)
    ]
    unused += ['exponent'] * (len(unused) == 2)
    shown = {kind: price for kind, price in labels.items() if kind in given}
    return Plan(parts, assumptions, slots, cores, _limits(inputs, given), shown, unused)


def _sampled(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts that a sampler moves."""
    return {kind: one['sampler'] for kind, one in given.items() if 'sampler' in one}


def _priced(
    found: Mapping[str, Price | None], assumptions: Assumptions, assumed: bool
) -> dict[str, Price]:
    """Return the prices of an engine; what is assumed takes their place, k-points still count."""
    names = ('label_seconds', 'step_seconds', 'exponent')
    mine = {name: getattr(assumptions, name) for name in names}
    return {
        kind: replace(one, **mine) if isinstance(one, Meshed) else one
        for kind, one in found.items()
        if one is not None and (isinstance(one, Meshed) or not assumed)
    }


def _limits(inputs: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, int]:
    """Return how many jobs a part has at a time: its own limit, times its engine's.

    A trajectory or relaxation is one structure, whatever number of them the engine would take.
    """
    found = {}
    for kind, one in given.items():
        if (own := one.get('max_concurrent')) is not None:
            many = kind in ('eos', 'sample') or 'sampler' in one
            engine = one.get('inputs', {}).get('max_concurrent')
            found[NAMES[kind]] = int(own) * int(engine or 1 if many else 1)
    for name, scan in inputs.get('scans', {}).items():
        if scan.get('max_concurrent') is not None:
            found[f'scan {name}'] = int(scan['max_concurrent'])
    return found


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
