"""Stands in for the Python of a cluster: leaves what a training or a prediction would, at once.

Called as `standin.py nequip_train.py …` or `standin.py nequip_predict.py …` in the job's folder.
Numbers are drawn from the seeds; the checkpoints are noise of the size of a small model's.
"""

import hashlib
import json
import random
import sys
from pathlib import Path

import numpy as np

EPOCHS, CHECKPOINT_BYTES = 50, 90_000
VERSIONS = {'nequip': '0', 'torch': '0', 'e3nn': '0', 'lightning': '0'}


def train() -> None:
    """Leave history, checkpoint and result of every member that has a folder."""
    for config in sorted(Path('members').glob('*/config.yaml')):
        folder = config.parent
        rng = random.Random(folder.name)
        best = rng.randbytes(CHECKPOINT_BYTES)
        (folder / 'checkpoints').mkdir(exist_ok=True)
        (folder / 'checkpoints' / 'best.ckpt').write_bytes(best)
        rows = [f'{epoch},{10 * (epoch + 1)},{1 / (epoch + 1)}' for epoch in range(EPOCHS)]
        (folder / 'history.csv').write_text('\n'.join(['epoch,step,val0_epoch/forces_mae', *rows]))
        result = {
            'status': 'finished',
            'first_epoch': 0,
            'epochs': EPOCHS,
            'versions': VERSIONS,
            'best_epoch': EPOCHS - 1,
            'best_score': 1 / EPOCHS,
            'metrics': {'val0_epoch/forces_mae': 1 / EPOCHS},
            'weights_sha256': hashlib.sha256(best).hexdigest(),
            'n_parameters': 20_000,
            'type_names': ['Cu'],
            'r_max': 4.0,
        }
        (folder / 'result.json').write_text(json.dumps(result))


def predict() -> None:
    """Leave a prediction of every member, and the result."""
    settings = json.loads(Path('predict.json').read_text())
    with np.load('configurations.npz') as arrays:
        indices, n_atoms = arrays['indices'], arrays['n_atoms']
    Path('predictions').mkdir()
    for label in settings['members']:
        rng = np.random.default_rng(list(label.encode()))
        forces = rng.normal(size=(n_atoms.sum(), 3)).astype(np.float32)
        energies = rng.normal(size=len(indices))
        np.savez(f'predictions/{label}.npz', indices=indices, energies=energies, forces=forces)
    member = {'status': 'finished', 'message': '', 'mode': 'eager', 'note': ''}
    result = {'members': dict.fromkeys(settings['members'], member), 'versions': VERSIONS}
    Path('result.json').write_text(json.dumps(result))


if __name__ == '__main__':
    {'nequip_train.py': train, 'nequip_predict.py': predict}[sys.argv[1]]()
