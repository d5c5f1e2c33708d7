"""Samples: what is built by a recipe or taken from data, and what an engine does with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from ase.data import atomic_masses

from aiida_enne.science.data.configurations import Configurations, concatenate
from aiida_enne.science.data.frames import to_atoms
from aiida_enne.science.data.splits import draw
from aiida_enne.science.options import refuse_unknown
from aiida_enne.science.plans.costs import Frames, Part, Work, engine_part, total
from aiida_enne.science.plans.engine_work import Prices
from aiida_enne.science.plans.tasks import Task, read_task
from aiida_enne.science.structures.domains import Domain, in_order, parse
from aiida_enne.science.structures.liquids import AMU_PER_CUBIC_ANGSTROM
from aiida_enne.science.structures.recipes import build


@dataclass(frozen=True, slots=True)
class Sample:
    """Structures and their task.

    Attributes:
        origin: `recipe`, see `science.structures.recipes.build`, or `start`, see `select_starts`.
        task: What an engine does with them.
        seed: Of dynamics.
        structures: What it begins with.
    """

    origin: Mapping[str, Any]
    task: Task
    seed: int | None
    structures: Configurations

    @classmethod
    def of(cls, label: str, given: Mapping[str, Any], pool: Configurations | None = None) -> Self:
        """Return the sample of plain values, with its structures.

        Args:
            label: Its name, for messages.
            given: `task`, `recipe` or `start` and, for dynamics, `seed`.
            pool: What `start` chooses from.

        Raises:
            ValueError: If a key is missing or unknown, or there are no such structures.
        """
        what = f'sample {label}'
        refuse_unknown(what, given, ('recipe', 'start', 'task', 'seed'))
        origin = {name: given[name] for name in ('recipe', 'start') if name in given}
        if 'task' not in given or len(origin) != 1:
            raise ValueError(
                f'{what}: expected `task`, `recipe` or `start`, and perhaps `seed`, got '
                f'{sorted(given)}'
            )
        try:
            if 'recipe' in given:
                structures = build(given['recipe'])
            elif pool is None:
                raise ValueError('`start` chooses from `pool`, which is not given')
            else:
                structures = select_starts(pool, **given['start'])
            task = read_task(given['task'])
        except (TypeError, ValueError) as exception:
            raise ValueError(f'{what}: {exception}') from None
        return cls(origin, task, given.get('seed'), structures)

    def expected(self) -> Configurations:
        """Return configurations as many as will be recorded, in their domains and blocks.

        Of a relaxation, of which nobody knows the number of steps, it is one a structure.
        """
        if not self.task.stages:
            return self.structures
        recorded = [stage for stage in self.task.stages for _ in range(stage.recorded)]
        chosen = self.structures.select(np.repeat(np.arange(len(self.structures)), len(recorded)))
        pairs = zip(recorded * len(self.structures), chosen.domains.tolist(), strict=True)
        domains = [stage.label(own) for stage, own in pairs]
        return replace(chosen, domains=np.array(domains, dtype=np.str_))

    def cost(self, prices: Prices, *, frames: int | None = None) -> Part:
        """Return what the reference costs: one job for all structures.

        Args:
            prices: Of the engines.
            frames: Of each stage, or of each path, that are labelled of what a sampler moved; None
                for all. Without a sampler all are labels of what moves.
        """
        task, labels = self.task, prices.labels
        steps = {'md': task.steps, 'label': 1, 'relax': labels.relax_steps}[task.kind]
        kept, moves = len(self.expected()) // len(self.structures), bool(task.stages)
        examples = to_atoms(self.structures)
        if moves:  # no symmetry outlives the first step
            for one in examples:
                one.rattle(0.05, seed=1)
        work = [Work(len(one), steps, kept, one) for one in examples]
        price, step = prices.of.get('sample'), prices.moved.get('sample')
        if prices.sampler is None or not moves:
            part = engine_part('', work, labels, md=moves, price=step if moves else price)
            return replace(part, jobs=1)
        stages = [stage.recorded for stage in task.stages]
        n = sum(one if frames is None else min(one, frames) for one in stages)
        asked = [Work(len(one), n, n, one, n) for one in examples]
        sampled = engine_part('', work, prices.sampler, md=True, price=step)
        return total([replace(sampled, jobs=1), engine_part('', asked, labels, price=price)])


def select_starts(
    pool: Configurations,
    count: int = 1,
    domains: Sequence[str] = (),
    densities: Sequence[float] = (),
) -> Configurations:
    """Return configurations to begin with, without labels, each in a block of its own.

    Args:
        pool: What is chosen from.
        count: Configurations of each domain, evenly spread over those that there are.
        domains: Of which; of all by default.
        densities: In g/cm³: every one of them is scaled to each. As it is by default.

    Raises:
        ValueError: If a domain is not there, a number is not positive, or a cell has no volume.
    """
    known = list(dict.fromkeys(pool.domains.tolist()))
    wanted = list(domains or known)
    if missing := in_order(set(wanted) - set(known)):
        raise ValueError(f'there are no configurations of {missing}; there are {in_order(known)}')
    if count < 1 or any(density <= 0 for density in densities):
        raise ValueError(f'`count` and `densities` must be positive, got {count}, {densities}')
    chosen: list[int] = []
    for name in wanted:
        own = np.flatnonzero(pool.domains == name)
        at = np.linspace(0, len(own) - 1, min(count, len(own)))
        chosen += own[np.round(at).astype(int)].tolist()
    starts = pool.select(chosen).unlabelled()
    if densities:
        starts = concatenate([_scale(starts, density) for density in densities])
    return replace(starts, blocks=np.arange(len(starts)), info={})


def _scale(starts: Configurations, density: float) -> Configurations:
    """Return configurations stretched alike in all directions, to a density in g/cm³."""
    if not starts.volumes.all():
        raise ValueError('a configuration whose cell has no volume has no density')
    masses = np.add.reduceat(atomic_masses[starts.numbers], starts.offsets[:-1])
    factors = np.cbrt(masses * AMU_PER_CUBIC_ANGSTROM / density / starts.volumes)
    return replace(
        starts,
        cells=starts.cells * factors[:, None, None],
        positions=starts.positions * np.repeat(factors, starts.n_atoms)[:, None],
    )


def split_expected(
    samples: Sequence[Sample], parameters: Mapping[str, Any]
) -> tuple[Frames, Frames]:
    """Return what is trained on, and what is tested, of samples to be calculated.

    Raises:
        ValueError: If they cannot be split so.
    """
    everything = concatenate([sample.expected() for sample in samples])
    options = {name: value for name, value in parameters.items() if name != 'shared_blocks'}
    split = draw(everything, **options)
    trained, tested = (everything.n_atoms[part] for part in (split.train, split.test))
    return Frames(len(trained), int(trained.sum())), Frames(len(tested), int(tested.sum()))


def count_expected(samples: Sequence[Sample]) -> Frames:
    """Return how much is recorded of samples to be calculated."""
    found = [sample.expected().n_atoms for sample in samples]
    return Frames(sum(map(len, found)), sum(int(one.sum()) for one in found))


def expected_domains(samples: Sequence[Sample], parameters: Mapping[str, Any]) -> dict[str, Domain]:
    """Return the domains that a split of samples to be calculated trains on, and what each is."""
    domains = [name for sample in samples for name in sample.expected().domains.tolist()]
    return {name: parse(name) for name in training_domains(parameters, domains)}


def training_domains(parameters: Mapping[str, Any], domains: Sequence[str]) -> list[str]:
    """Return the domains that a split trains on: those it is restricted to, else all."""
    return list(parameters.get('within') or dict.fromkeys(domains))
