"""Convergence as a part of a study: what is built, when it begins, what it is planned to cost."""

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from ase import Atoms

from aiida_enne.aiida_private import fill_builder, inputs_of
from aiida_enne.calculations.ports import plain
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.plans.convergence import examples
from aiida_enne.science.plans.slots import find_ready
from aiida_enne.workflows import protocols
from aiida_enne.workflows.reference.convergence import ConvergenceWorkChain
from aiida_enne.workflows.reference.stand_ins import any_code, planning
from aiida_enne.workflows.study.planning import plan
from aiida_enne.workflows.study.study import StudyWorkChain

SETTINGS = {'converged': {'calculator': 'lammps-tersoff-si'}}
CONVERGENCE = {
    'liquid': {'settings': SETTINGS | {'fine': {'base': {'ase': {'checkpoint_seconds': 7}}}}},
    'eos': {'settings': SETTINGS, 'domains': ['diamond'], 'per_domain': 2},
}


@pytest.fixture
def build(python):
    """Return a function that builds the inputs of a study: `builder = build(convergence)`."""

    def run(convergence, **more):
        overrides = {'convergence': convergence} | more
        return StudyWorkChain.get_builder_from_protocol(
            python, protocol='test', overrides=overrides
        )

    return run


def test_a_setting_lies_on_top_of_what_its_part_is_given(build):
    inputs = {'base': {'ase': {'processes': 2}}}
    given = inputs_of(build(CONVERGENCE, eos={'inputs': inputs}))['convergence']
    assert set(given) == {'liquid', 'eos'}
    jobs = {
        f'{part}.{name}': one['base']['ase']
        for part, more in given.items()
        for name, one in more['settings'].items()
    }
    assert set(jobs) == {'liquid.converged', 'liquid.fine', 'eos.converged'}
    assert [jobs[name]['processes'] for name in jobs] == [1, 1, 2]
    assert jobs['liquid.fine']['checkpoint_seconds'] == 7
    assert jobs['liquid.fine']['calculator'].get_dict() == {'preset': 'lammps-sw-si'}
    assert jobs['eos.converged']['calculator'].get_dict() == {'preset': 'lammps-tersoff-si'}
    assert given['eos']['per_domain'].value == 2
    assert protocols.complaint(build(CONVERGENCE)) is None


def test_a_study_that_does_not_ask_has_the_inputs_that_it_had(build):
    for asked in (None, {}, {'liquid': None}):
        given = inputs_of(build(asked))
        assert 'convergence' not in given
    process = instantiate_process(get_manager().get_runner(), StudyWorkChain, **given)
    assert not any('convergence' in name for name in process.branches())
    assert not any('convergence' in name for name in process.node.inputs)


@pytest.mark.parametrize(
    ('convergence', 'message'),
    [
        ({'liqid': {}}, '`convergence.liqid`'),
        ({'liquid': {'setings': {}}}, '`convergence.liquid.setings`'),
        ({'sample': {'settings': SETTINGS}}, 'this study has no part `sample`, it has liquid'),
        (
            {'eos': {'settings': {'converged': {'calculator': 'magic'}}}},
            'setting converged: .*`preset` must be one of',
        ),
    ],
)
def test_keys_and_parts_of_no_use_are_refused(build, convergence, message):
    with pytest.raises(ValueError, match=message):
        build(convergence)


@pytest.mark.parametrize(
    ('part', 'message'),
    [
        ({'settings': {}}, "`converged` is 'converged', which is none of the settings []"),
        ({'settings': SETTINGS, 'domains': ['diamon']}, 'did you mean `diamond`?'),
        ({'settings': SETTINGS, 'domains': []}, '.domains`: none is named'),
    ],
)
def test_settings_of_no_use_are_refused_with_the_part_before_anything_runs(build, part, message):
    said = protocols.complaint(build({'eos': part}))
    assert '`convergence.eos' in said
    assert message in said


def test_it_begins_after_the_ensemble_and_lets_the_audit_go_first(build, python):
    process = instantiate_process(
        get_manager().get_runner(), StudyWorkChain, **inputs_of(build(CONVERGENCE))
    )
    table = process.branches()
    needs = {name: branch.needs for name, branch in table.items()}
    mine = ['convergence__liquid', 'convergence__eos']
    assert list(table)[-2:] == mine
    every = {'liquid', 'eos', 'defect', 'surface'}
    assert not set(mine) & set(find_ready(needs, every, ['ensemble']))
    assert not set(mine) & set(find_ready(needs, {*every, 'ensemble'}, []))
    ready = find_ready(needs, {'liquid', 'ensemble'}, ['eos', 'defect'])
    assert [name for name in ready if name in mine] == mine[:1]
    assert set(mine) <= set(find_ready(needs, {*every, 'ensemble', 'audit'}, []))

    process.begin()
    branch = table['convergence__eos']
    assert not branch.wanted(), 'no phase has labels'
    process.ctx.datasets = {f'eos_{name}': phase(name) for name in ('diamond', 'beta_tin')}
    assert branch.wanted()
    job = branch.build()
    assert (job.process, job.width) == (ConvergenceWorkChain, 1)
    assert job.inputs['domains'].get_list() == ['diamond']
    assert set(job.inputs['datasets']) == {'eos_diamond', 'eos_beta_tin'}
    builder = job.process.get_builder()
    fill_builder(builder, job.inputs)
    assert protocols.complaint(builder) is None
    ended = orm.WorkChainNode().store()
    found = orm.Dict({'converged': 'converged'}).store()
    found.base.links.add_incoming(ended, LinkType.RETURN, 'convergence')
    branch.take(ended)
    assert process.outputs['convergence']['eos'].uuid == found.uuid
    table['convergence__liquid'].take(orm.WorkChainNode().store())
    assert set(process.outputs['convergence']) == {'eos'}
    liquid = table['convergence__liquid']
    assert not liquid.wanted()
    process.ctx.datasets['liquid'] = phase('liquid 2.57 g/cm³, 2000 K')
    assert liquid.build().inputs['domains'].get_list() == ['liquid 2.57 g/cm³, 2000 K']


def phase(domain):
    """Return a stored dataset of one frame."""
    atoms = Atoms('Si', cell=[3, 3, 3], pbc=True)
    frames = from_atoms([atoms], domains=[domain.replace('_', '-')])
    arrays = frames.as_arrays() | {'energies': frames.volumes, 'forces': frames.positions}
    labelled = type(frames).from_arrays(arrays)
    return DatasetData.from_configurations(labelled, level_of_theory='x').store()


@pytest.fixture
def planned(aiida_profile_clean, aiida_localhost):
    """Return a function that plans the laptop's study by pw.x: `plan = planned(**overrides)`."""

    def run(**overrides):
        with planning():
            builder = StudyWorkChain.get_builder_from_protocol(
                any_code(), 'qe', protocol='laptop', overrides=overrides
            )
        assert protocols.complaint(builder) is None
        return builder, {part.name: part for part in plan(inputs_of(builder)).parts}

    return run


def test_the_laptop_asks_pw_for_some_twenty_minutes(planned):
    builder, parts = planned()
    assert parts['convergence'].jobs == 4 + 2 * 4
    assert 0.2 < parts['convergence'].core_hours < 0.5
    assert list(parts)[-1] == 'convergence'
    given = builder.convergence
    system = {
        (part, name): one['base']['pw']['parameters'].get_dict()['SYSTEM']
        for part in ('liquid', 'eos')
        for name, one in given[part].settings.items()
    }
    assert {one['ecutwfc'] for (_, name), one in system.items() if name == 'kpoints'} == {16}
    for (_, name), one in system.items():
        assert one['ecutwfc'] == (30 if name in ('cutoff', 'converged') else 16)
        assert one['degauss'] == (0.01 if name in ('smearing', 'converged') else 0.02)
    meshes = {
        name: one['base']['kpoints'].get_kpoints_mesh()[0]
        for name, one in given.liquid.settings.items()
    }
    gamma, dense = [1, 1, 1], [2, 2, 2]
    assert meshes == {
        'cutoff': gamma,
        'kpoints': dense,
        'smearing': gamma,
        'converged': dense,
    }
    for name, one in given.eos.settings.items():
        distance = one['base']['kpoints_distance'].value
        assert distance == (0.15 if name in ('kpoints', 'converged') else 0.25)
    _, less = planned(convergence={'eos': None, 'liquid': {'settings': {'kpoints': None}}})
    assert less['convergence'].jobs == 3
    _, less = planned(eos={'phases': ['diamond', 'bcc']}, liquid={'densities': [2.21, 2.57]})
    assert less['convergence'].jobs == 4, 'of what only the protocol names, what there is'
    _, none = planned(convergence=None)
    assert 'convergence' not in none
    assert {k: v for k, v in parts.items() if k != 'convergence'} == none


def test_every_part_has_an_example_of_each_of_its_domains(planned):
    builder, _ = planned()
    inputs = plain(inputs_of(builder))
    found = {part: examples(part, inputs[part]) for part in ('liquid', 'eos', 'defect', 'surface')}
    assert len(found['liquid']) == 8
    assert {len(atoms) for atoms in found['liquid'].values()} == {64}
    assert len(found['eos']) == 8
    assert set(found['defect']) == {'vacancy 2³', 'hexagonal 2³'}
    assert list(found['surface']) == ['Si(100) tilted, 10 layers']
