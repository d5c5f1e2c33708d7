"""Labels, trainings and audits driven by a daemon, the work itself left out; part of `scale.py`."""

import argparse
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ase.build import bulk
from scale import clock_workers


def drive(
    chosen: argparse.Namespace, folder: Path, name: str, size: Callable[[], dict[str, float]]
) -> None:
    """Drive all three stages, and print for each what a job of it cost."""
    from aiida.engine.daemon import client

    client.VERDI_BIN = str(Path(sys.executable).with_name('verdi'))
    daemon = client.get_daemon_client()
    daemon.start_daemon(chosen.workers)
    try:
        workers = [int(pid) for pid in daemon.get_worker_info()['info']]
        python, standin = make_codes(folder)
        print(f'{name}, {chosen.workers} workers')
        dataset = labels(chosen, python, Stage(workers, size))
        ensembles = trainings(chosen, dataset, standin, Stage(workers, size))
        audits(dataset, ensembles, standin, Stage(workers, size))
    finally:
        daemon.stop_daemon(wait=True)


class Stage:
    """What the processes submitted together cost."""

    def __init__(self, workers: list[int], size: Callable[[], dict[str, float]]) -> None:
        """Begin to count."""
        self.workers, self.size = workers, size
        self.begin, self.before = clock_workers(workers), size()

    def finish(self, what: str, processes: list[Any]) -> list[Any]:
        """Wait for the processes, print what they cost, and return them."""
        from aiida import orm

        while not all(orm.load_node(one.pk).is_terminated for one in processes):
            time.sleep(1)
        done = [orm.load_node(one.pk) for one in processes]
        if failed := [one for one in done if not one.is_finished_ok]:
            raise RuntimeError(f'{failed[0]}: {failed[0].exit_message or failed[0].exception}')
        jobs = sum(
            isinstance(node, orm.CalcJobNode) for one in done for node in one.called_descendants
        )
        now, after = clock_workers(self.workers), self.size()
        seconds, cpu = now[0] - self.begin[0], now[1] - self.begin[1]
        print(
            f'{what}: {jobs} jobs in {seconds:.0f} s; a job: {seconds / jobs:.2f} s, '
            f"{cpu / jobs:.2f} s of the workers' CPU; memory of a worker: {now[2]:.0f} MB"
        )
        for key, megabytes in after.items():
            added = 1e3 * (megabytes - self.before[key]) / jobs
            print(f'    {key}: {megabytes:.1f} MB, {added:.0f} kB a job', flush=True)
        return done


def make_codes(folder: Path) -> tuple[Any, Any]:
    """Return this Python and the stand-in as codes on localhost."""
    from aiida import orm

    computer = orm.Computer(
        label='localhost',
        hostname='localhost',
        transport_type='core.local',
        scheduler_type='core.direct',
        workdir=str(folder / 'work'),
    ).store()
    computer.configure(safe_interval=0)
    computer.set_minimum_job_poll_interval(1)
    script = folder / 'standin'
    script.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).parent}/standin.py "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IEXEC)
    places = {'python': sys.executable, 'standin': script}
    python, standin = (
        orm.InstalledCode(label=label, computer=computer, filepath_executable=str(path)).store()
        for label, path in places.items()
    )
    return python, standin


def labels(chosen: argparse.Namespace, python: Any, stage: Stage) -> Any:
    """Label copper by EMT, in pieces, and return the dataset."""
    from aiida.engine import submit

    from aiida_enne.data.configurations import ConfigurationsData
    from aiida_enne.workflows.reference.label import LabelWorkChain

    frames = []
    for seed in range(chosen.labels):
        frames.append(bulk('Cu', cubic=True) * (2, 2, 2))
        frames[-1].rattle(0.1, seed=seed)
        frames[-1].info = {'domain': 'copper', 'block': seed // 10}
    builder = LabelWorkChain.get_builder_from_protocol(
        python,
        ConfigurationsData.from_atoms(frames),
        protocol='test',
        overrides={
            'per_job': chosen.per_job,
            'max_concurrent': 20,
            'inputs': {'calculator': 'emt'},
        },
    )
    (done,) = stage.finish(f'{chosen.labels} labels', [submit(builder)])
    return done.outputs.dataset


def trainings(chosen: argparse.Namespace, dataset: Any, standin: Any, stage: Stage) -> list[Any]:
    """Train all ensembles at once, one job a member, and return their processes."""
    from aiida.engine import submit

    from aiida_enne.calculations.functions import split_dataset
    from aiida_enne.workflows.training.ensemble import EnsembleWorkChain

    split = split_dataset(
        dataset, {'method': 'blocks', 'fractions': [0.6, 0.2, 0.2], 'gap': 0, 'shared_blocks': True}
    )
    submitted = []
    for number in range(chosen.ensembles):
        first = 1 + number * chosen.members
        builder = EnsembleWorkChain.get_builder_from_protocol(
            standin,
            dataset,
            split,
            protocol='test',
            overrides={
                'members_per_job': 1,
                'seeds': list(range(first, first + chosen.members)),
            },
        )
        submitted.append(submit(builder))
    what = f'{chosen.ensembles} ensembles of {chosen.members}'
    return stage.finish(what, submitted)


def audits(dataset: Any, ensembles: list[Any], standin: Any, stage: Stage) -> None:
    """Audit every ensemble on the whole dataset and on the first half of it."""
    from aiida.engine import submit

    from aiida_enne.data.dataset import DatasetData
    from aiida_enne.workflows.audit import AuditWorkChain

    n = dataset.n_frames
    half = dataset.get_configurations().select(np.arange(n // 2))
    datasets = {
        'whole': dataset,
        'half': DatasetData.from_configurations(half, level_of_theory=dataset.level_of_theory),
    }
    submitted = [
        submit(
            AuditWorkChain.get_builder_from_protocol(
                standin, dict(one.outputs.models), datasets, protocol='test'
            )
        )
        for one in ensembles
    ]
    stage.finish(f'{len(ensembles)} audits on {len(datasets)} datasets', submitted)
