"""What cannot be learnt, or means little: `--dry-run` says what the launch would."""

import dataclasses

import numpy as np
import pytest
from aiida import orm
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData
from aiida_enne.data.split import SplitData
from aiida_enne.science.data.frames import from_atoms, to_extxyz
from aiida_enne.science.data.splits import Split
from tests.audited import chain, link, store_audit
from tests.calculated import job


@pytest.fixture
def code(aiida_code_installed):
    return aiida_code_installed(filepath_executable='/bin/true', label='python')


def lennard_jones(seed, oxygen=0):
    """Return a cell of silicon with some oxygen, labelled by Lennard-Jones."""
    atoms = bulk('Si', cubic=True)
    atoms.numbers[:oxygen] = 8
    atoms.rattle(0.1, seed=seed)
    atoms.calc = LennardJones(sigma=2.1, rc=5.0)
    labels = {'energy': atoms.get_potential_energy(), 'forces': atoms.get_forces()}
    atoms.calc = SinglePointCalculator(atoms, **labels)
    return atoms


@pytest.fixture
def launch(invoke, code):
    """Return the message of a launch that is refused, which is that of `--dry-run`."""

    def run(what, *words):
        words = ('launch', what, '--code', code.pk, '--protocol', 'test', *words)
        before = orm.QueryBuilder().append(orm.Node).count()
        messages = [invoke(*words, *more) for more in ((), ('--dry-run',))]
        assert [one.exit_code for one in messages] == [1, 1], messages[0].output
        assert messages[0].output == messages[1].output
        assert 'Traceback' not in messages[0].output
        assert orm.QueryBuilder().append(orm.Node).count() == before
        return ' '.join(messages[0].output.split())

    return run


def test_an_element_of_the_test_part_alone(invoke, launch, tmp_path):
    """As a user does it: import, split, train."""
    names = ['train'] * 6 + ['check'] * 2 + ['oxide'] * 2
    frames = [lennard_jones(seed, 2 * (name == 'oxide')) for seed, name in enumerate(names)]
    (tmp_path / 'oxide.extxyz').write_text(to_extxyz(from_atoms(frames, domains=names)))
    words = ('--level-of-theory', 'LJ', '--domain-key', 'domain', '--elements', 'Si,O')
    result = invoke('dataset', 'import', tmp_path / 'oxide.extxyz', *words, '--label', 'oxides')
    assert result.exit_code == 0, result.output
    words = ('--method', 'domain', '--train', 'train', '--validation', 'check', '--test', 'oxide')
    result = invoke('dataset', 'split', 'oxides', *words, '--label', 'parts')
    assert result.exit_code == 0, result.output
    assert 'Note' not in result.output
    text = launch('ensemble', '--dataset', 'oxides', '--split', 'parts')
    assert 'no training configuration holds O, but 2 configurations of the part `test` do' in text


STRESS_LOSS = """
training:
  train:
    parameters:
      training_module:
        loss:
          _target_: nequip.train.EnergyForceStressLoss
          per_atom_energy: true
          coeffs: {total_energy: 1.0, forces: 1.0, stress: 1.0}
"""


@pytest.mark.parametrize(('n_without', 'trains'), [(2, True), (6, False), (10, False)])
def test_stresses_of_a_part_of_the_frames(invoke, launch, code, tmp_path, n_without, trains):
    """As a user does it: import, split, train with a loss of stresses."""
    frames = [lennard_jones(seed) for seed in range(10)]
    for atoms in frames[n_without:]:
        atoms.calc.results['stress'] = np.full(6, 0.01)
    (tmp_path / 'some.extxyz').write_text(to_extxyz(from_atoms(frames)))
    words = ('--level-of-theory', 'LJ', '--allow-molecules', '--label', 'some')
    result = invoke('dataset', 'import', tmp_path / 'some.extxyz', *words)
    assert result.exit_code == 0, result.output
    split = Split(range(6), [6, 7], [8, 9])
    split = SplitData.from_split(split, orm.load_node('some'), method='', shared=True).store()
    (tmp_path / 'loss.yaml').write_text(STRESS_LOSS)
    words = ('--dataset', 'some', '--split', split.pk, '--overrides', tmp_path / 'loss.yaml')
    if not trains:
        text = launch('ensemble', *words)
        assert '`loss` asks for stresses, which all 6 configurations of the part `train`' in text
        return
    words = (*words, '--code', code.pk, '--protocol', 'test', '--dry-run')
    result = invoke('launch', 'ensemble', *words)
    assert result.exit_code == 0, result.output
    said = 'Note: 2 of 6 configurations of the part `train` have no stress: `loss` leaves them out'
    assert said in result.output


def change(configurations, what):
    """Return configurations from which nothing can be learnt."""
    if what == 'forces':
        return dataclasses.replace(configurations, forces=np.zeros_like(configurations.forces))
    scale = 3 if what == 'cutoff' else 1
    return dataclasses.replace(
        configurations,
        positions=scale * configurations.positions,
        cells=scale * configurations.cells,
    )


@pytest.mark.parametrize(
    ('what', 'message'),
    [
        ('forces', 'all forces of the 6 training configurations are zero'),
        ('cutoff', 'is shorter than the nearest distance in the training configurations'),
        ('one', 'the training part holds 1 configuration'),
    ],
)
def test_what_cannot_be_learnt(launch, aiida_profile_clean, configurations, what, message):
    dataset = DatasetData.from_configurations(change(configurations, what)).store()
    split = Split(range(1 if what == 'one' else 6), [6, 7], [8, 9])
    split = SplitData.from_split(split, dataset, method='by hand').store()
    assert message in launch('ensemble', '--dataset', dataset.pk, '--split', split.pk)


def test_what_can_be_trained_but_means_little_is_said(invoke, code, dataset, configurations):
    words = ('--method', 'random', '--sizes', 5, 1, 1, '--seed', 1, '--shared-blocks')
    for more in (('--dry-run',), ('--label', 'thin')):
        result = invoke('dataset', 'split', dataset.pk, *words, *more)
        assert result.exit_code == 0, result.output
        assert 'Note: the part `validation` holds 1 configuration (n = 1)' in result.output
        assert 'Note: the part `test` holds 1 configuration (n = 1)' in result.output
    words = ('--code', code.pk, '--protocol', 'test', '--dry-run')
    result = invoke('launch', 'ensemble', '--dataset', dataset.pk, '--split', 'thin', *words)
    assert result.exit_code == 0, result.output
    assert 'Note: the part `test` holds 1 configuration (n = 1)' in result.output


def test_a_scan_says_what_its_points_and_roles_cannot_show(invoke, code, dataset, configurations):
    """As the other launches do: parts of one configuration, lone atoms at the cutoff of a point."""
    split = SplitData.from_split(Split(range(6), [6], [8]), dataset, method='by hand').store()
    far = configurations.select([0])
    far = dataclasses.replace(far, positions=3 * far.positions, cells=3 * far.cells)
    other = DatasetData.from_configurations(far).store()
    scan = '{kind: sizes, sizes: [4, 6]}'
    words = ('--code', code.pk, '--protocol', 'test', '--dry-run', '--also', f'far={other.pk}')
    given = ('--dataset', dataset.pk, '--split', split.pk, '--scan', scan)
    result = invoke('launch', 'scan', *given, *words)
    assert result.exit_code == 0, result.output
    assert 'Scan: 2 points with 4 members in all' in result.output
    assert result.output.count('Note: the part `test` holds 1 configuration (n = 1)') == 1
    assert 'Note on far: the domain' in result.output
    assert 'hold an atom without' in result.output


def ensemble_of(dataset, split, parameters, computer):
    """Store two members with their training, and the ensemble that returned them."""
    training, models = chain('EnsembleWorkChain', {'dataset': dataset}), {}
    for seed in (1, 2):
        node = ModelData.from_files(
            b'weights',
            parameters,
            identity=str(seed),
            seed=seed,
            weights_sha256=f'{seed:064}',
            elements=dataset.elements,
            r_max=4.0,
        )
        inputs = {'dataset': dataset, 'split': split, 'parameters': orm.Dict(parameters)}
        words = (computer, 'enne.nequip.train', 'NequipTrainCalculation', inputs)
        job(*words, {f'models__seed_{seed}': node})
        models[f'models__seed_{seed}'] = node
    link(training, models)
    return training


def test_an_audit_of_what_was_never_trained_on(
    launch, invoke, code, aiida_profile_clean, aiida_localhost, parameters
):
    frames = [lennard_jones(seed, 2 * (seed > 4)) for seed in range(7)]
    domains = ['silicon'] * 5 + ['oxide'] * 2
    both = from_atoms(frames, domains=domains)
    dataset = DatasetData.from_configurations(both).store()
    split = SplitData.from_split(Split([0, 1, 2], [3, 4], []), dataset, method='by hand').store()
    ensemble = ensemble_of(dataset, split, parameters, aiida_localhost)
    text = launch('audit', '--ensemble', ensemble.pk, '--dataset', dataset.pk)
    assert '2 configurations hold O, which the model `seed_1` was never trained on' in text

    far = both.select([0])
    far = dataclasses.replace(far, positions=3 * far.positions, cells=3 * far.cells)
    other = DatasetData.from_configurations(far).store()
    words = ('--ensemble', ensemble.pk, '--dataset', other.pk, '--code', code.pk, '--dry-run')
    result = invoke('launch', 'audit', *words, '--role', 'mine')
    assert result.exit_code == 0, result.output
    assert 'Note on mine: the domain silicon holds 1 configuration (n = 1)' in result.output
    assert 'Note on mine: 1 of 1 configurations of silicon hold an atom without' in result.output


def test_an_audit_knows_the_cutoff_of_its_members(invoke, dataset):
    audits = [store_audit(dataset, n_members=2, r_max=r_max)[0] for r_max in (4.0, 1.0)]
    lone = [
        {name: scalars['n_lone'] for name, scalars in one.outputs.statistics.study.domains.items()}
        for one in audits
    ]
    assert lone == [{'cold': 0, 'hot': 0}, {'cold': 8, 'hot': 2}]
    near, far = (invoke('verdict', one.pk).output for one in audits)
    assert 'atoms without a neighbour in 2 of 2' in far
    assert 'neighbour' not in near
