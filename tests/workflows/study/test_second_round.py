"""Round two: members of an ensemble move a liquid, and another engine labels its frames."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from aiida.engine import run_get_node
from ase.calculators.emt import EMT

from aiida_enne.aiida_private import inputs_of
from aiida_enne.calculations.ports import plain
from aiida_enne.codes.ase import ENSEMBLE
from aiida_enne.science.data.frames import to_atoms
from aiida_enne.workflows.reference.liquid import LiquidWorkChain
from aiida_enne.workflows.reference.stand_ins import any_code, planning
from aiida_enne.workflows.study.study import StudyWorkChain
from tests.audited import model

DOCS = Path(__file__).parents[3] / 'docs' / 'how-to' / 'quantum-espresso.md'
STAGE = {'temperature': 300, 'timestep': 1.0}


@pytest.mark.nequip
@pytest.mark.slow
def test_what_an_ensemble_moved_has_the_labels_of_the_engine(models, train_code):
    members = {'calculator': {'preset': ENSEMBLE, 'keywords': {'device': 'cpu'}}}
    sampler = {
        'engine': 'ase',
        'code': train_code,
        'inputs': members | {'base': {'ase': {'models': models}}},
        'frames': 3,
    }
    builder = LiquidWorkChain.get_builder_from_protocol(
        train_code,
        protocol='test',
        overrides={
            'symbol': 'Cu',
            'repeats': 1,
            'densities': [6.0],
            'temperature_density': 6.0,
            'temperatures': [],
            'criteria': {'min_displacement': 0, 'min_gap': 0},
            'stages': {
                'melt': STAGE | {'steps': 4},
                'equilibrate': None,
                'production': STAGE | {'steps': 20, 'record_every': 2},
            },
            'inputs': {'calculator': 'emt'},
            'sampler': sampler,
        },
    )
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    dataset = node.outputs.dataset
    assert dataset.level_of_theory == 'EMT'
    frames = dataset.get_configurations()
    assert dataset.domains == {'melt 6 g/cm³': 1, 'liquid 6 g/cm³, 300 K': 3}
    for atoms, energy in zip(to_atoms(frames), frames.energies, strict=True):
        atoms.calc = EMT()
        assert energy == pytest.approx(atoms.get_potential_energy(), abs=1e-6)
    assert np.ptp(frames.energies) > 0
    (two,) = [one for one in node.called if one.process_label == 'SampledReferenceWorkChain']
    told = two.outputs.results.get_dict()
    assert told['sampled_by'].startswith('mean of NequIP ensemble')
    assert told['labelled_by'] == 'EMT'


@pytest.mark.usefixtures('aiida_profile_clean', 'aiida_localhost')
def test_the_overrides_of_the_docs_melt_gently_and_leave_relaxations_to_the_engine():
    pytest.importorskip('aiida_quantumespresso')
    (block,) = [
        one.split('```')[0]
        for one in DOCS.read_text().split('```yaml\n')
        if one.startswith('liquid:\n  stages:')
    ]
    calculator = {'preset': ENSEMBLE, 'keywords': {'device': 'cpu'}}
    members = {'ase': {'models': {'seed_1': model(1)}}}
    sampler = {'engine': 'ase', 'inputs': {'calculator': calculator, 'base': members}}
    with planning():
        builder = StudyWorkChain.get_builder_from_protocol(
            any_code(),
            'qe',
            protocol='laptop',
            overrides=yaml.safe_load(block) | {'sampler': sampler},
        )
    given = plain(inputs_of(builder))
    stages = given['liquid']['stages']
    assert stages['melt']['temperature'] == [1500, 3000]
    assert (stages['melt']['steps'], stages['equilibrate']['steps']) == (4000, 2000)
    assert given['liquid']['sampler']['inputs']['base']['ase']['calculator'] == calculator
    assert not any('sampler' in given[name] for name in ('eos', 'defect', 'surface'))
