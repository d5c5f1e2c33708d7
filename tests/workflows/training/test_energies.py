"""Tests for energies of elements as the shifts that members start from."""

import shutil
from importlib.resources import files

import numpy as np
import pytest
import yaml
from aiida import orm
from aiida.engine import run_get_node

from aiida_enne.families.nequip import FAMILY, training
from aiida_enne.science.data import frames
from aiida_enne.science.data.atomic_energies import atomic_energies
from aiida_enne.workflows import protocols
from aiida_enne.workflows.training.energies import with_energies
from aiida_enne.workflows.training.ensemble import EnsembleWorkChain
from tests.improving import make_data
from tests.members import ELEMENTS, PARAMETERS, alloys
from tests.remote.test_nequip_train import train


@pytest.fixture
def build(dataset, split, train_code):
    def run(how, split=split, **words):
        overrides = {'atomic_energies': how}
        return EnsembleWorkChain.get_builder_from_protocol(
            train_code, dataset, split, protocol='test', overrides=overrides, **words
        )

    return run


def test_the_builder_writes_them_into_the_parameters(build, configurations):
    builder = build('least_squares')
    assert protocols.complaint(builder) is None
    found = builder.training.train.parameters['training_module']['model']['per_type_energy_shifts']
    known = configurations.select(range(6))
    per_atom = known.energies.sum() / known.n_atoms.sum()
    assert found == {'Cu': pytest.approx(per_atom)}, 'of one element it is the mean by atom'
    given = build({'Cu': -3.5}).training.train.parameters['training_module']['model']
    assert given['per_type_energy_shifts'] == {'Cu': -3.5}


def test_what_cannot_be_had_is_refused(build, split):
    for how, message in (('mean', 'must be one of'), ('isolated', 'label isolated atoms')):
        with pytest.raises(ValueError, match=message):
            build(how)
    with pytest.raises(ValueError, match='members have a split each'):
        build('least_squares', split={'seed_1': split, 'seed_2': split})


def test_what_is_asked_for_before_there_are_data_is_what_the_builder_writes(
    build, dataset, split, configurations
):
    builder = build('least_squares')
    parameters = builder.training.train.parameters.get_dict()
    asked = {'atomic_energies': orm.Str('least_squares')}
    started = with_energies(PARAMETERS, asked, dataset, split)
    shifts = started['training_module']['model']['per_type_energy_shifts']
    assert shifts == parameters['training_module']['model']['per_type_energy_shifts']
    assert with_energies(PARAMETERS, {}, dataset, split) == PARAMETERS
    given = {'atomic_energies': orm.Dict({'Cu': -3.5})}
    module = with_energies(PARAMETERS, given, dataset, split)['training_module']
    assert module['model']['per_type_energy_shifts'] == {'Cu': -3.5}


@pytest.mark.nequip
@pytest.mark.slow
def test_an_ensemble_has_them_of_its_own_training_set(python_code):
    data = make_data()
    dataset, split = data['dataset'], data['split']
    overrides = {'training': {'train': {'parameters': {'trainer': {'max_epochs': 1}}}}}
    builder = EnsembleWorkChain.get_builder_from_protocol(
        python_code, dataset, split, protocol='test', overrides=overrides
    )
    builder.atomic_energies = 'least_squares'
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    (job,) = (one for one in node.called_descendants if isinstance(one, orm.CalcJobNode))
    model = job.inputs.parameters['training_module']['model']
    known = dataset.get_configurations().select(split.get_split().train)
    expected = known.energies.sum() / known.n_atoms.sum()
    assert model['per_type_energy_shifts'] == {'Cu': pytest.approx(expected)}


@pytest.mark.nequip
def test_members_of_a_compound_start_near_its_energies_together(tmp_path):
    """Atoms of an all-electron code: with one mean the energies would be off by 20 000 eV."""
    atoms = {'Al': -6600.0, 'Cu': -45100.0}
    for name in FAMILY.strategies['vectorised']:
        shutil.copy(files('aiida_enne.remote.nequip').joinpath(name), tmp_path)
    parts = {training.TRAIN: alloys(8), training.VALIDATION: alloys(2, seed=1)}
    for name, part in parts.items():
        for one in part:
            one.calc.results['energy'] += sum(atoms[s] for s in one.get_chemical_symbols())
        (tmp_path / name).write_text(frames.to_extxyz(frames.from_atoms(part)))
    known = frames.from_atoms(parts[training.TRAIN])
    shifts = atomic_energies('least_squares', known, np.arange(8))
    module = PARAMETERS['training_module']
    module = module | {'model': module['model'] | {'per_type_energy_shifts': shifts}}
    for seed, label in enumerate(('a', 'b')):
        parameters = PARAMETERS | {'training_module': module}
        config = training.render(parameters, seed=seed, elements=ELEMENTS)
        (tmp_path / 'members' / label).mkdir(parents=True)
        (tmp_path / 'members' / label / 'config.yaml').write_text(yaml.safe_dump(config))
    results = train(tmp_path, '--together', '--artefacts', str(tmp_path / 'artefacts'))
    for label, result in results.items():
        assert 'kernel' in result, f'{label} was trained alone'
        assert result['metrics']['val0_epoch/total_energy_mae'] < 10.0, 'eV, of four atoms'
