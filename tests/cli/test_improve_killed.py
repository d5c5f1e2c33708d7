"""An improvement whose process is killed goes on in another, and pays for nothing twice."""

import json
import signal
import subprocess
import sys

import pytest
import yaml

from tests import warm
from tests.cli.test_foreground import PATIENCE, Place, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.nequip]

MAKE = """
import sys
from pathlib import Path
from aiida import load_profile, orm
from ase.io import read
load_profile()
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from tests.improving import copper
held = DatasetData.from_atoms(copper(range(50, 53), 0.2, 'hot'), level_of_theory='EMT').store()
pool = ConfigurationsData.from_atoms(copper(range(20, 28), 0.25, 'pool')).store()
computer = orm.load_computer('localhost')
orm.InstalledCode(label='warm', computer=computer, filepath_executable=sys.argv[1]).store()
print(held.pk, pool.pk)
"""

LOOK = """
import hashlib, json
from aiida import load_profile, orm
load_profile()
def frames(node):
    found, each = node.get_configurations(), []
    for i in range(len(found)):
        each.append(hashlib.sha256(found.positions[found.atom_index([i])].tobytes()).hexdigest())
    return each
roots = [n for n in orm.QueryBuilder().append(orm.WorkChainNode).all(flat=True) if n.caller is None]
(root,) = roots
jobs = [n for n in root.called_descendants if isinstance(n, orm.CalcJobNode)]
trained, labelled = [], []
for job in jobs:
    if job.process_label == 'NequipTrainCalculation':
        seeds = [seed.value for seed in job.inputs.seeds.values()]
        trained += [[job.inputs.dataset.sha256, seed] for seed in seeds]
    if job.process_label == 'AseRunCalculation':
        labelled += frames(job.inputs.configurations)
print(json.dumps({
    'kind': root.process_label,
    'exit': root.exit_status,
    'calls': [link.link_label for link in root.base.links.get_outgoing().all()
              if isinstance(link.node, orm.WorkChainNode)
              and link.link_type.value.startswith('call')],
    'trained': trained,
    'labelled': labelled,
    'bought': sorted({one for path in dict(root.outputs.datasets).values()
                      for one in frames(path)}),
    'ended': [one['ended'] for one in root.outputs.summary['paths'].values()],
}))
"""

ARMS = {'ensemble': {'diversity': 1}, 'farthest': None}
OVERRIDES = {
    'arms': ARMS,
    'improving': {'rounds': 1, 'batch': 2},
    'label': {'inputs': {'calculator': 'emt'}},
    'ensemble': {'training': {'train': {'parameters': {'trainer': {'max_epochs': 1}}}}},
}


class Run:
    """One run of the command in a session of its own."""

    def __init__(self, place, words):
        self.log = place.folder / f'improve_{len(list(place.folder.glob("improve_*")))}'
        command = [sys.executable, '-m', 'aiida_enne', 'launch', 'improve', *words]
        with self.log.open('w') as log:
            self.process = subprocess.Popen(
                command, env=place.environment, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def text(self):
        return self.log.read_text()


def test_nothing_is_labelled_or_trained_twice(tmp_path_factory, labelled_frames):
    place = Place(tmp_path_factory.mktemp('improved'), labelled_frames)
    held, pool = place.python('-c', MAKE, warm.python()).split()
    overrides = place.folder / 'improve.yaml'
    overrides.write_text(yaml.safe_dump(OVERRIDES))
    words = [*place.words[:4], '--held-out', held, '--pool', pool, '--code', 'warm@localhost']
    words += ['--protocol', 'test', '--overrides', str(overrides)]

    first = Run(place, words)
    # the labels of the round are there, and the first training with them has begun
    wait_until(lambda: len(place.progress(1)) > 1, first)
    first.process.send_signal(signal.SIGKILL)
    assert first.process.wait(PATIENCE) == -signal.SIGKILL

    second = Run(place, words)
    assert second.process.wait(PATIENCE) == 0, second.text
    assert 'Going on with ImproveWorkChain' in second.text
    found = json.loads(place.python('-c', LOOK))
    assert (found['kind'], found['exit']) == ('ImproveWorkChain', 0)
    assert found['ended'] == ['all rounds are done'] * 2
    assert len(found['calls']) == len(set(found['calls'])), found['calls']
    names = sorted(one for one in found['calls'] if one.startswith(('label', 'train')))
    assert names == [
        'label_round_0',
        'train_ensemble_1_round_0',
        'train_ensemble_1_round_1',
        'train_random_1_round_1',
    ]
    trained = [tuple(one) for one in found['trained']]
    assert len(trained) == len(set(trained)) == 3 * 2
    assert len(found['labelled']) == len(set(found['labelled'])) <= 4
    known = len(labelled_frames)
    assert set(found['labelled']) <= set(found['bought'])
    assert len(found['bought']) == known + len(found['labelled'])
