"""Calculation function that summarises an ensemble in one node."""

from typing import Any

from aiida import orm
from aiida.engine import calcfunction

FATE = ('exit_status', 'exit_label', 'exit_message', 'epochs')


@calcfunction
def summarise_ensemble(seeds: orm.List, **results: orm.Dict) -> orm.Dict:
    """Return which members are complete and why the others are not.

    Args:
        seeds: Seeds of all members that were asked for.
        **results: What the training said of each, by label `seed_7`; absent where a job was lost.
    """
    finished: list[int] = []
    failed: dict[str, dict[str, Any]] = {}
    for seed in seeds.get_list():
        label = f'seed_{seed}'
        if label not in results:
            failed[label] = {'exit_status': None, 'exit_message': 'its job left nothing'}
        elif results[label]['exit_status']:
            failed[label] = {key: results[label].get_dict().get(key) for key in FATE}
        else:
            finished.append(seed)
    return orm.Dict({'n_members': len(finished), 'finished': finished, 'failed': failed})
