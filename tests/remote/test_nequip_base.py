"""Tests for members that are fine-tuned from a package, which NequIP's own tool has built."""

import shutil
import subprocess
from importlib.resources import files

import numpy as np
import pytest
import torch
import yaml

from aiida_enne.families.nequip import FAMILY, starting, training
from aiida_enne.families.nequip.package import read_package
from aiida_enne.science.data import frames
from tests import warm
from tests.members import ELEMENTS, alloys, fine_tuning
from tests.remote.test_nequip_initial import STILL, errors_of
from tests.remote.test_nequip_train import read, start, train

pytestmark = pytest.mark.nequip
#: What another code would have added to the energy of each atom, eV.
OFFSETS = {'Al': 1.5, 'Cu': -0.75}


@pytest.fixture(scope='module')
def job(package, tmp_path_factory):
    """Return a function: the folder of a job whose members are fine-tuned, at these rates."""

    def run(rates, shifts=None, offsets=None):
        folder = tmp_path_factory.mktemp('tuned')
        for name in FAMILY.strategies['vectorised']:
            shutil.copy(files('aiida_enne.remote.nequip').joinpath(name), folder)
        for name, part in ((training.TRAIN, alloys(8)), (training.VALIDATION, alloys(2, seed=1))):
            for atoms in part:
                symbols = atoms.get_chemical_symbols()
                atoms.calc.results['energy'] += sum((offsets or {}).get(s, 0) for s in symbols)
            (folder / name).write_text(frames.to_extxyz(frames.from_atoms(part)))
        parameters = fine_tuning(read_package(package).model, shifts)
        for seed, (label, rate) in enumerate(rates.items()):
            config = training.render(parameters, seed=seed, elements=ELEMENTS)
            config['training_module']['optimizer']['lr'] = rate
            (folder / 'members' / label).mkdir(parents=True)
            (folder / 'members' / label / 'config.yaml').write_text(yaml.safe_dump(config))
        shutil.copy(package, folder / starting.PACKAGE)
        return folder

    return run


@pytest.fixture(scope='module')
def best(trained):
    """Return the error of forces of the model that the package holds."""
    return errors_of(trained, 'seed_7')[-1]


def test_a_member_begins_as_the_package_and_goes_on(job, best):
    folder = job({'still': STILL, 'goes': 1e-3})
    results = train(folder)
    assert {one['status'] for one in results.values()} == {'finished'}, results
    assert errors_of(folder, 'still')[0] == pytest.approx(best, rel=1e-5)
    assert errors_of(folder, 'goes')[0] != pytest.approx(best, rel=1e-6)
    own = torch.load(folder / 'members/still/checkpoints/best.ckpt', weights_only=True)
    model = own['hyper_parameters']['model']
    assert model['_target_'] == 'nequip.model.NequIPGNNModel', 'it would need the package for ever'


def test_members_are_tuned_together(job, best, tmp_path):
    folder = job({'a': STILL, 'b': STILL})
    results = train(folder, '--together', '--artefacts', str(tmp_path))
    for label in ('a', 'b'):
        assert 'kernel' in results[label], 'they were trained one by one'
        np.testing.assert_allclose(errors_of(folder, label), [best], rtol=1e-5)


def test_shifts_follow_the_energies_of_the_data_element_by_element(job):
    """The fit is linear: what another code adds to each atom is found again, and nothing else."""
    found = {}
    for name, offsets in (('own', None), ('other', OFFSETS)):
        folder = job({'a': STILL}, starting.FITTED, offsets)
        command = [warm.python(), 'nequip_base.py', starting.PACKAGE, 'begin.ckpt']
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
        found[name] = torch.load(folder / 'begin.ckpt', weights_only=True)['fitted_shifts']
    moved = {element: found['other'][element] - found['own'][element] for element in ELEMENTS}
    assert moved == pytest.approx(OFFSETS, abs=1e-6)
    assert train(folder)['a']['status'] == 'finished'  # with the checkpoint that is there
    own = torch.load(folder / 'members/a/checkpoints/best.ckpt', weights_only=True)
    assert own['hyper_parameters']['model']['per_type_energy_shifts'] == found['other']
    history = training.read_history((folder / 'members/a/history.csv').read_text())
    # the validation part has the offsets, too: without the fit it would be off by 3 eV and more
    assert history['val0_epoch_total_energy_mae'][0] < 1.0


def test_a_package_of_another_model_fails_the_members_by_name(job, package):
    folder = job({'a': STILL})
    change(folder / starting.PACKAGE, num_layers=1)
    assert start(folder).wait(120) == 1
    result = read(folder / 'members/a/result.json')
    assert result['status'] == 'failed'
    assert result['message'].startswith('the base model cannot be begun with: UnfitError')


def change(path, **settings):
    """Let the description in a package say something else of its model than it holds."""
    import zipfile

    with zipfile.ZipFile(path) as old:
        content = {name: old.read(name) for name in old.namelist()}
    (name,) = (one for one in content if one.endswith('/model/config.yaml'))
    config = yaml.safe_load(content[name])
    config['training_module']['model'] |= settings
    content[name] = yaml.safe_dump(config).encode()
    with zipfile.ZipFile(path, 'w') as new:
        for one, text in content.items():
            new.writestr(one, text)
