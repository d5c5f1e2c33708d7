"""AiiDA's own part of a study: one whose jobs all come from the cache, and where its time goes.

python benchmarks/study.py FOLDER [--members 8] [--profile]

The first run in a folder makes a profile there and really runs the study; whatever comes after
computes nothing.
"""

import argparse
import cProfile
import logging
import os
import pstats
import time
from collections import Counter
from pathlib import Path
from typing import Any

#: Where time is spent: the first of these that is part of a file's path.
ROOMS = (
    *('aiida_enne', 'aiida/orm', 'aiida/engine', 'aiida/storage', 'aiida/repository', 'aiida'),
    *('plumpy', 'sqlalchemy', 'disk_objectstore', 'numpy', 'ase', 'asyncio', 'yaml', 'json'),
)


def main() -> None:
    """Run the study until all of it comes from the cache, and print what that costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--members', type=int, default=8)
    parser.add_argument('--profile', action='store_true', help='say where the time goes (slower)')
    chosen = parser.parse_args()
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    begin = time.perf_counter(), cpu()
    builder = make(chosen.folder.resolve(), chosen.members)
    print(f'imports and the builder: {since(begin)}', flush=True)
    while True:
        profile = cProfile.Profile(time.process_time)
        if chosen.profile:
            profile.enable()
        begin = time.perf_counter(), cpu()
        jobs, computed = run(builder)
        text = since(begin)
        profile.disable()
        seconds = time.perf_counter() - begin[0]
        print(f'{jobs} jobs, {computed} of them computed: {text}', flush=True)
        if not computed:
            break
    print(f'{seconds / jobs:.2f} s a job')
    if chosen.profile:
        describe(profile)


def make(folder: Path, members: int) -> Any:
    """Return the inputs of the study in the folder's own profile."""
    from aiida_enne.cli.demo import make_profile, python_code

    make_profile(folder)  # before anything of AiiDA is imported
    from aiida_enne.workflows.study.study import StudyWorkChain

    logging.disable(logging.WARNING)
    sizes, seeds = [8, 16, 22], [1, 2]
    scans = {
        'degree': {'kind': 'grid', 'l_max': [0, 1], 'sizes': sizes, 'seeds': seeds},
        'size': {'kind': 'sizes', 'sizes': sizes, 'seeds': seeds},
        'feature': {'kind': 'features', 'features': [4, 8], 'seeds': seeds},
        'subset': {'kind': 'subsets', 'sets': 3, 'size': 8, 'seeds': seeds},
    }
    overrides = {
        'liquid': {'temperatures': [1600.0, 2400.0], 'criteria': {'min_displacement': 0.0}},
        'eos': {'phases': ['diamond', 'beta-tin', 'hcp', 'bcc', 'fcc']},
        'defect': {'defects': ['vacancy', 'hexagonal']},
        'ensemble': {'seeds': list(range(1, members + 1)), 'members_per_job': members},
        'scans': {name: given | {'max_concurrent': 2} for name, given in scans.items()},
    }
    code = python_code()
    return StudyWorkChain.get_builder_from_protocol(code, protocol='test', overrides=overrides)


def run(builder: Any) -> tuple[int, int]:
    """Run the study; return how many jobs it has, and how many of them were computed."""
    from aiida import orm

    from aiida_enne.aiida_private import foreground_runner, run_until, schedule
    from aiida_enne.cli.foreground import writing
    from aiida_enne.cli.journal import without_waiting

    with writing(), without_waiting(), foreground_runner() as runner:
        node, end = schedule(runner, builder)
        run_until(runner, end)
    if not node.is_finished_ok:
        print(f'exit status {node.exit_status}: {node.exit_message}')
    jobs = [one for one in node.called_descendants if isinstance(one, orm.CalcJobNode)]
    return len(jobs), sum(not one.base.caching.is_created_from_cache for one in jobs)


def cpu() -> float:
    """Return CPU seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


def since(begin: tuple[float, float]) -> str:
    """Say what has passed."""
    wall, used = time.perf_counter() - begin[0], cpu() - begin[1]
    return f'{wall:.1f} s, {used:.1f} CPU s'


def describe(profile: cProfile.Profile) -> None:
    """Print own time by room, then the functions that take most together with what they call."""
    stats = pstats.Stats(profile)
    rooms: Counter[str] = Counter()
    for (file, _, _), (_, _, own, _, _) in stats.stats.items():
        rooms[next((room for room in ROOMS if f'/{room}/' in file), 'other')] += own
    for room, seconds in rooms.most_common():
        print(f'{seconds:8.2f} s  {room}')
    stats.sort_stats('cumulative').print_stats(70)


if __name__ == '__main__':
    main()
