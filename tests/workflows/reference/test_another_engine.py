"""An engine of another package: it labels through the work chains here, which do not know it."""

import dataclasses

import numpy as np
import pytest
from aiida import orm
from aiida.engine import calcfunction, run_get_node
from ase.build import bulk
from ase.calculators.morse import MorsePotential

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.plans.costs import Assumptions
from aiida_enne.workflows.reference import contract, engine
from aiida_enne.workflows.reference.engine import ReferenceWorkChain, validate_task
from aiida_enne.workflows.reference.label import LabelWorkChain

MORSE = {'epsilon': 1.5, 'r0': 2.35, 'rho0': 5.0}


def validate_labels(node, port):
    """Require a task that is a label."""
    kind = node.get_dict().get('kind')
    return validate_task(node, port) or (None if kind == 'label' else f'{kind!r} is not offered')


@calcfunction
def label_with_morse(configurations):
    """Label with a Morse potential, in this process."""
    energies, forces = [], []
    for atoms in configurations.get_atoms():
        atoms.calc = MorsePotential(**MORSE)
        energies.append(atoms.get_potential_energy())
        forces.append(atoms.get_forces())
    labelled = dataclasses.replace(
        configurations.get_configurations(),
        energies=np.array(energies),
        forces=np.concatenate(forces),
        info={'configuration': np.arange(len(energies), dtype=float)},
    )
    return DatasetData.from_configurations(labelled, level_of_theory='Morse')


@calcfunction
def count_labels(dataset):
    """Say that every configuration has a label."""
    n = dataset.n_frames
    return orm.Dict(
        {'kind': 'label', 'n_configurations': n, 'counts': {'finished': n}, 'failures': []}
    )


class MorseReferenceWorkChain(ReferenceWorkChain):
    """Labels of a Morse potential."""

    KINDS = ('label',)
    COSTS = {'label_seconds': 0.01, 'step_seconds': 0.01, 'exponent': 1.0, 'source': 'a guess'}

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.inputs['task'].validator = validate_labels
        spec.outline(cls.label)

    @classmethod
    def get_available_protocols(cls):
        return {'test': {'description': 'The only one.'}}

    @classmethod
    def get_default_protocol(cls):
        return 'test'

    @classmethod
    def get_builder_from_protocol(
        cls, code, configurations, task, *, seed=None, protocol=None, overrides=None
    ):
        builder = cls.get_builder()
        builder.configurations, builder.task = configurations, task
        return builder

    def label(self):
        """Hand out the labels."""
        dataset = label_with_morse(self.inputs.configurations)
        self.out('dataset', dataset)
        self.out('results', count_labels(dataset))


@pytest.fixture
def morse(install):
    """Install the engine and return its name."""
    install({engine.GROUP: {'morse': f'{__name__}:MorseReferenceWorkChain'}})
    return 'morse'


@pytest.fixture
def silicon(aiida_profile_clean):
    """Return three rattled cells."""
    frames = [bulk('Si', cubic=True) for _ in range(3)]
    for index, atoms in enumerate(frames):
        atoms.rattle(0.05, seed=index)
        atoms.info = {'domain': f'cell {index}', 'block': 5 + index}
    return ConfigurationsData.from_atoms(frames)


def test_an_engine_is_added_without_touching_the_package(morse, silicon):
    process = contract.check_class(morse)
    task = contract.TASKS['label']
    builder = process.get_builder_from_protocol(None, silicon, task)
    contract.check_outputs(run_get_node(builder).node, silicon, task)
    assert Assumptions.of(morse, process.COSTS).label_seconds == 0.01


def test_work_chains_find_an_engine_of_another_package_by_its_name(morse, silicon):
    builder = LabelWorkChain.get_builder_from_protocol(None, silicon, morse, protocol='test')
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    assert len([one for one in node.called if one.process_label == 'MorseReferenceWorkChain']) == 2
    labelled = node.outputs.dataset.get_configurations()
    for index, atoms in enumerate(silicon.get_atoms()):
        atoms.calc = MorsePotential(**MORSE)
        assert labelled.energies[index] == pytest.approx(atoms.get_potential_energy(), abs=1e-9)


def test_what_an_engine_does_not_offer_is_refused(morse, silicon):
    process = engine.load_engine(morse)
    refused = process.spec().inputs['task'].validate(orm.Dict(contract.TASKS['relax']))
    assert "'relax' is not offered" in str(refused)
