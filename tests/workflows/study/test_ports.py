"""Tests of the inputs of a study: protocols, engines, and refusals before anything runs."""

import pytest
from aiida import orm

from aiida_enne.aiida_private import inputs_of
from aiida_enne.data.species import install_species
from aiida_enne.science.structures.phases import PHASES
from aiida_enne.workflows import protocols
from aiida_enne.workflows.study.study import StudyWorkChain
from tests.aims_writer import species_text


@pytest.fixture
def build(python):
    """Return a function that builds the inputs: `builder = build(protocol, engine, **more)`."""

    def run(protocol='test', engine='ase', code=None, **overrides):
        return StudyWorkChain.get_builder_from_protocol(
            code or python, engine, python=python, protocol=protocol, overrides=overrides
        )

    return run


def refused(builder, **changes):
    ports = StudyWorkChain.spec().inputs
    nodes = {k: v if k == 'max_concurrent' else orm.to_aiida_type(v) for k, v in changes.items()}
    inputs = inputs_of(builder) | nodes
    error = ports.validate(ports.pre_process(inputs))
    return None if error is None else str(error)


@pytest.mark.parametrize('name', sorted(protocols.read('study')['protocols']))
def test_every_protocol_can_be_run(build, name):
    assert refused(build(name)) is None
    assert protocols.read('study')['protocols'][name]['description']


def test_the_paper(build, replay_code, tmp_path):
    """D1 to D4 and the scans of Lu et al. (2023), on FHI-aims."""
    folder = tmp_path / 'defaults_2020' / 'light'
    folder.mkdir(parents=True)
    (folder / '14_Si_default').write_text(species_text('Si', 14))
    install_species(folder)
    builder = build('paper', 'aims', replay_code)
    assert refused(builder) is None
    assert len(builder.liquid.densities.get_list()) == 5
    assert len(builder.ensemble.seeds.get_list()) == 30
    assert builder.split.get_dict()['sizes'][1:] == [500, 1000]
    assert builder.draw.get_dict() == {'size': 5000, 'seed': 1}
    assert set(builder.eos.volumes.get_dict()) == set(PHASES)
    assert builder.defect.repeats.get_list() == [2, 3, 4, 5]
    assert {2, 10} <= set(builder.surface.layers.get_list())
    scans = builder.scans.get_dict()
    assert scans['degree']['l_max'] == [0, 1, 2, 3]
    assert scans['degree']['sizes'] == [500, 1000, 2000, 3000, 4000, 5000] == scans['size']['sizes']
    assert len(scans['degree']['seeds']) == 5
    assert scans['subset']['sets'] == 8
    assert {scan['kind'] for scan in scans.values()} == {
        *('grid', 'sizes', 'densities', 'features', 'cutoffs', 'subsets')
    }
    assert builder.own['ase']['calculator']['keywords'] == {'device': 'cuda'}


def test_parts_can_be_left_out(build):
    builder = build(surface=None, own=None, defect=None, scans=None)
    assert refused(builder) is None
    given = inputs_of(builder)
    assert not {'surface', 'own', 'defect'} & set(given)
    assert refused(build(eos=None)) == (
        "Error occurred validating port 'inputs': defect and surface need a lattice constant: give "
        '`lattice_constant`, or diamond among the phases of `eos`, which are []'
    )
    assert refused(build(eos=None, lattice_constant=5.431)) is None


def test_another_element_and_another_calculator_reach_every_part(build):
    parts = {name: {'symbol': 'Al'} for name in ('liquid', 'eos', 'defect', 'surface')}
    builder = build(inputs={'calculator': 'emt'}, **parts)
    assert refused(builder) is None
    for name in parts:
        given = builder[name]
        assert given.symbol.value == 'Al'
        assert given['inputs']['base']['ase']['calculator'].get_dict() == {'preset': 'emt'}


def test_a_split_of_another_method_replaces_the_whole(build):
    split = {'method': 'random', 'sizes': [4, 2, 2], 'seed': 1, 'shared_blocks': True}
    assert build(split=split).split.get_dict() == split
    assert build(split={'gap': 3}).split.get_dict()['method'] == 'blocks'


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'draw': {'seed': 1}}, 'draw: size must be given'),
        (
            {'draw': {'size': 5, 'seed': -1}},
            'draw: `seed` must be a whole number of at least 0, got -1',
        ),
        ({'max_concurrent': 0}, 'at least 1'),
        ({'min_densities': 0}, 'at least 1'),
        ({'scans': {'a': {'kind': 'moods'}}}, 'scan a: `kind of a scan` must be one of'),
        ({'scans': {'a b': {}}}, 'the name of a scan must be an identifier'),
        (
            {'scans': {'a': {'kind': 'densities', 'densities': [3]}}},
            'scan a: 3 densities are asked for, there are 2',
        ),
    ],
)
def test_inputs_of_no_use_are_refused(build, changes, message):
    assert message in refused(build(), **changes)


def test_defects_of_no_use_are_refused_with_the_name_of_the_part(build):
    builder = build()
    builder.defect.defects = orm.List(['hole'])
    assert "'inputs.defect': unknown defect 'hole'" in refused(builder)


def test_samples_are_trained_on_where_there_are_no_liquids(build):
    builder = build('demo-test', scans={'size': {'kind': 'sizes', 'sizes': [2, 4]}})
    assert refused(builder) is None
    assert set(inputs_of(builder)) & {'liquid', 'eos', 'defect', 'surface', 'own'} == set()
    assert 'nothing is trained on' in refused(build('demo-test', sample=None))
    densities = {'kind': 'densities', 'densities': [2]}
    assert 'scan density: ' in refused(build('demo-test'), scans={'density': densities})


def test_a_sample_is_replaced_left_out_or_refused_by_name(build):
    own = {
        'recipe': [{'kind': 'phase', 'phase': 'fcc', 'volumes': [15.0]}],
        'task': {'kind': 'label'},
    }
    builder = build('demo-test', sample={'samples': {'solids': None, 'own': own}})
    assert set(builder.sample.samples) == {'trained', 'colder', 'hotter', 'own'}
    with pytest.raises(ValueError, match='sample own: expected `task`, `recipe`'):
        build('demo-test', sample={'samples': {'own': {'task': {}}}})
    bad = own | {'task': {'kind': 'dream'}}
    with pytest.raises(ValueError, match='sample own: `kind` must be one of label, md, relax'):
        build('demo-test', sample={'samples': {'own': bad}})
    builder = build('demo-test', sample={'samples': {'own': own}})
    builder.sample.samples.own = orm.Dict(bad)
    assert 'sample own: `kind` must be one of' in refused(builder)
