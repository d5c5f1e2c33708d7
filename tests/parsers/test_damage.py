"""Whatever a disk makes of the files of a job, its parser gives a verdict and raises nothing."""

import json

import numpy as np
import pytest
from aiida import orm

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.model import ModelData
from aiida_enne.science import npz
from tests.codes.ase.test_results import SUMMARY, unit
from tests.parsers.test_nequip_train import left
from tests.replay import recorded, species_nodes

DAMAGES = {
    'missing': lambda data: None,
    'empty': lambda data: b'',
    'cut': lambda data: data[: len(data) // 2],
    'noise': lambda data: np.random.default_rng(0).bytes(len(data)),
    'zeros': lambda data: bytes(len(data)),
}


@pytest.fixture
def train(dataset, split, parameters):
    """Return the inputs and the files of a training, none of them damaged."""
    inputs = {
        'dataset': dataset,
        'split': split,
        'parameters': orm.Dict(parameters).store(),
        'seeds__seed_1': orm.Int(1).store(),
    }
    return inputs, left() | {'nequip_train.out': 'it began\n'}, {}


@pytest.fixture
def predict(dataset, configurations):
    """Return the inputs, the files and the temporary files of a prediction."""
    known = {'identity': 'x', 'seed': 7, 'weights_sha256': '0' * 64, 'elements': ['Cu']}
    model = ModelData.from_files(b'', {}, **known).store()
    member = {'status': 'finished', 'message': '', 'mode': 'eager', 'note': ''}
    arrays = {
        'indices': np.arange(10),
        'energies': configurations.energies,
        'forces': configurations.forces,
    }
    files = {
        'result.json': json.dumps({'members': {'seed_7': member}}),
        'nequip_predict.out': 'it began\n',
    }
    inputs = {'dataset': dataset, 'models__seed_7': model}
    return inputs, files, {'predictions/seed_7.npz': npz.dumps(arrays)}


@pytest.fixture
def ase_run(configurations):
    """Return the inputs, the files and the temporary files of two labels by ASE."""
    progress, frames = unit(configurations, [0, 1])
    inputs = {
        'configurations': ConfigurationsData.from_configurations(configurations.select([0, 1])),
        'calculator': orm.Dict({'preset': 'emt'}),
        'task': orm.Dict({'kind': 'label'}),
    }
    files = {'results.json': SUMMARY, 'aiida.out': ''}
    return inputs, files, {'units/000000.json': progress, 'units/000000.f8': frames}


@pytest.fixture
def aims():
    """Return the inputs and the files of a single point of FHI-aims."""
    text, atoms = recorded('si8_forces')
    inputs = {
        'configurations': ConfigurationsData.from_atoms([atoms]),
        'index': orm.Int(0),
        'parameters': orm.Dict({'xc': 'pw91_gga'}),
        **{f'species__{element}': node for element, node in species_nodes(atoms).items()},
    }
    return inputs, {'aims.out': text, 'aims.err': ''}, {}


JOBS = {
    'enne.nequip.train': ('train', ['history.csv', 'result.json', 'best.ckpt']),
    'enne.nequip.predict': ('predict', ['result.json', 'seed_7.npz']),
    'enne.ase.run': ('ase_run', ['results.json', '000000.json', '000000.f8']),
    'enne.aims': ('aims', ['aims.out']),
}
OUTPUTS = {
    'enne.nequip.train': 'nequip_train.out',
    'enne.nequip.predict': 'nequip_predict.out',
    'enne.ase.run': 'aiida.out',
    'enne.aims': 'aims.out',
}
#: Damages that the parser cannot see: nothing is unpickled here, the next job finds out.
UNSEEN = {('best.ckpt', damage) for damage in ('empty', 'cut', 'noise', 'zeros')}


def damaged(files, name, damage):
    """Return the files with the one of that name damaged."""
    changed = {}
    for path, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        if path.endswith(name):
            data = DAMAGES[damage](data)
        if data is not None:
            changed[path] = data
    return changed


@pytest.mark.parametrize('damage', DAMAGES)
@pytest.mark.parametrize(
    ('job', 'name'), [(job, name) for job, (_, names) in JOBS.items() for name in names]
)
def test_every_damage_has_a_verdict(request, parse, tmp_path, job, name, damage):
    inputs, files, temporary = request.getfixturevalue(JOBS[job][0])
    for node in inputs.values():
        node.store()
    for path, content in damaged(temporary, name, damage).items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    attributes = {'output_filename': OUTPUTS[job]}
    _, node = parse(job, damaged(files, name, damage), inputs, attributes, temporary=str(tmp_path))
    assert node.exit_status is not None
    assert (node.exit_status == 0) == ((name, damage) in UNSEEN), node.exit_message


@pytest.mark.parametrize('job', JOBS)
def test_undamaged_there_is_no_verdict(request, parse, tmp_path, job):
    inputs, files, temporary = request.getfixturevalue(JOBS[job][0])
    for node in inputs.values():
        node.store()
    for path, content in damaged(temporary, 'nothing', 'missing').items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    attributes = {'output_filename': OUTPUTS[job]}
    _, node = parse(job, files, inputs, attributes, temporary=str(tmp_path))
    assert not node.exit_status, node.exit_message


@pytest.mark.parametrize('job', ['enne.nequip.train', 'enne.nequip.predict'])
def test_an_output_of_noise_where_nothing_else_is_left(request, parse, job):
    inputs, *_ = request.getfixturevalue(JOBS[job][0])
    files = {OUTPUTS[job]: DAMAGES['noise'](bytes(1000))}
    _, node = parse(job, files, inputs, {'output_filename': OUTPUTS[job]})
    assert node.exit_status == 301
