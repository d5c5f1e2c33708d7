"""Tests for the inputs of `QeReferenceWorkChain`; `test_qe_runs` runs it."""

import sys

import pytest
from aiida import orm
from aiida.common.exceptions import MissingEntryPointError
from ase import Atoms
from ase.build import bulk

from aiida_enne.calculations.quantumespresso import levels_of_theory
from aiida_enne.codes import qe
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.science.plans.tasks import read_task
from aiida_enne.workflows import protocols
from aiida_enne.workflows.reference.engine import load_engine
from aiida_enne.workflows.reference.qe_inputs import (
    job_inputs,
    pw_base,
    validate_qe,
)

pytest_plugins = ['tests.pseudos']
pytest.importorskip('aiida_quantumespresso')
MD = {'kind': 'md', 'stages': [{'thermostat': 'langevin', 'temperature': 300, 'steps': 5}]}


@pytest.fixture
def build(dummy_family, aiida_code_installed):
    """Return a function that makes a builder: `builder = build(frames, task, **overrides)`."""
    code = aiida_code_installed(
        default_calc_job_plugin='quantumespresso.pw', filepath_executable='/bin/true'
    )

    def run(frames, task, protocol='test', seed=None, **overrides):
        return load_engine('qe').get_builder_from_protocol(
            code,
            ConfigurationsData.from_atoms(frames),
            task,
            seed=seed,
            protocol=protocol,
            overrides=overrides,
        )

    return run


def complaint(builder):
    """Return what the validators of the whole namespace say."""
    process = builder.process_class
    found = process.spec().inputs.validate(process.spec().inputs.pre_process(builder._inputs()))
    return None if found is None else found.message


@pytest.mark.parametrize('protocol', sorted(protocols.read('reference_qe')['protocols']))
def test_every_protocol_gives_valid_inputs(build, protocol):
    builder = build([bulk('Si')], MD, protocol=protocol, seed=1)
    assert complaint(builder) is None
    system = builder.base.pw.parameters['SYSTEM']
    assert system['input_dft'] == 'PW91'
    expected = (16, 64) if protocol == 'test' else (22, 88)
    assert (system['ecutwfc'], system['ecutrho']) == pytest.approx(expected)
    assert protocols.read('reference_qe')['protocols'][protocol]['description']


def test_the_level_of_theory_names_all_that_decides_it(build):
    inputs = build([bulk('Si')], MD, 'laptop', seed=1, kpoints_distance=0.15)._inputs()
    assert ', '.join(levels_of_theory(inputs['base']).values()) == (
        'QE PW91 (input_dft) Si.dummy.UPF, 22/88 Ry, k 0.15/Å, cold 0.01 Ry'
    )
    inputs = build([bulk('Si')], MD, seed=1, functional=None)._inputs()
    assert ', '.join(levels_of_theory(inputs['base']).values()) == (
        'QE Si.dummy.UPF, 16/64 Ry, k 1x1x1, gaussian 0.01 Ry'
    )


@pytest.mark.parametrize(
    ('frames', 'task', 'options', 'message'),
    [
        ([bulk('Si')], MD, {'thermostats': {'langevin': None}}, 'overdamped'),
        (
            [bulk('Si')],
            MD | {'fixed': [[0], [1]]},
            {},
            'for 1 configurations, got 2',
        ),
        (
            [bulk('Si')],
            MD | {'fixed': [[2]]},
            {},
            'atom 2 of configuration 0 with 2',
        ),
        ([bulk('Si'), Atoms('Si')], {'kind': 'label'}, {}, 'configuration 1 is not periodic'),
    ],
)
def test_what_cannot_be_run_is_refused(build, frames, task, options, message):
    assert message in complaint(build(frames, task, seed=1, options=options))


def test_dynamics_needs_a_seed(build):
    assert 'seed' in complaint(build([bulk('Si')], MD))


def test_an_element_without_pseudopotential_is_named(build):
    with pytest.raises(ValueError, match='SIQE'):
        build([bulk('Ge')], {'kind': 'label'})


def test_a_missing_family_tells_how_to_make_it(build):
    with pytest.raises(ValueError, match='pseudo install FOLDER --label OTHER'):
        build([bulk('Si')], {'kind': 'label'}, pseudo_family='OTHER')


def test_without_the_plugin_the_error_tells_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, 'aiida_enne.workflows.reference.pw_base', raising=False)
    monkeypatch.setitem(sys.modules, 'aiida_quantumespresso.workflows.pw.base', None)
    with pytest.raises(MissingEntryPointError, match=r'aiida-enne\[qe\]'):
        pw_base()


def test_validation_tolerates_ports_that_a_workflow_has_excluded():
    assert validate_qe({}, {}) is None


def test_jobs_have_bands_and_thresholds_by_the_number_of_atoms(build):
    options = qe.complete_options({'conv_thr_per_atom': 1e-8})
    for atoms, n in ((bulk('Si'), 2), (bulk('Si', cubic=True), 8)):
        builder = build([atoms], {'kind': 'label'})
        (job,) = qe.plan(read_task({'kind': 'label'}), options, None, n)
        base = builder._inputs()['base']
        inputs = job_inputs(base, job, orm.StructureData(ase=atoms), options)
        parameters = inputs['pw']['parameters'].get_dict()
        assert parameters['ELECTRONS']['conv_thr'] == pytest.approx(n * 1e-8)
        assert parameters['SYSTEM']['nbnd'] == 2 * n + max(4, n // 2)
        assert parameters['CONTROL']['calculation'] == 'scf'
        assert parameters['CONTROL']['tprnfor']
        assert parameters['CONTROL']['tstress']
        assert inputs['pw']['settings'].get_dict() == {'gamma_only': True}


def test_dynamics_is_one_run_a_job(build):
    job = qe.Job({'CONTROL': {'calculation': 'md'}}, stage=0, steps=3)
    base = build([bulk('Si')], MD, seed=1)._inputs()['base']
    inputs = job_inputs(base, job, orm.StructureData(ase=bulk('Si')), qe.complete_options({}))
    assert inputs['max_iterations'].value == 1
    assert inputs['handler_overrides']['sanity_check_insufficient_bands'] == {'enabled': False}
    assert inputs['pw']['parameters']['CONTROL']['calculation'] == 'md'
