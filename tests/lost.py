"""Processes of jobs that are lost: the database goes away while one looks after its job."""

from aiida.engine.processes.calcjobs import tasks
from sqlalchemy.exc import OperationalError


def lose(monkeypatch, task: str, times: int = 1) -> None:
    """Let the next processes of jobs end by an exception at a task, `task_update_job` say."""
    kept, left = getattr(tasks, task), [times]

    async def failing(*args, **kwargs):
        if left[0]:
            left[0] -= 1
            raise OperationalError('UPDATE db_dbnode', {}, Exception('the server is shutting down'))
        return await kept(*args, **kwargs)

    monkeypatch.setattr(tasks, task, failing)
