"""The audit's query among ever more predictions; part of `scale.py query`."""

from functools import partial
from typing import Any

import numpy as np
from query import DATASETS, MEMBERS, clock, digest


def compare(n: int, name: str) -> None:
    """Print the seconds of both queries at each power of ten up to n."""
    from aiida_enne import provenance

    template, sizes, stored = store_template(), [10**k for k in range(2, 9) if 10**k <= n], 1
    print(f'{name}: one ensemble of {MEMBERS} on one of {DATASETS} datasets; 2 scalars of all')
    for size in sizes:
        filling, _ = clock(partial(fill, template, stored, size))
        stored = size
        ensembles = [ensemble(number) for number in range(-(-size // (MEMBERS * DATASETS)))]
        one, found = clock(partial(provenance.find_predictions, ensembles[0], digest('dataset', 0)))
        everyone, rows = clock(partial(provenance.prediction_scalars, ensembles))
        print(
            f'{size:>7} predictions: one audit {one:.3f} s ({len(found)} found), '
            f'all scalars {everyone:.3f} s ({len(rows)} rows); filled in {filling:.0f} s',
            flush=True,
        )


def ensemble(number: int) -> Any:
    """Return an ensemble as the provenance tells it."""
    from aiida_enne import provenance

    members = (
        provenance.Member(f'seed_{i}', '', i, digest('member', number * MEMBERS + i), {})
        for i in range(MEMBERS)
    )
    return provenance.Ensemble('', tuple(members))


def attributes_of(number: int) -> dict[str, Any]:
    """Return what tells a prediction: which member on which dataset."""
    group, rest = divmod(number, MEMBERS * DATASETS)
    member, dataset = divmod(rest, DATASETS)
    return {
        'dataset_sha256': digest('dataset', dataset),
        'weights_sha256': digest('member', group * MEMBERS + member),
        'seed': member,
        'force_mae': 0.1,
        'energy_mae': 0.01,
    }


def store_template() -> Any:
    """Store the first prediction as every prediction is stored, and return its node."""
    from aiida_enne.data.prediction import PredictionData

    arrays = {'indices': np.arange(2), 'energies': np.zeros(2), 'forces': np.zeros((4, 3))}
    return PredictionData.from_arrays(arrays, **attributes_of(0)).store()


def fill(template: Any, first: int, last: int) -> None:
    """Add predictions as the import of an archive adds nodes: many rows at a time."""
    from aiida.common.utils import get_new_uuid
    from aiida.manage import get_manager
    from aiida.orm.entities import EntityTypes

    backend = get_manager().get_profile_storage()
    same = {
        'node_type': template.node_type,
        'process_type': None,
        'label': '',
        'description': '',
        'ctime': template.ctime,
        'mtime': template.mtime,
        'extras': {},
        'repository_metadata': template.base.repository.metadata,
        'dbcomputer_id': None,
        'user_id': template.user.pk,
    }
    known = template.base.attributes.all
    for begin in range(first, last, 5000):
        rows = [
            same | {'uuid': get_new_uuid(), 'attributes': known | attributes_of(number)}
            for number in range(begin, min(begin + 5000, last))
        ]
        with backend.transaction():
            backend.bulk_insert(EntityTypes.NODE, rows)
