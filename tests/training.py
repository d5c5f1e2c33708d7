"""Fixtures of a training small enough for every test: EMT copper, one layer, l_max 1."""

import pytest
from aiida import orm

from aiida_enne.data.split import SplitData
from aiida_enne.science.data.splits import Split
from aiida_enne.workflows import protocols
from tests import warm


@pytest.fixture(scope='session')
def artefacts(tmp_path_factory):
    """Return a folder of compiled code that tests share."""
    return tmp_path_factory.mktemp('artefacts')


@pytest.fixture
def split(dataset):
    """Return a stored split: six configurations train, two validate, two test."""
    split = Split(range(6), [6, 7], [8, 9])
    return SplitData.from_split(split, dataset, method='by hand').store()


@pytest.fixture
def parameters():
    """Return the configuration of the protocol `test`."""
    return protocols.load('ensemble', 'test')['training']['train']['parameters']


@pytest.fixture
def train_code(aiida_code_installed):
    """Return this Python as the code of a training."""
    return aiida_code_installed(
        label='train',
        default_calc_job_plugin='enne.nequip.train',
        filepath_executable=warm.python(),
    )


@pytest.fixture
def train_inputs(dataset, split, parameters, train_code):
    """Return inputs that train one member for three epochs."""
    return {
        'code': train_code,
        'dataset': dataset,
        'split': split,
        'parameters': parameters,
        'seeds': {'seed_7': orm.Int(7)},
        'metadata': {'options': {'max_wallclock_seconds': 600}},
    }
