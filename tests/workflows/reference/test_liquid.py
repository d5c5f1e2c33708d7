"""Tests for `LiquidWorkChain`, on the ASE engine with Stillinger-Weber silicon."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_enne.aiida_private import inputs_of
from aiida_enne.data.species import install_species
from aiida_enne.workflows.reference.liquid import LiquidWorkChain
from tests import warm
from tests.aims_writer import species_text

COLD = {
    'temperatures': [400.0],
    'repeats': 1,
    'stages': {
        'melt': {'temperature': 300, 'steps': 40},
        'equilibrate': None,
        'production': {'temperature': 300, 'steps': 50, 'record_every': 5},
    },
}


@pytest.fixture
def build(aiida_profile_clean, aiida_code_installed):
    """Return a function that builds the inputs: `builder = build(**overrides)`."""
    code = aiida_code_installed(
        label='python', default_calc_job_plugin='enne.ase.run', filepath_executable=warm.python()
    )
    return lambda protocol='test', **overrides: LiquidWorkChain.get_builder_from_protocol(
        code, 'ase', protocol=protocol, overrides=overrides
    )


def spans(node):
    return [
        (child.ctime, child.mtime) for child in node.called if isinstance(child, orm.WorkChainNode)
    ]


@pytest.mark.slow
@pytest.mark.lammps
def test_silicon_melts_and_is_taken_to_other_temperatures(build):
    builder = build(
        densities=[2.57, 2.3],
        stages={
            'melt': {'steps': 700},
            'equilibrate': {'steps': 100},
            'production': {'steps': 400},
        },
    )
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    names = {'density_2p57', 'density_2p3', 'density_2p57_2400K'}
    assert set(node.outputs.analyses) == names
    assert all(node.outputs.analyses[name]['melt']['molten'] for name in names)
    assert node.outputs.dataset.domains == {
        'melt 2.3 g/cm³': 1,
        'melt 2.57 g/cm³': 1,
        'liquid 2.3 g/cm³, 2000 K': 40,
        'liquid 2.57 g/cm³, 2000 K': 40,
        'liquid 2.57 g/cm³, 2400 K': 40,
    }
    frames = node.outputs.dataset.get_configurations()
    blocks = {
        domain: set(frames.blocks[frames.domains == domain]) for domain in set(frames.domains)
    }
    assert blocks['melt 2.57 g/cm³'] == blocks['liquid 2.57 g/cm³, 2000 K']
    assert len(np.unique(frames.blocks)) == 3
    jobs = {child.base.attributes.get('process_label'): child for child in node.called}
    assert 'AseReferenceWorkChain' in jobs
    (melt,) = np.flatnonzero(frames.domains == 'melt 2.57 g/cm³')
    (last,) = [n for n in node.called if n.process_label == 'take_last_frame']
    np.testing.assert_array_equal(
        last.outputs.result.get_configurations().positions, frames.select([melt]).positions
    )
    seeds = [n.inputs.seed.value for n in node.called if isinstance(n, orm.WorkChainNode)]
    assert len(set(seeds)) == 3
    assert max(sum(a <= begin < b for a, b in spans(node)) for begin, _ in spans(node)) <= 2


@pytest.mark.lammps
def test_what_did_not_melt_is_refused_and_kept(build):
    node = run_get_node(build(**COLD)).node
    assert node.exit_status == LiquidWorkChain.exit_codes.ERROR_NOT_MOLTEN.status
    assert 'density_2p57' in node.exit_message
    assert 'mean square displacement' in node.exit_message
    assert node.outputs.dataset.domains == {
        'melt 2.57 g/cm³': 1,
        'liquid 2.57 g/cm³, 300 K': 10,
    }
    told = node.outputs.analyses['density_2p57'].get_dict()
    assert len(told['g']) == len(told['r']) == 80
    assert len(told['displacement']) == len(told['lag']) == 6
    # no other temperature is started from a crystal
    assert len(spans(node)) == 1


def test_a_trajectory_that_fails_is_named_and_what_it_left_is_kept(build):
    builder = build(**COLD | {'temperatures': []}, inputs={'calculator': 'emt'})
    node = run_get_node(builder).node
    assert node.exit_status == LiquidWorkChain.exit_codes.ERROR_TRAJECTORIES_FAILED.status
    assert 'density_2p57' in node.exit_message
    assert 'Si' in node.exit_message
    assert 'dataset' not in node.outputs


def test_the_paper(build):
    inputs = build('paper')
    assert inputs.densities.get_list() == [1.89, 2.21, 2.57, 2.94, 3.36]
    assert len(inputs.temperatures.get_list()) == 5
    assert inputs.max_concurrent == 5
    stages = inputs.stages.get_dict()
    assert set(stages) == {'melt', 'production'}
    assert stages['melt']['temperature'] == [0, 5000]
    assert [stage['steps'] for stage in stages.values()] == [5000, 5000]
    assert {stage['timestep'] for stage in stages.values()} == {1.0}
    assert stages['production']['record_every'] == 1
    assert (
        LiquidWorkChain.spec().inputs.validate(
            LiquidWorkChain.spec().inputs.pre_process(inputs_of(inputs))
        )
        is None
    )


@pytest.mark.parametrize(
    ('name', 'value', 'message'),
    [
        ('densities', [2.57, -1.0], '`densities` must be above zero'),
        ('temperature_density', 3.0, '`temperature_density` must be one of'),
        ('criteria', {'max': 1}, 'max'),
        ('stages', {'production': {}}, '`stages` must hold'),
        ('seed', -1, '`seed` must be a whole number of at least 0, got -1'),
    ],
)
def test_inputs_of_no_use_are_refused_before_anything_runs(build, name, value, message):
    builder = build()
    builder[name] = orm.to_aiida_type(value)
    with pytest.raises(ValueError, match=message):
        run_get_node(builder)


def test_a_stage_that_the_engine_does_not_know_is_refused(build):
    builder = build()
    stages = builder.stages.get_dict()
    stages['melt']['thermostat'] = 'berendsen'
    builder.stages = orm.Dict(stages)
    with pytest.raises(ValueError, match=r'stage melt: `thermostat` must be one of'):
        run_get_node(builder)


@pytest.mark.parametrize('protocol', ['test', 'paper'])
def test_fhi_aims_takes_the_same_series(replay_code, tmp_path, protocol):
    folder = tmp_path / 'defaults_2020' / 'light'
    folder.mkdir(parents=True)
    (folder / '14_Si_default').write_text(species_text('Si', 14))
    install_species(folder)
    builder = LiquidWorkChain.get_builder_from_protocol(replay_code, 'aims', protocol=protocol)
    ports = LiquidWorkChain.spec().inputs
    assert ports.validate(ports.pre_process(inputs_of(builder))) is None
    stages = builder.stages.get_dict()
    stages['melt'] |= {'thermostat': 'npt'}  # FHI-aims has none, and it is said before a job runs
    stages['melt'].pop('friction')
    builder.stages = orm.Dict(stages)
    error = ports.validate(ports.pre_process(inputs_of(builder)))
    assert 'FHI-aims has no thermostat npt' in str(error)
