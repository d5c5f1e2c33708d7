"""Samples: what is built by a recipe, and what the reference does with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from aiida_enne.science.data.configurations import Configurations, concatenate
from aiida_enne.science.data.splits import draw
from aiida_enne.science.plans.costs import Assumptions, Frames, Part, engine_part, total
from aiida_enne.science.structures.recipes import build

#: What a sample may hold.
KEYS = ('recipe', 'task', 'seed')


@dataclass(frozen=True, slots=True)
class Sample:
    """Structures of a recipe and their task.

    Attributes:
        recipe: See `science.structures.recipes.build`.
        task: See `codes.tasks.complete_task`.
        seed: Of dynamics.
        structures: What the recipe builds.
    """

    recipe: Sequence[Mapping[str, Any]]
    task: Mapping[str, Any]
    seed: int | None
    structures: Configurations

    @classmethod
    def of(cls, label: str, given: Mapping[str, Any]) -> Self:
        """Return the sample of plain values, its structures built.

        Args:
            label: Its name, for messages.
            given: `recipe`, `task` and, for dynamics, `seed`.

        Raises:
            ValueError: If a key is missing or unknown, or the recipe cannot be built.
        """
        if set(given) - set(KEYS) or not {'recipe', 'task'} <= set(given):
            raise ValueError(
                f'sample {label}: expected `recipe`, `task` and perhaps `seed`, got {sorted(given)}'
            )
        try:
            structures = build(given['recipe'])
        except ValueError as exception:
            raise ValueError(f'sample {label}: {exception}') from None
        return cls(given['recipe'], given['task'], given.get('seed'), structures)

    @property
    def stages(self) -> Sequence[Mapping[str, Any]]:
        """Stages of dynamics; there are none of other tasks."""
        stages: Sequence[Mapping[str, Any]] = self.task.get('stages', ())
        return stages

    def expected(self) -> Configurations:
        """Return configurations as many as will be recorded, in their domains and blocks.

        Of a relaxation, of which nobody knows the number of steps, it is one a structure.
        """
        if not self.stages:
            return self.structures
        kept = [stage['steps'] // every for stage in self.stages if (every := _every(stage))]
        named = [stage.get('domain', '{domain}') for stage in self.stages if _every(stage)]
        index = np.repeat(np.arange(len(self.structures)), sum(kept))
        chosen = self.structures.select(index)
        recorded = np.tile(np.repeat(named, kept), len(self.structures))
        domains = [
            name.replace('{domain}', own)
            for name, own in zip(recorded.tolist(), chosen.domains.tolist(), strict=True)
        ]
        return replace(chosen, domains=np.array(domains, dtype=np.str_))

    def cost(self, assumptions: Assumptions) -> Part:
        """Return what the reference costs: one job for all structures."""
        steps, n_atoms = self._steps(assumptions), self.structures.n_atoms.tolist()
        kept = len(self.expected()) // len(self.structures)
        each = [engine_part('', [(n, steps, kept)], assumptions, md=self._moves) for n in n_atoms]
        return replace(total(each), jobs=1)

    @property
    def _moves(self) -> bool:
        return bool(self.task['kind'] == 'md')

    def _steps(self, assumptions: Assumptions) -> int:
        if self._moves:
            return sum(stage['steps'] for stage in self.stages)
        return 1 if self.task['kind'] == 'label' else assumptions.relax_steps


def split_expected(samples: Sequence[Sample], parameters: Mapping[str, Any]) -> tuple[int, Frames]:
    """Return the size of the training set, and what is tested, of samples to be calculated.

    Raises:
        ValueError: If they cannot be split so.
    """
    everything = concatenate([sample.expected() for sample in samples])
    options = {name: value for name, value in parameters.items() if name != 'shared_blocks'}
    split = draw(everything, **options)
    tested = everything.n_atoms[split.test]
    return len(split.train), Frames(len(tested), int(tested.sum()))


def count_expected(samples: Sequence[Sample]) -> Frames:
    """Return how much is recorded of samples to be calculated."""
    found = [sample.expected().n_atoms for sample in samples]
    return Frames(sum(map(len, found)), sum(int(one.sum()) for one in found))


def training_domains(parameters: Mapping[str, Any], domains: Sequence[str]) -> list[str]:
    """Return the domains that a split trains on: those it is restricted to, else all."""
    return list(parameters.get('within') or dict.fromkeys(domains))


def _every(stage: Mapping[str, Any]) -> int:
    return int(stage.get('record_every', 0))
