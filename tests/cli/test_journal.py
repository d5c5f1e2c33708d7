"""Tests of how much a profile on SQLite waits for the disk."""

import sqlite3

import pytest
from aiida import orm
from aiida.manage import get_manager
from sqlalchemy import text

from aiida_enne.cli.journal import database_of, is_shareable, without_waiting


def level(name='synchronous'):
    session = get_manager().get_profile_storage().get_session()
    found = session.execute(text(f'PRAGMA {name}')).scalar()
    session.commit()
    return found


@pytest.mark.usefixtures('aiida_profile_clean')
def test_commits_wait_for_the_disk_again_when_a_run_is_over():
    """What is written meanwhile is seen by others at once."""
    path = database_of(get_manager().get_profile())
    if path is None:
        pytest.skip('this profile is not on SQLite')
    assert is_shareable()
    full = level()
    with without_waiting():
        assert level() == 1
        assert level('busy_timeout') == 120_000, 'others may write for as long'
        pk = orm.Int(7).store().pk
        assert level() == 1, 'a commit returns to the same connection'
        with sqlite3.connect(path) as other:
            assert other.execute('select count(*) from db_dbnode where id=?', (pk,)).fetchone()[0]
    assert level() == full == 2
    assert level('busy_timeout') == 5_000
