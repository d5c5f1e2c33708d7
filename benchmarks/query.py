"""Time of reading the scalars of many predictions: one projection against opening every node.

Makes a temporary SQLite profile with `--nodes` prediction nodes of ensembles of 30 members on 20
datasets, then asks for the force MAE of all of them, and for one ensemble on one dataset. The other
side does what a script without attributes does: it loads the nodes and reads their arrays.
"""

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

MEMBERS, DATASETS = 30, 20


def main() -> None:
    """Print both sides' seconds and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--nodes', type=int, default=10_000, help='prediction nodes in all')
    parser.add_argument('--loaded', type=int, default=1000, help='nodes the other side opens')
    chosen = parser.parse_args()

    from aiida import load_profile
    from aiida.storage.sqlite_temp import SqliteTempBackend

    with tempfile.TemporaryDirectory() as folder:
        profile = SqliteTempBackend.create_profile('benchmark', filepath=folder)
        load_profile(profile, allow_switch=True)
        seconds, _ = clock(lambda: fill(chosen.nodes))
        print(f'{chosen.nodes} prediction nodes stored in {seconds:.1f} s')
        compare(chosen.nodes, min(chosen.loaded, chosen.nodes))


def fill(n: int) -> None:
    """Store n small prediction nodes."""
    from aiida_enne.data.prediction import PredictionData

    arrays = {'indices': np.arange(2), 'energies': np.zeros(2), 'forces': np.zeros((4, 3))}
    for number in range(n):
        ensemble, rest = divmod(number, MEMBERS * DATASETS)
        member, dataset = divmod(rest, DATASETS)
        PredictionData.from_arrays(
            arrays,
            dataset_sha256=digest('dataset', dataset),
            weights_sha256=digest('member', ensemble * MEMBERS + member),
            seed=member,
            force_mae=number / n,
            energy_mae=number / n,
        ).store()


def compare(n: int, loaded: int) -> None:
    """Read by projection, and by opening the file of every node."""
    from aiida import orm

    from aiida_enne import provenance
    from aiida_enne.data.prediction import PredictionData

    count = -(-n // DATASETS)
    members = tuple(
        provenance.Member(f'seed_{i}', '', i, digest('member', i), {}) for i in range(count)
    )
    everyone = provenance.Ensemble('', members)
    all_seconds, rows = clock(lambda: provenance.prediction_scalars([everyone]))
    first = provenance.Ensemble('', members[:MEMBERS])
    one_seconds, found = clock(lambda: provenance.find_predictions(first, digest('dataset', 0)))
    query = orm.QueryBuilder().append(PredictionData).limit(loaded)
    load_seconds, _ = clock(
        lambda: [np.abs(node.get_arrays()['forces']).mean() for (node,) in query.iterall()]
    )
    per_node = load_seconds * len(rows) / loaded
    print(f'one projection of {len(rows)} rows: {all_seconds:.2f} s')
    print(f'opening {loaded} nodes: {load_seconds:.2f} s, i.e. {per_node:.2f} s for all')
    print(f'one ensemble on one dataset, {len(found)} predictions: {one_seconds:.2f} s')
    print(f'ratio opening / projection: {per_node / all_seconds:.1f}')


def clock(action: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds of an action and what it gave."""
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def digest(kind: str, number: int) -> str:
    """Return a digest that stands for a content."""
    return hashlib.sha256(f'{kind}{number}'.encode()).hexdigest()


if __name__ == '__main__':
    main()
