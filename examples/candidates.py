"""Candidates and a held-out set for `launch improve`: `verdi run examples/candidates.py DEMO`.

DEMO is the study of `aiida-enne demo`, trained on liquid silicon alone. Its members never saw the
displaced crystals and vacancies made here: most of them wait unlabelled to be chosen, some are
labelled now, to judge every round. Prints the command that improves the ensemble.
"""

import argparse

from aiida import orm
from aiida.engine import run_get_node

from aiida_enne.calculations.functions import build_configurations
from aiida_enne.data.trainings import TrainedOn
from aiida_enne.provenance import find_ensemble
from aiida_enne.workflows.reference.label import LabelWorkChain

#: Lowest and highest volume in Å³/atom, and repeats of the primitive cell.
CRYSTALS = {
    'diamond': (18.0, 22.0, 2),
    'bc8': (16.5, 20.0, 1),
    'beta-tin': (13.5, 17.5, 2),
    'hcp': (13.0, 17.0, 2),
    'bcc': (13.0, 17.0, 3),
    'fcc': (13.0, 17.0, 3),
}


def recipe(count: int, seed: int) -> orm.List:
    """Return crystals at three volumes and vacancies, so many displaced copies of each."""
    items = [
        {
            'kind': 'phase',
            'phase': phase,
            'volumes': [low, (low + high) / 2, high],
            'repeats': repeats,
            'rattle': {'stdev': 0.12, 'seed': seed, 'count': count},
        }
        for phase, (low, high, repeats) in CRYSTALS.items()
    ]
    vacancy = {'kind': 'defect', 'defect': 'vacancy', 'lattice_constant': 5.431, 'repeats': 2}
    rattle = {'stdev': 0.12, 'seed': seed, 'count': 3 * count}
    return orm.List([*items, vacancy | {'domain': 'vacancy', 'rattle': rattle}])


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('demo', help='PK or UUID of the study')
parser.add_argument('--code', default='python@localhost', help='Python with ASE and NequIP')
chosen = parser.parse_args()

members = find_ensemble(chosen.demo).members
((dataset, split),) = TrainedOn.of({one.label: orm.load_node(one.uuid) for one in members}).sets
held_out = run_get_node(
    LabelWorkChain.get_builder_from_protocol(
        orm.load_code(chosen.code),
        build_configurations(recipe(count=1, seed=7)),
        'ase',
        protocol='laptop',
    )
).node.outputs.dataset
pool = build_configurations(recipe(count=6, seed=11))
print(
    f'{pool.n_frames} candidates, {held_out.n_frames} configurations held out; next:\n'
    f'aiida-enne launch improve --code {chosen.code} --dataset {dataset.pk} --split {split.pk} '
    f'--held-out {held_out.pk} --pool {pool.pk}'
)
