"""Tests for packages as nodes, and for what is refused before anything is submitted."""

import zipfile

import pytest
import yaml
from click.testing import CliRunner

from aiida_enne.cli.main import main
from aiida_enne.data.base_model import BaseModelData
from aiida_enne.workflows import protocols
from aiida_enne.workflows.training.ensemble import EnsembleWorkChain
from tests.members import ELEMENTS

MODEL = {
    '_target_': 'nequip.model.NequIPGNNModel',
    'type_names': ELEMENTS,
    'r_max': 4.0,
    'num_layers': 1,
    'l_max': 1,
    'num_features': 4,
    'seed': 3,
    'model_dtype': 'float32',
    'per_type_energy_shifts': -3.5,
}


@pytest.fixture
def write(tmp_path):
    """Return a function that writes what describes a package, without code or weights."""

    def run(name='base', elements=ELEMENTS, **model):
        path = tmp_path / f'{name}.nequip.zip'
        types = '\n'.join(f'  {number}: {one}' for number, one in enumerate(elements))
        metadata = f'atom_types:\n{types}\nversions: {{nequip: 0.19.1}}\npackage_version_id: 2\n'
        config = {'training_module': {'model': MODEL | {'type_names': list(elements)} | model}}
        with zipfile.ZipFile(path, 'w') as package:
            # of one date, however long the test takes
            for what, text in (
                ('package_metadata.txt', metadata),
                ('config.yaml', yaml.safe_dump(config)),
            ):
                package.writestr(zipfile.ZipInfo(f'{name}/model/{what}'), text)
        return path

    return run


@pytest.fixture
def build(dataset, split, train_code):
    def run(base=None, protocol='fine-tune', **overrides):
        return EnsembleWorkChain.get_builder_from_protocol(
            train_code, dataset, split, protocol=protocol, overrides=overrides, base_model=base
        )

    return run


def test_equal_packages_have_equal_hashes_whatever_their_names(aiida_profile_clean, write):
    first, other = BaseModelData.from_file(write()), BaseModelData.from_file(write(l_max=2))
    (path := write()).rename(path.with_name('renamed.nequip.zip'))
    same = BaseModelData.from_file(path.with_name('renamed.nequip.zip'))
    hashes = [node.store().base.caching.get_hash() for node in (first, other, same)]
    assert hashes[0] == hashes[2] != hashes[1]
    assert (first.elements, first.family) == (ELEMENTS, 'nequip')
    assert first.get_model()['r_max'] == 4.0


def test_a_tuned_ensemble_has_the_model_of_its_base_in_clear(build, write):
    base = BaseModelData.from_file(write()).store()
    builder = build(base)
    assert protocols.complaint(builder) is None
    model = builder.training.train.parameters['training_module']['model']
    fitted = '${base_model:fitted_shifts}'
    expected = {name: value for name, value in MODEL.items() if name != 'seed'}
    assert model == expected | {'per_type_energy_shifts': fitted}
    assert builder.training.train.base_model.uuid == base.uuid


def test_what_cannot_be_a_base_is_refused_by_name(build, write, tmp_path, aiida_profile_clean):
    def refusal(base, **words):
        try:
            return protocols.complaint(build(base, **words)) or ''
        except ValueError as exception:
            return str(exception)

    def node(*args, **model):
        return BaseModelData.from_file(write(*args, **model)).store()

    assert 'needs a `base_model`: a NequIP package' in refusal(None)
    silicon = node('silicon', ['Si'])
    assert "the dataset holds ['Cu'], the base model knows only ['Si']" in refusal(silicon)
    allegro = node('allegro', _target_='allegro.model.AllegroModel')
    assert 'is one of allegro, this training is one of nequip' in refusal(allegro, protocol='test')
    said = refusal(node('wide', num_features=16), protocol='test')
    assert '`num_features` is 4 here, 16 there' in said
    assert 'Take the protocol `fine-tune`' in said
    modified = {'modifiers': [{'modifier': 'enable_OpenEquivariance'}]}
    overrides = {'parameters': {'training_module': {'model': modified}}}
    said = refusal(node(), training={'train': overrides})
    assert 'only the modifier `modify_PerTypeScaleShift`' in said

    (tmp_path / 'text').write_text('no zip')
    with pytest.raises(ValueError, match=r'text is not a NequIP package .*nequip-package build'):
        BaseModelData.from_file(tmp_path / 'text')
    with pytest.raises(ValueError, match='does not say how to build it anew'):
        BaseModelData.from_file(write(_target_='nequip.model.ModelFromPackage'))
    with pytest.raises(ValueError, match=r"no family has the model 'mace\.Model'"):
        BaseModelData.from_file(write(_target_='mace.Model'))


def test_the_command_stores_a_package_once(aiida_profile_clean, write):
    words = ['ensemble', 'base', str(write())]
    first, second = (CliRunner().invoke(main, words).output for _ in range(2))
    assert 'nequip, Al Cu, base.nequip.zip' in first
    assert '--protocol fine-tune --base-model' in first
    assert first == second
