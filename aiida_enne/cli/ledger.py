"""How much of a run is done: parts of a plan whose total never moves, and the time that is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from aiida_enne.provenance.durations import part_of

#: Before so much is done nothing is said about what is left.
TOO_EARLY = 0.02


@dataclass
class Part:
    """What is planned, and how much of that is done.

    Attributes:
        jobs: Planned.
        cost: In any unit, the same for all parts.
        open: Branches that have begun and not ended.
        done: Jobs that have ended.
        ended: Whether every branch that has begun has ended, and one has.
    """

    jobs: int
    cost: float
    done: int = 0
    open: set[str] = field(default_factory=set)
    ended: bool = False

    @property
    def share(self) -> float:
        """How much of it is done, from 0 to 1; retries do not count twice."""
        return 1.0 if self.ended else min(1.0, self.done / max(self.jobs, 1))


class Ledger:
    """The parts of a plan, and what has been done of each.

    Args:
        parts: With `name`, `jobs` and `core_hours`, as `estimate` of a study gives them.
    """

    def __init__(self, parts: Iterable[Any]) -> None:
        self.parts = {
            one.name: Part(one.jobs, one.core_hours + one.gpu_hours) for one in parts if one.jobs
        }
        self.branch_of: dict[int, str] = {}

    @property
    def jobs(self) -> int:
        """Jobs in all: this never moves."""
        return sum(part.jobs for part in self.parts.values())

    @property
    def done(self) -> int:
        """Planned jobs that are done, or known to be needed no more."""
        return sum(round(part.share * part.jobs) for part in self.parts.values())

    def share(self, epochs: float = 0.0) -> float:
        """Return how much of the cost is behind.

        Args:
            epochs: Share of the epochs of members that train now, counted for an ensemble of which
                no job has ended.
        """
        whole = sum(part.cost for part in self.parts.values()) or 1.0
        behind = sum(part.share * part.cost for part in self.parts.values())
        ensemble = self.parts.get('ensemble')
        if ensemble is not None and ensemble.open and not ensemble.done:
            behind += epochs * ensemble.cost
        return behind / whole

    def begin(self, pk: Any, caller: int | None, label: str, *, job: bool) -> Callable[[], None]:
        """Note that a process has begun; return what is to be called when it ends.

        Args:
            pk: Of the process.
            caller: PK of what has called it; None for that which was launched.
            label: Of the link from its caller.
            job: Whether it is a job, and not a work chain.
        """
        if caller is None:
            return lambda: None
        branch = self.branch_of.get(caller, '')
        is_branch = not branch
        branch = self.branch_of[pk] = branch or label
        part = self.parts.get(part_of(branch))

        def end() -> None:
            if part is None:
                return
            part.done += job
            if is_branch:
                part.open.discard(branch)
                part.ended = not part.open

        if part is not None and is_branch:
            part.open.add(branch)
            part.ended = False
        return end

    def follow(self, process: Any) -> None:
        """Note a process that begins in this interpreter, and its end."""
        from aiida import orm

        caller, label = caller_of(process.node)
        job = isinstance(process.node, orm.CalcJobNode)
        end = self.begin(process.node.pk, caller, label, job=job)
        process.future().add_done_callback(lambda _: end())

    def catch_up(self, root: Any) -> None:
        """Count what had ended of a run before it was interrupted."""
        from aiida import orm

        for branch in root.called:
            if branch.is_terminated:
                self.begin(branch.pk, *caller_of(branch), job=False)()
                continue
            for one in branch.called_descendants:
                if isinstance(one, orm.CalcJobNode) and one.is_terminated:
                    self.begin(one.pk, branch.pk, '', job=True)()

    def say(self, seconds: float, epochs: float = 0.0, training: float = 0.0) -> str:
        """Return how far it is, and how long the rest takes at the pace so far.

        Args:
            seconds: Since it began.
            epochs: See `share`.
            training: Seconds left of trainings by their own pace: no less is left in all.
        """
        share, text = self.share(epochs), f'{self.done} of {self.jobs} jobs'
        rest = seconds * (1 - share) / share if share >= TOO_EARLY else 0.0
        return text + say_left(max(rest, training))


def caller_of(node: Any) -> tuple[int | None, str]:
    """Return the PK of what has called a process, and the label of the link; None for nothing."""
    from aiida.common import LinkType

    calls = (LinkType.CALL_CALC, LinkType.CALL_WORK)
    links = node.base.links.get_incoming(link_type=calls).all()
    return (links[0].node.pk, links[0].link_label) if links else (None, '')


def say_left(seconds: float) -> str:
    """Return the end of a line that says how long the rest takes; nothing where it is unknown."""
    return f', {duration(seconds)} left' if seconds else ''


def duration(seconds: float) -> str:
    """Return a time of which one digit matters: about 40 s, about 7 min, about 3 h."""
    if seconds < 90:
        return f'about {max(10, round(seconds, -1)):.0f} s'
    return f'about {seconds / 60:.0f} min' if seconds < 5400 else f'about {seconds / 3600:.0f} h'


def epochs_of(builder: Any) -> int:
    """Return the most epochs that all members of a training may take together; 0 for no training.

    A training of which no limit is known has 0, too.
    """
    from aiida_enne.aiida_private import inputs_of
    from aiida_enne.calculations.ports import plain
    from aiida_enne.workflows.training.ensemble import EnsembleWorkChain

    if builder.process_class is not EnsembleWorkChain:
        return 0
    inputs = plain(inputs_of(builder))
    trainer = inputs['training']['train']['parameters']['trainer']
    return len(inputs['seeds']) * int(trainer.get('max_epochs') or 0)


def plan_of(builder: Any) -> Ledger | None:
    """Return the ledger of a study; None for what has no plan, or one that cannot be made."""
    from aiida_enne.aiida_private import inputs_of
    from aiida_enne.workflows.study.planning import plan
    from aiida_enne.workflows.study.study import StudyWorkChain

    if builder.process_class is not StudyWorkChain:
        return None
    try:
        return Ledger(plan(inputs_of(builder)).parts)
    except ValueError:
        return None
