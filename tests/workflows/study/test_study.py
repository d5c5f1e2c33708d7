"""The whole study, for real, on a handful of configurations: what it hands out, and its reuse."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching

from aiida_enne import provenance
from aiida_enne.science.structures.domains import parse
from aiida_enne.workflows.study.study import StudyWorkChain

pytestmark = [pytest.mark.slow, pytest.mark.nequip, pytest.mark.lammps]

#: What costs: everything but calculation functions.
JOBS = 'aiida.calculations:enne.*'
ROLES = {
    *('liquid', 'training', 'eos_diamond', 'eos_beta_tin', 'defect_vacancy_2', 'surface_8'),
    *('own_defect_vacancy_2', 'own_surface_8'),
}


def run(code, **overrides):
    builder = StudyWorkChain.get_builder_from_protocol(code, protocol='test', overrides=overrides)
    with enable_caching(identifier=JOBS):
        return run_get_node(builder).node


def fresh(node):
    """Return the jobs below a process that were really run."""
    found = [one for one in node.called_descendants if isinstance(one, orm.CalcJobNode)]
    return [one for one in found if not one.base.caching.is_created_from_cache]


def trained(jobs):
    """Return what was trained, member by member: split and parameters are identities."""
    return [
        (job.inputs.split.sha256, str(job.inputs.parameters.get_dict()), label)
        for job in jobs
        if job.process_label == 'NequipTrainCalculation'
        for label in job.inputs.seeds
    ]


@pytest.fixture(scope='module')
def study(aiida_profile, python_code):
    """Run the study once, from first structure to last scan."""
    node = run(python_code)
    assert node.is_finished_ok, node.exit_message
    return node


def test_it_hands_out_every_role(study):
    assert set(study.outputs.datasets) == ROLES
    members = {'seed_1', 'seed_2'}
    assert set(study.outputs.models) == members
    assert set(study.outputs.predictions) == ROLES
    assert all(set(found) == members for found in study.outputs.predictions.values())
    audited = {role for role in ROLES if not role.startswith('own_')}
    assert set(study.outputs.statistics) == audited
    assert study.outputs.lattice_constant.value == pytest.approx(5.431, abs=2e-3)
    for node in study.outputs.datasets.values():
        assert node.creator is not None


def test_domains_tell_what_everything_is(study):
    domains = {role: set(node.domains) for role, node in study.outputs.datasets.items()}
    assert domains['training'] == {f'liquid {rho} g/cm³, 2000 K' for rho in ('2.3', '2.57')}
    assert domains['liquid'] > domains['training'] | {'liquid 2.57 g/cm³, 2400 K'}
    assert domains['eos_beta_tin'] == {'beta-tin'}
    assert domains['defect_vacancy_2'] == {'vacancy 2³', 'bulk 2³'}
    assert domains['surface_8'] == {'Si(100) tilted, 8 layers', 'bulk'}
    for role in ('defect_vacancy_2', 'surface_8'):
        assert domains[f'own_{role}'] == {f'own {name}' for name in domains[role]}
        assert all(parse(name).own for name in domains[f'own_{role}'])
    own = study.outputs.datasets['own_surface_8']
    assert own.level_of_theory.startswith('mean of NequIP ensemble')


def test_nothing_trained_on_is_tested(study):
    split = study.outputs.split.get_split()
    assert not set(split.train) & set(split.test)
    training = study.outputs.datasets['training'].get_configurations()
    seen = {training.energies[i] for i in [*split.train, *split.validation]}
    liquid = study.outputs.datasets['liquid'].get_configurations()
    for role, frames in (('training', training), ('liquid', liquid)):
        for prediction in study.outputs.predictions[role].values():
            indices = prediction.get_arrays()['indices']
            assert not seen & set(frames.energies[indices].tolist())
    predicted = set(liquid.domains[indices])
    assert 'liquid 2.57 g/cm³, 2400 K' in predicted


def test_scans_say_what_their_points_are(study):
    size = study.outputs.scans['size']
    assert size.kind == 'sizes'
    assert {p.values['n_train']: p.n_train for p in size.points.values()} == {8: 8, 22: 22}
    main = {label: model.weights_sha256 for label, model in study.outputs.models.items()}
    assert size.points['n_train_22'].members == main  # the main ensemble is a point
    assert set(size.roles) == {'training', 'eos_diamond'}
    for role, digest in size.roles.items():
        assert digest == study.outputs.datasets[role].sha256
    for scan in provenance.find_study(study.uuid).scans.values():
        for point in scan.points.values():
            for digest in scan.roles.values():
                filters = {
                    'attributes.dataset_sha256': digest,
                    'attributes.weights_sha256': {'in': list(point.members.values())},
                }
                query = orm.QueryBuilder().append(orm.Data, filters=filters)
                assert query.count() >= len(point.members)


def test_no_member_is_trained_twice_within_a_study(study):
    members = trained(fresh(study))
    assert len(set(members)) == len(members)
    # two of the main ensemble; the grid adds three points of one seed, of which two have l_max 1;
    # the sizes add the other seed of one point, and the subsets another set of two
    assert len(members) == 2 + 3 + 1 + 2


def test_an_extended_study_computes_only_what_is_new(study, python_code):
    """Another phase, another temperature, another member and another point: all else is known."""
    again = run(
        python_code,
        liquid={'temperatures': [2400.0, 1800.0], 'criteria': {'min_displacement': 0.0}},
        eos={'phases': ['diamond', 'beta-tin', 'fcc']},
        ensemble={'seeds': [1, 2, 3]},
        scans={'size': {'sizes': [8, 16, 22], 'seeds': [1, 2]}},
    )
    assert again.is_finished_ok, again.exit_message
    new = fresh(again)
    engine = [job for job in new if job.process_label == 'AseRunCalculation']
    calculated = {
        domain
        for job in engine
        if 'models' not in job.inputs
        for domain in job.outputs.dataset.domains
    }
    assert calculated == {'liquid 2.57 g/cm³, 1800 K', 'fcc'}
    before, after = trained(fresh(study)), trained(new)
    assert not set(before) & set(after)
    assert {label for _, _, label in after} == {'seed_1', 'seed_2', 'seed_3'}
    for label in ('seed_1', 'seed_2'):
        assert again.outputs.models[label].uuid == study.outputs.models[label].uuid
    assert again.outputs.datasets['training'].sha256 == study.outputs.datasets['training'].sha256
    assert 'eos_fcc' in again.outputs.datasets
    assert set(again.outputs.scans['size'].points) == {'n_train_8', 'n_train_16', 'n_train_22'}


def test_a_part_that_fails_takes_no_other_along(study, python_code):
    """Slabs that are given one step do not relax; everything else is there."""
    node = run(python_code, surface={'relax': {'max_steps': 1}}, own=None, scans=None)
    assert node.exit_status == StudyWorkChain.exit_codes.ERROR_PARTS_FAILED.status
    assert 'surface' in node.exit_message
    assert 'not converged after 1 steps' in node.exit_message
    assert 'ensemble' not in node.exit_message
    assert set(node.outputs.statistics) >= {'liquid', 'eos_diamond', 'defect_vacancy_2'}
    assert 'surface_8' in node.outputs.datasets  # its path, as far as it went
    assert np.isfinite(node.outputs.datasets['surface_8'].get_configurations().energies).all()
    assert not trained(fresh(node))
