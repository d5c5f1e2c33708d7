"""An improvement of two tiny members of copper with EMT labels, for tests."""

from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.split import SplitData
from aiida_enne.science.data.splits import Split
from aiida_enne.workflows.improve.improve import ImproveWorkChain

LEVEL = 'EMT'
EPOCH = {'ensemble': {'training': {'train': {'parameters': {'trainer': {'max_epochs': 1}}}}}}


def copper(seeds, rattle=0.1, domain='warm'):
    """Return rattled copper cells with EMT labels."""
    frames = []
    for number, seed in enumerate(seeds):
        atoms = bulk('Cu', cubic=True)
        atoms.rattle(rattle, seed=seed)
        atoms.calc = EMT()
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        atoms.info = {'domain': domain, 'block': number}
        frames.append(atoms)
    return frames


def dataset_of(frames):
    return DatasetData.from_atoms(frames, level_of_theory=LEVEL).store()


def make_data():
    """Return what is trained on, what judges, and a pool that knows some of both."""
    known, held = copper(range(6)), copper(range(50, 54), 0.2, 'hot')
    pool = copper(range(20, 28), 0.25, 'pool') + known[:2] + held[:1]
    dataset = dataset_of(known)
    split = SplitData.from_split(Split(range(4), [4, 5], []), dataset, method='by hand').store()
    pool = ConfigurationsData.from_atoms(pool).store()
    return {'dataset': dataset, 'split': split, 'held_out': dataset_of(held), 'pool': pool}


def builder_of(python_code, data, **overrides):
    inputs = dict(data)
    given = {'label': {'inputs': {'calculator': 'emt'}}} | overrides
    return ImproveWorkChain.get_builder_from_protocol(
        python_code,
        inputs.pop('dataset'),
        inputs.pop('split'),
        inputs.pop('held_out'),
        'ase',
        protocol='test',
        overrides=given,
        **inputs,
    )
