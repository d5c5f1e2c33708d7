"""Tests of runs in a terminal that do not end as they should: whoever runs them is told why."""

import click
import pytest
from aiida import orm
from aiida.engine import ProcessState, WorkChain

from aiida_enne.cli.foreground import drive, why_ended

pytestmark = pytest.mark.usefixtures('aiida_profile_clean')


class Idle(WorkChain):
    """Does nothing."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.outline(cls.rest)

    def rest(self):
        """Do nothing."""


class Failing(Idle):
    """Fails in the middle of a step."""

    def rest(self):
        raise RuntimeError('the tank is empty')


class Unwritable(Idle):
    """Cannot write down that it has begun."""

    def on_entered(self, from_state):
        if from_state is not None:
            raise OSError('No space left on device')
        super().on_entered(from_state)


class Watch:
    """Shows no progress."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def run(process):
    return drive(process.get_builder(), None, 'key', Watch(), None, keep_jobs=True)


def test_a_process_that_excepted_is_told_with_its_exception():
    node = run(Failing)
    text = why_ended(node)
    assert text.startswith('excepted, not finished: RuntimeError: the tank is empty')
    assert f'aiida-enne -p {node.backend.profile.name} status {node.pk}' in text


def test_a_process_that_was_killed_is_told_with_the_reason():
    node = orm.WorkChainNode()
    node.set_process_state(ProcessState.KILLED)
    node.set_process_status('given up by somebody')
    assert why_ended(node).startswith('killed, not finished: given up by somebody')


def test_a_run_whose_bookkeeping_fails_says_so_and_can_go_on():
    """A database that stays locked, a full disk: what AiiDA itself cannot write down."""
    with pytest.raises(click.ClickException, match=r'cut short .*No space left.*run the same'):
        run(Unwritable)
