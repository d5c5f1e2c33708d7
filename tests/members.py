"""Three members really trained for one epoch: the checkpoints that predictions are tested with."""

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_enne.data.model import ModelData
from aiida_enne.families.nequip import starting, training
from aiida_enne.science.data import frames
from tests import warm

SEEDS = (7, 8, 9)
ELEMENTS = ['Al', 'Cu']
R_MAX = 3.5
PARAMETERS = {
    'data': {
        '_target_': 'nequip.data.datamodule.ASEDataModule',
        'transforms': [
            {
                '_target_': 'nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper',
                'model_type_names': ELEMENTS,
                'chemical_species_to_atom_type_map': {name: name for name in ELEMENTS},
            },
            {'_target_': 'nequip.data.transforms.NeighborListTransform', 'r_max': R_MAX},
        ],
        'train_dataloader': {'_target_': 'torch.utils.data.DataLoader', 'batch_size': 2},
        'val_dataloader': {'_target_': 'torch.utils.data.DataLoader', 'batch_size': 2},
        'stats_manager': {
            '_target_': 'nequip.data.CommonDataStatisticsManager',
            'type_names': ELEMENTS,
            'dataloader_kwargs': {'batch_size': 2},
        },
    },
    'trainer': {
        '_target_': 'lightning.Trainer',
        'accelerator': 'cpu',
        'max_epochs': 1,
        'enable_progress_bar': False,
        'num_sanity_val_steps': 0,
    },
    'training_module': {
        '_target_': 'nequip.train.EMALightningModule',
        'loss': {
            '_target_': 'nequip.train.EnergyForceLoss',
            'coeffs': {'total_energy': 1.0, 'forces': 1.0},
        },
        'val_metrics': {
            '_target_': 'nequip.train.EnergyForceMetrics',
            'coeffs': {'total_energy_mae': 1.0, 'forces_mae': 1.0},
        },
        'optimizer': {'_target_': 'torch.optim.Adam', 'lr': 0.01},
        'model': {
            '_target_': 'nequip.model.NequIPGNNModel',
            'type_names': ELEMENTS,
            'model_dtype': 'float32',
            'r_max': R_MAX,
            'num_layers': 2,
            'l_max': 1,
            'num_features': 4,
            'parity': False,
            'radial_mlp_depth': 1,
            'radial_mlp_width': 8,
            'avg_num_neighbors': '${training_data_stats:num_neighbors_mean}',
            'per_type_energy_shifts': '${training_data_stats:per_atom_energy_mean}',
            'per_type_energy_scales': '${training_data_stats:forces_rms}',
        },
    },
}


def alloys(n, seed=0):
    """Return rattled cells of aluminium and copper with EMT labels."""
    rng, made = np.random.default_rng(seed), []
    for index in range(n):
        atoms = bulk('Cu', cubic=True)
        atoms.numbers[rng.permutation(4)[: index % 4]] = 13
        atoms.rattle(0.1, seed=int(rng.integers(1000)))
        atoms.calc = EMT()
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        made.append(atoms)
    return made


@pytest.fixture(scope='session')
def trained(tmp_path_factory):
    """Return a folder that the training scripts filled: `members/seed_7/checkpoints` and so on."""
    folder = tmp_path_factory.mktemp('trained')
    for name in training.SCRIPTS:
        (folder / name).write_text(files('aiida_enne.remote.nequip').joinpath(name).read_text())
    for name, part in ((training.TRAIN, alloys(8)), (training.VALIDATION, alloys(2, seed=1))):
        (folder / name).write_text(frames.to_extxyz(frames.from_atoms(part)))
    for seed in SEEDS:
        member = folder / training.MEMBERS / f'seed_{seed}'
        member.mkdir(parents=True)
        config = training.render(PARAMETERS, seed=seed, elements=ELEMENTS)
        (member / training.CONFIG).write_text(yaml.safe_dump(config))
    command = [warm.python(), training.SCRIPTS[0]]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    return folder


@pytest.fixture(scope='session')
def checkpoints(trained):
    """Return the paths of the checkpoints by label."""
    names = {f'seed_{seed}': trained / training.MEMBERS / f'seed_{seed}' for seed in SEEDS}
    return {label: path / training.CHECKPOINTS / training.BEST for label, path in names.items()}


@pytest.fixture
def models(aiida_profile_clean, trained, checkpoints):
    """Return the members as stored nodes, by label."""
    nodes = {}
    for label, path in checkpoints.items():
        result = json.loads((trained / training.MEMBERS / label / training.RESULT).read_text())
        nodes[label] = ModelData.from_files(
            path.read_bytes(),
            PARAMETERS,
            identity=label,
            seed=int(label.removeprefix('seed_')),
            weights_sha256=result['weights_sha256'],
            elements=result['type_names'],
            r_max=result['r_max'],
        ).store()
    return nodes


@pytest.fixture(scope='session')
def package(trained, checkpoints):
    """Return the first member as a package that NequIP's own tool built of it."""
    path = trained / 'seed_7.nequip.zip'
    tool = Path(sys.executable).parent / 'nequip-package'
    command = [tool, 'build', checkpoints['seed_7'], path]
    work = trained / training.MEMBERS / 'seed_7' / 'run'  # the checkpoint names its data so
    subprocess.run(command, cwd=work, check=True, capture_output=True, timeout=300)
    return path


def fine_tuning(base, shifts=None):
    """Return parameters of a fine-tuning in NequIP's own form, with the base model in clear."""
    modifier = {'modifier': 'modify_PerTypeScaleShift', 'shifts': shifts}
    model = {
        '_target_': 'nequip.model.modify',
        'modifiers': [modifier] if shifts else [],
        'model': {'_target_': 'nequip.model.ModelFromPackage'},
    }
    module = PARAMETERS['training_module'] | {'model': model}
    return starting.resolve(PARAMETERS | {'training_module': module}, base)
