"""Tests for `ConvergenceWorkChain`, on real calculators of the ASE engine."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.build import bulk
from ase.calculators.lj import LennardJones

from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.data.frames import from_atoms
from aiida_enne.workflows import protocols
from aiida_enne.workflows.reference.convergence import ConvergenceWorkChain
from tests import warm

KEYWORDS = {'sigma': 2.3, 'epsilon': 0.4, 'smooth': True}
#: Cutoffs in Å: as the datasets are labelled, and converged.
LABELLED, CONVERGED = 5.0, 7.0


def lennard_jones(cutoff, path='ase.calculators.lj.LennardJones'):
    """Return overrides of the engine: a potential that converges with its cutoff."""
    keywords = KEYWORDS | {'rc': cutoff}
    calculator = {'import_path': path, 'keywords': keywords, 'level_of_theory': f'LJ {cutoff} Å'}
    return {'calculator': calculator}


def crystals(domain, n, cutoff=LABELLED):
    """Return a dataset of n rattled cells, labelled here with a cutoff."""
    frames = []
    for seed in range(n):
        atoms = bulk('Ar', 'fcc', a=3.6, cubic=True)
        atoms.rattle(0.1, seed=seed)
        atoms.info = {'domain': domain, 'block': seed}
        atoms.calc = LennardJones(**KEYWORDS, rc=cutoff)
        atoms.get_potential_energy(), atoms.get_stress()
        frames.append(atoms)
    return DatasetData.from_configurations(
        from_atoms(frames), level_of_theory=f'LJ {cutoff} Å'
    ).store()


@pytest.fixture
def build(aiida_profile_clean, aiida_code_installed):
    """Return a function that builds: `builder = build(datasets, **overrides)`."""
    code = aiida_code_installed(
        label='python', default_calc_job_plugin='enne.ase.run', filepath_executable=warm.python()
    )
    orm.load_computer('localhost').set_minimum_job_poll_interval(0)

    def make(datasets, **overrides):
        return ConvergenceWorkChain.get_builder_from_protocol(
            code, datasets, protocol='test', overrides=overrides
        )

    return make


def test_settings_are_compared_frame_by_frame_and_one_that_fails_takes_nothing_along(build):
    datasets = {'cold': crystals('cold', 5), 'hot': crystals('hot', 4)}
    settings = {
        'cutoff': lennard_jones(6.0),
        'converged': lennard_jones(CONVERGED),
        'broken': lennard_jones(6.0, 'no_such_package.Calculator'),
    }
    builder = build(datasets, settings=settings, per_domain=2)
    node = run_get_node(builder).node
    assert node.exit_status == ConvergenceWorkChain.exit_codes.ERROR_SETTINGS_FAILED.status
    assert 'broken' in node.exit_message
    assert 'no_such_package' in node.exit_message
    assert set(node.outputs.datasets) == {'cutoff', 'converged'}
    found = node.outputs.convergence.get_dict()
    assert [(one['dataset'], one['frame']) for one in found['frames']] == [
        *(('cold', 1), ('cold', 3), ('hot', 1), ('hot', 3))
    ]
    assert found['levels']['as_labelled'] == 'LJ 5.0 Å'
    assert found['levels']['converged'] == 'LJ 7.0 Å'
    assert set(found['settings']) == {'as_labelled', 'cutoff'}
    far, near = (found['settings'][name] for name in ('as_labelled', 'cutoff'))
    assert far['pooled']['force_rms'] > 2 * near['pooled']['force_rms'] > 0
    assert far['pooled']['energy_noise'] > near['pooled']['energy_noise'] > 0
    own = node.outputs.datasets['converged'].get_configurations()
    cold = datasets['cold'].get_configurations().select([1, 3])
    apart = cold.forces - own.forces[: len(cold.forces)]
    told = far['domains']['cold']
    assert told['force_rms'] == pytest.approx(np.sqrt(np.mean(apart**2)), rel=1e-9)
    wrong = (cold.energies - own.energies[:2]) / 4
    assert told['energy_offset'] == pytest.approx(wrong.mean(), abs=1e-12)
    assert told['energy_noise'] == pytest.approx(wrong.std(ddof=1), abs=1e-12)
    stress = cold.stresses - own.stresses[:2]
    assert told['stress_rms'] == pytest.approx(np.sqrt(np.mean(stress**2)), abs=1e-12)
    assert node.outputs.frames.get_configurations().energies is None


def test_without_converged_labels_nothing_is_compared(build):
    settings = {'converged': lennard_jones(7.0, 'no_such_package.Calculator')}
    node = run_get_node(build({'cold': crystals('cold', 1)}, settings=settings)).node
    assert node.exit_status == ConvergenceWorkChain.exit_codes.ERROR_NO_CONVERGED.status
    assert 'no_such_package' in node.exit_message
    assert 'convergence' not in node.outputs


def test_settings_lie_on_top_of_what_all_have(build):
    datasets = {'cold': crystals('cold', 1)}
    common = {'calculator': 'emt', 'base': {'ase': {'processes': 2}}}
    settings = {'converged': {}, 'short': {'calculator': 'matscipy-sw-si'}, 'none': None}
    builder = build(datasets, settings=settings, inputs=common)
    assert set(builder.settings) == {'converged', 'short'}
    jobs = {name: builder.settings[name]['base']['ase'] for name in builder.settings}
    assert {name: one['processes'] for name, one in jobs.items()} == {'converged': 2, 'short': 2}
    presets = {name: one['calculator'].get_dict()['preset'] for name, one in jobs.items()}
    assert presets == {'converged': 'emt', 'short': 'matscipy-sw-si'}
    assert protocols.complaint(builder) is None
    assert ConvergenceWorkChain.width(builder) == 2


@pytest.mark.parametrize(
    ('overrides', 'message'),
    [
        ({'settings': {}}, "`converged` is 'converged', which is none of the settings []: add it"),
        ({'converged': 'best'}, "`converged` is 'best', which is none of the settings ["),
        ({'settings': {'a b': {}}}, 'must be an identifier without `__` and not `as_labelled`'),
        ({'settings': {'as_labelled': {}}}, "got 'as_labelled'"),
        ({'domains': ['hott']}, "`domains`: no domain 'hott' (did you mean `hot`?)"),
        ({'domains': []}, '`domains`: none is named'),
    ],
)
def test_inputs_of_no_use_are_refused_before_anything_runs(build, overrides, message):
    datasets = {'cold': crystals('cold', 1), 'hot': crystals('hot', 1)}
    settings = {'settings': {'converged': lennard_jones(CONVERGED)}} | overrides
    assert message in protocols.complaint(build(datasets, **settings))


def test_datasets_and_engine_inputs_of_no_use_are_refused(build):
    settings = {'settings': {'converged': lennard_jones(CONVERGED)}}
    two = {'cold': crystals('cold', 1), 'hot': crystals('hot', 1, cutoff=6.0)}
    assert 'of one level of theory' in protocols.complaint(build(two, **settings))
    builder = build({'cold': two['cold']}, **settings)
    builder.settings['converged']['base']['ase']['calculator'] = orm.Dict({'preset': 'none'})
    said = protocols.complaint(builder)
    assert 'setting converged: the engine `ase` refuses' in said
    assert '`preset` must be one of' in said
    with pytest.raises(ValueError, match='at least 1'):
        build({'cold': two['cold']}, per_domain=0, **settings)
    with pytest.raises(ValueError, match='did you mean `settings`'):
        build({'cold': two['cold']}, setings={})
