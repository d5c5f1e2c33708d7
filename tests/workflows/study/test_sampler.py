"""Two engines in one study: Stillinger-Weber silicon moves, Tersoff's labels."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_enne.aiida_private import inputs_of
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.provenance.labels import find_samplers
from aiida_enne.workflows.protocols import complaint
from aiida_enne.workflows.reference.engine import load_engine
from aiida_enne.workflows.reference.liquid import LiquidWorkChain
from aiida_enne.workflows.study.defect import DefectWorkChain
from aiida_enne.workflows.study.eos import EquationOfStateWorkChain
from aiida_enne.workflows.study.study import StudyWorkChain

SAMPLER = {'engine': 'ase', 'protocol': 'test', 'inputs': {'calculator': 'lammps-sw-si'}}
pytest_plugins = ['tests.pseudos']
pytestmark = pytest.mark.usefixtures('fast_runner')

TERSOFF = {'inputs': {'calculator': 'lammps-tersoff-si'}}
SHORT = {
    'repeats': 1,
    'temperatures': [],
    'criteria': {'min_displacement': 0, 'min_gap': 0},
    'stages': {
        'melt': {'temperature': 3000, 'steps': 20},
        'equilibrate': None,
        'production': {'temperature': 3000, 'steps': 60, 'record_every': 2},
    },
}


@pytest.fixture
def tersoff_energies(python):
    """Return a function that gives the energies of the labels' potential alone."""

    def calculate(dataset):
        bare = dataset.get_configurations().unlabelled()
        builder = load_engine('ase').get_builder_from_protocol(
            python,
            ConfigurationsData.from_configurations(bare),
            {'kind': 'label'},
            protocol='test',
            overrides=TERSOFF['inputs'],
        )
        return run_get_node(builder).node.outputs.dataset.get_configurations().energies

    return calculate


@pytest.mark.slow
@pytest.mark.lammps
def test_frames_of_one_potential_have_the_labels_of_the_other(python, tersoff_energies):
    builder = LiquidWorkChain.get_builder_from_protocol(
        python,
        protocol='test',
        overrides=SHORT | TERSOFF | {'sampler': SAMPLER | {'frames': 12}},
    )
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    dataset = node.outputs.dataset
    assert dataset.level_of_theory == 'Tersoff 1988 Si (LAMMPS)'
    assert dataset.domains == {'melt 2.57 g/cm³': 1, 'liquid 2.57 g/cm³, 3000 K': 12}
    frames = dataset.get_configurations()
    np.testing.assert_allclose(frames.energies, tersoff_energies(dataset), atol=1e-6)
    (two,) = [one for one in node.called if one.process_label == 'SampledReferenceWorkChain']
    sampled = two.base.links.get_outgoing(link_label_filter='sample').first().node.outputs.dataset
    assert sampled.level_of_theory == 'Stillinger-Weber Si (LAMMPS)'
    walk = sampled.get_configurations()
    own = walk.select(np.flatnonzero(np.isin(walk.info['time'], frames.info['time'])))
    assert len(own) == len(frames) < len(walk)
    np.testing.assert_allclose(own.positions, frames.positions, atol=1e-9)
    assert frames.info['time'][-1] == walk.info['time'][-1]
    told = two.outputs.results.get_dict()
    assert told['sampled_by'] == 'Stillinger-Weber Si (LAMMPS)'
    assert told['labelled_by'] == 'Tersoff 1988 Si (LAMMPS)'
    assert (told['n_sampled'], told['n_labelled'], told['unlabelled']) == (13, 13, [])


@pytest.mark.slow
@pytest.mark.lammps
@pytest.mark.parametrize('then', ['label', 'relax'])
def test_who_relaxes_is_chosen(python, tersoff_energies, then):
    """The vacancy of one potential labelled by the other, or relaxed on from there."""
    sampler = SAMPLER | {'then': then} | ({'frames': 3} if then == 'label' else {})
    builder = DefectWorkChain.get_builder_from_protocol(
        python, 5.43, protocol='test', overrides=TERSOFF | {'sampler': sampler}
    )
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    dataset = node.outputs.datasets['vacancy_2']
    assert dataset.level_of_theory == 'Tersoff 1988 Si (LAMMPS)'
    frames = dataset.get_configurations()
    path = frames.select(np.flatnonzero(frames.domains == 'vacancy 2³'))
    np.testing.assert_allclose(frames.energies, tersoff_energies(dataset), atol=1e-6)
    assert path.info['converged'][-1] == 1
    pair = ('Stillinger-Weber Si (LAMMPS)', 'Tersoff 1988 Si (LAMMPS)')
    assert find_samplers([dataset.uuid]) == [pair]
    largest = np.linalg.norm(path.forces[-63:], axis=1).max()
    if then == 'label':
        assert len(path) == 3
        assert largest > 0.1  # at rest for the other potential only
    else:
        assert largest <= 0.05


@pytest.mark.slow
@pytest.mark.lammps
def test_equations_of_state_are_those_of_the_labels(python):
    overrides = TERSOFF | {'phases': ['diamond'], 'sampler': SAMPLER | {'frames': 1}}
    builder = EquationOfStateWorkChain.get_builder_from_protocol(
        python, protocol='test', overrides=overrides
    )
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    fit = node.outputs.equilibrium['diamond']
    # Tersoff, Phys. Rev. B 37, 6991 (1988): a cohesive energy of 4.63 eV at 5.43 Å
    assert fit['energy'] == pytest.approx(-4.63, abs=0.01)
    assert (8 * fit['volume']) ** (1 / 3) == pytest.approx(5.43, abs=0.01)


@pytest.mark.parametrize(
    ('sampler', 'message'),
    [
        ({'engine': 'magic'}, 'no engine `magic`'),
        ({'frames': 3}, 'must be a mapping with an `engine`'),
        ('ase', '`sampler` must be a mapping'),
        (SAMPLER | {'steps': 3}, r"unknown keys \['steps'\] of `sampler`"),
        (SAMPLER | {'protocol': 'test', 'inputs': {'mood': 1}}, 'unknown key `mood`'),
    ],
)
def test_a_sampler_of_no_use_is_refused(python, sampler, message):
    with pytest.raises(Exception, match=message):
        StudyWorkChain.get_builder_from_protocol(
            python, protocol='test', overrides={'sampler': sampler}
        )


@pytest.mark.parametrize(
    ('name', 'value', 'message'),
    [
        ('frames', 0, 'at least 1'),
        ('min_share', 0.0, '`min_share` must be above 0'),
        ('then', 'wait', '`then` must be one of'),
        ('engine', 'magic', 'no engine `magic`'),
    ],
)
def test_values_of_no_use_are_refused_before_anything_runs(python, name, value, message):
    builder = LiquidWorkChain.get_builder_from_protocol(
        python, protocol='test', overrides=SHORT | {'sampler': SAMPLER}
    )
    with pytest.raises(ValueError, match=message):
        builder.sampler[name] = orm.to_aiida_type(value)


def test_a_sampler_reaches_every_part_but_those_that_have_none(python):
    builder = StudyWorkChain.get_builder_from_protocol(
        python,
        protocol='test',
        overrides={
            'sampler': SAMPLER,
            'liquid': {'sampler': {'frames': 20}},
            'surface': {'sampler': None},
        },
    )
    assert complaint(builder) is None
    given = inputs_of(builder)
    assert given['liquid']['sampler']['frames'].value == 20
    parts = ('liquid', 'eos', 'defect', 'surface')
    assert [name for name in parts if 'sampler' in given[name]] == ['liquid', 'eos', 'defect']


def test_without_a_sampler_all_inputs_are_what_they_were(python):
    given = inputs_of(StudyWorkChain.get_builder_from_protocol(python, protocol='test'))
    assert not any('sampler' in given[name] for name in ('liquid', 'eos', 'defect', 'surface'))


def test_an_engine_needs_a_code_of_its_own(python, replay_code):
    with pytest.raises(ValueError, match="the sampler 'ase' needs a `code` of its own"):
        LiquidWorkChain.get_builder_from_protocol(
            replay_code, 'aims', protocol='test', overrides={'sampler': {'engine': 'ase'}}
        )
