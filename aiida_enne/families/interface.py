"""The one interface between a family of models and the package."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Strategy:
    """How the members of a training share a job; it changes no digit of a model.

    Attributes:
        families: Names of the families that it trains.
        scripts: Of the job, by file name; the first is run.
        texts: Of those scripts that are not the family's own, by file name.
    """

    families: Collection[str]
    scripts: Sequence[str]
    texts: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Family(Protocol):
    """A family of models: how it is trained and evaluated, as plain values; torch is not imported.

    Attributes:
        name: By which it is registered and chosen.
        extra: What to install with `pip` on the computer that trains, beside NequIP.
        strategies: Scripts of a training job, by how its members share the job; the first script
            is run. `sequential` is always there; other packages add theirs as a `Strategy`.
        prediction_scripts: Scripts of a prediction job.
        kernels: By strategy, name and version of what trains members where this changes the last
            digits; part of a model's identity. `vectorised` trains them together.
        gain: How many times less a member takes of a step, or of a prediction, where all members
            are computed at once; 1 where a family cannot do it.
    """

    name: str
    extra: str
    strategies: Mapping[str, Sequence[str]]
    prediction_scripts: Sequence[str]
    kernels: Mapping[str, str]
    gain: float

    def owns(self, target: str) -> bool:
        """Return whether a model is of this family, by the import path of its builder."""

    def script(self, name: str) -> str:
        """Return the text of a script."""

    def model(self, protocol: str) -> dict[str, Any]:
        """Return the model of a protocol of `ensemble.yaml`; empty where that has it already."""

    def check(self, parameters: Parameters) -> str | None:
        """Return why these cannot be the parameters of a training, or None if they can."""

    def misspelt(self, parameters: Parameters) -> str:
        """Return which keys the trainer does not know; empty where it is not installed here.

        It takes seconds: launches ask, validators do not.
        """

    def render(self, parameters: Parameters, *, seed: int, elements: Sequence[str]) -> Any:
        """Return the trainer's configuration of one member."""

    def identity(
        self,
        parameters: Parameters,
        *,
        seed: int,
        elements: Sequence[str],
        data: Sequence[str],
        kernel: str = '',
    ) -> str:
        """Return the digest of all that decides what a training gives, code and machine aside."""

    def choose(self, parameters: Parameters, *, members: int, frames: int) -> tuple[str, str]:
        """Return the strategy that costs least on CPUs, and why in one sentence.

        Args:
            parameters: Of the training.
            members: Members of a job.
            frames: Training configurations.
        """

    def describe(self, model: Mapping[str, Any]) -> str:
        """Return the size of a model in a few words."""

    def step_seconds(self, model: Mapping[str, Any]) -> float:
        """Return the seconds of a training step of 64 atoms on one core.

        Raises:
            ValueError: If the model lacks what the estimate needs; it names that.
        """

    def inference_seconds(self, model: Mapping[str, Any]) -> float:
        """Return the seconds of energy and forces of 64 atoms on one core."""
