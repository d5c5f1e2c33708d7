"""Tests for `LabelWorkChain`, on the ASE engine."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.workflows.reference.label import LabelWorkChain
from tests import warm

EMT_INPUTS = {'calculator': 'emt'}


@pytest.fixture
def python(aiida_profile_clean, aiida_code_installed):
    """Return this interpreter as a code."""
    return aiida_code_installed(
        label='python', default_calc_job_plugin='enne.ase.run', filepath_executable=warm.python()
    )


@pytest.fixture
def label(python):
    """Return a function that labels frames: `node = label(frames, **overrides)`."""

    def run(frames, **overrides):
        builder = LabelWorkChain.get_builder_from_protocol(
            python,
            ConfigurationsData.from_atoms(frames),
            'ase',
            protocol='test',
            overrides={'inputs': EMT_INPUTS} | overrides,
        )
        return run_get_node(builder).node

    return run


def copper(n):
    """Return n rattled copper cells of two sizes; three relatives share a block."""
    frames = []
    for seed in range(n):
        atoms = bulk('Cu', cubic=True) * (1, 1, 1 + seed % 2)
        atoms.rattle(0.1, seed=seed)
        atoms.info = {'domain': 'cold' if seed % 2 else 'hot', 'block': seed // 3}
        frames.append(atoms)
    return frames


def poison(atoms):
    """Put in an atom that EMT does not know."""
    atoms.numbers[0] = 14


def test_labels_are_those_of_ase_in_the_order_of_the_configurations(label):
    frames = copper(5)
    node = label(frames)
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.dataset.get_configurations()
    for index, atoms in enumerate(frames):
        atoms.calc = EMT()
        one = found.select([index])
        np.testing.assert_array_equal(one.positions, atoms.positions)
        np.testing.assert_allclose(one.energies, atoms.get_potential_energy(), rtol=0, atol=1e-10)
        np.testing.assert_allclose(one.forces, atoms.get_forces(), rtol=0, atol=1e-10)
    # relatives in two jobs are relatives still
    assert found.blocks.tolist() == [0, 0, 0, 1, 1]
    assert found.domains.tolist() == ['hot', 'cold', 'hot', 'cold', 'hot']
    assert found.info['configuration'].tolist() == [0, 1, 2, 3, 4]
    assert node.outputs.dataset.level_of_theory == 'EMT'
    assert node.outputs.failures['failures'] == []


def test_no_more_jobs_at_a_time_than_allowed(label):
    node = label(copper(5), per_job=1, max_concurrent=2)
    assert node.is_finished_ok, node.exit_message
    spans = [
        (child.ctime, child.mtime) for child in node.called if isinstance(child, orm.WorkChainNode)
    ]
    assert len(spans) == 5
    at_a_time = [sum(a <= begin < b for a, b in spans) for begin, _ in spans]
    assert max(at_a_time) == 2


@pytest.mark.parametrize(('needed', 'exit_status'), [(3, 0), (4, 410)])
def test_failures_are_tolerated_as_told_and_always_listed(label, needed, exit_status):
    frames = copper(5)
    poison(frames[1])
    poison(frames[4])
    node = label(frames, min_labelled=needed)
    assert node.exit_status == exit_status, node.exit_message
    told = node.outputs.failures.get_dict()
    assert (told['n_configurations'], told['n_labelled']) == (5, 3)
    assert [item['configuration'] for item in told['failures']] == [1, 4]
    assert [item['domain'] for item in told['failures']] == ['cold', 'hot']
    assert all('Si' in item['message'] for item in told['failures'])
    found = node.outputs.dataset.get_configurations()
    assert found.info['configuration'].tolist() == [0, 2, 3]
    assert found.blocks.tolist() == [0, 0, 1]


def test_every_label_failed(label):
    frames = copper(2)
    for atoms in frames:
        poison(atoms)
    node = label(frames, min_labelled=1)
    assert node.exit_status == LabelWorkChain.exit_codes.ERROR_ALL_FAILED.status
    assert 'dataset' not in node.outputs
    assert len(node.outputs.failures['failures']) == 2


def test_a_job_that_never_worked_is_the_reason(label):
    missing = {'import_path': 'no_such_package.Calculator', 'level_of_theory': 'X'}
    node = label(copper(3), inputs={'calculator': missing})
    assert node.exit_status == LabelWorkChain.exit_codes.ERROR_ALL_FAILED.status
    assert all('no_such_package' in item['message'] for item in node.outputs.failures['failures'])


def test_inputs_that_the_engine_would_refuse_are_refused_at_once(python):
    configurations = ConfigurationsData.from_atoms(copper(2))
    builder = LabelWorkChain.get_builder_from_protocol(
        python, configurations, protocol='test', overrides={'inputs': EMT_INPUTS}
    )
    builder.inputs['base']['ase']['calculator'] = orm.Dict({'preset': 'none'})
    with pytest.raises(ValueError, match='`preset` must be one of'):
        run_get_node(builder)


def test_more_labels_than_configurations_cannot_be_needed(python):
    configurations = ConfigurationsData.from_atoms(copper(2))
    builder = LabelWorkChain.get_builder_from_protocol(
        python, configurations, protocol='test', overrides={'inputs': EMT_INPUTS}
    )
    builder.min_labelled = 3
    with pytest.raises(ValueError, match='`min_labelled` is 3, there are 2'):
        run_get_node(builder)


def test_an_unknown_engine_is_named(python):
    with pytest.raises(ValueError, match='no engine `vasp`'):
        LabelWorkChain.get_builder().engine = orm.Str('vasp')
