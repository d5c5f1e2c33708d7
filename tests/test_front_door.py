"""Tests of what `import aiida_enne` offers, and of what nodes say of themselves."""

import importlib.metadata
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import aiida_enne
from aiida_enne.data.base_model import BaseModelData
from aiida_enne.data.model import ModelData
from aiida_enne.data.prediction import PredictionData
from aiida_enne.data.scan import ScanData
from aiida_enne.data.split import SplitData
from aiida_enne.data.statistics import StatisticsData
from aiida_enne.science.data.splits import Split
from aiida_enne.science.plans.points import Trained
from tests.aims_writer import species_node, species_text

HEAVY = ('aiida', 'matplotlib', 'numpy', 'scipy', 'torch')


def test_importing_the_package_loads_nothing_else():
    code = f'import sys, aiida_enne; print([m for m in {HEAVY} if m in sys.modules])'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == '[]'


@pytest.mark.parametrize('name', aiida_enne.__all__)
def test_every_name_is_there_and_documented(name):
    assert getattr(aiida_enne, name).__doc__
    assert name in dir(aiida_enne)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'oracle'"):
        aiida_enne.oracle  # noqa: B018


def test_types_are_published():
    assert files('aiida_enne').joinpath('py.typed').is_file()


def test_an_audit_of_plain_arrays_needs_no_database():
    rng = np.random.default_rng(0)
    configurations = aiida_enne.Configurations(
        n_atoms=np.full(12, 2),
        numbers=np.full(24, 14),
        positions=rng.normal(size=(24, 3)),
        cells=np.tile(5 * np.eye(3), (12, 1, 1)),
        pbc=np.ones((12, 3), dtype=bool),
        domains=np.repeat(['solid', 'liquid'], 6),
        blocks=np.arange(12),
        energies=rng.normal(size=12),
        forces=rng.normal(size=(24, 3)),
    )
    energies = configurations.energies + 0.1 * rng.normal(size=(4, 12))
    forces = configurations.forces + 0.1 * rng.normal(size=(4, 24, 3))
    found = aiida_enne.audit(configurations, energies, forces)
    assert set(found.domains) == {'solid', 'liquid'}
    assert aiida_enne.findings(found.domains, found.parameters)


def test_the_program_of_the_readme_runs(tmp_path):
    """It is the one in `examples`, and says what it must of errors that all members share."""
    root = Path(__file__).parent.parent
    program = (root / 'examples/audit_arrays.py').read_text().split('"""', 2)[2].strip()
    assert program in (root / 'README.md').read_text()
    command = [sys.executable, '-c', program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'the largest ratio is in solid' in done.stdout
    said = {
        tuple(cells[:2]): cells[-1]
        for line in done.stdout.splitlines()
        if len(cells := re.split(r'\s{2,}', line.strip())) > 5
    }
    assert said[('liquid (trained on)', 'energy')] == '● believe'
    assert said[('solid', 'energy')] == '✕ do not believe'
    assert said[('solid', 'force')] == '● believe'
    assert (tmp_path / 'figures' / 'coverage.png').stat().st_size > 1000


@pytest.fixture
def nodes(dataset):
    """Return one unstored node of every type of data that this package brings."""
    split = Split(range(6), [6, 7], [8, 9])
    arrays = {'indices': np.arange(2), 'energies': np.zeros(2), 'forces': np.zeros((8, 3))}
    model = {'identity': 'a', 'seed': 7, 'weights_sha256': 'a' * 64, 'elements': ['Cu']}
    base = BaseModelData()
    known = {'family': 'nequip', 'elements': ['Cu', 'Zr'], 'source': 'copper.nequip.zip'}
    base.base.attributes.set_many(known)
    return {
        'enne.base_model': base,
        'enne.aims.species': species_node(species_text('Si', 14), level='light'),
        'enne.configurations': type(dataset)
        .__mro__[1]
        .from_configurations(dataset.get_configurations()),
        'enne.dataset': dataset,
        'enne.split': SplitData.from_split(split, dataset, method='by hand'),
        'enne.model': ModelData.from_files(b'', {}, family='allegro', n_parameters=9, **model),
        'enne.prediction': PredictionData.from_arrays(
            arrays, dataset_sha256='b' * 64, seed=7, force_mae=0.0812
        ),
        'enne.scan': ScanData.from_points(
            'sizes',
            {'n_10': Trained(values={'n': 10.0}, n_train=10, members={'seed_1': 'a' * 64})},
            {'liquid': 'b' * 64},
        ),
        'enne.statistics': StatisticsData.from_statistics({'liquid': {}}, {}, n_members=4),
    }


def test_every_node_describes_itself(nodes):
    names = {
        entry.name
        for entry in importlib.metadata.entry_points(group='aiida.data')
        if entry.name.startswith('enne.')
    }
    assert names == set(nodes)
    said = {name: node.get_description() for name, node in nodes.items()}
    assert said['enne.aims.species'] == 'Si light'
    assert said['enne.base_model'] == 'nequip, Cu Zr, copper.nequip.zip'
    assert said['enne.configurations'].startswith(
        f'{nodes["enne.dataset"].n_frames} configurations'
    )
    assert said['enne.dataset'].endswith(nodes['enne.dataset'].level_of_theory)
    assert said['enne.split'] == '6 train, 2 validation, 2 test (by hand)'
    assert said['enne.model'] == 'allegro, seed 7, 9 parameters, complete'
    assert said['enne.prediction'] == 'seed 7, 2 configurations, force MAE 0.0812 eV/Å'
    assert said['enne.statistics'] == '4 members in 1 domains'
