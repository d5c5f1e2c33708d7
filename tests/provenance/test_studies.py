"""Tests for studies: what a work chain hands out, or the graph knows of any ensemble."""

import numpy as np
import pytest
from aiida import orm
from aiida.common.exceptions import NotExistent

from aiida_enne import provenance
from aiida_enne.provenance.studies import find_scans
from aiida_enne.science.structures.domains import dataset_role, kinds_of
from tests import studied
from tests.audited import link, model


def test_a_study_tells_the_roles_of_its_datasets(silicon):
    node, datasets = silicon
    record = provenance.find_study(node.uuid)
    assert {role: one.uuid for role, one in record.datasets.items()} == {
        role: one.uuid for role, one in datasets.items()
    }
    assert [role for role, one in record.datasets.items() if not one.predicted] == ['training']
    assert record.training == (datasets['training'].sha256,)
    assert record.datasets['eos_diamond'].domains == {'diamond': 9}
    assert sorted(record.statistics) == ['defect_vacancy_2', 'eos_diamond', 'liquid']
    assert len(record.ensemble.members) == studied.N_MEMBERS


def test_scans_are_found_with_their_members(silicon):
    scans = provenance.find_study(silicon[0].uuid).scans
    assert {name: scan.kind for name, scan in scans.items()} == {
        name: kind for name, (kind, _) in studied.SCANS.items()
    }
    assert list(scans) == sorted(scans)
    point = scans['force'].points['point_3']
    assert point.values == {'l_max': 1, 'n_train': 20}
    assert len(set(point.members.values())) == 2


def test_a_scan_of_an_archive_of_before_is_read_too(silicon):
    """Version 0.1.0 stored it as a plain node."""
    new = next(iter(provenance.find_study(silicon[0].uuid).scans.values()))
    points = {label: point.to_dict() for label, point in new.points.items()}
    old = orm.Dict({'kind': new.kind, 'points': points, 'roles': new.roles}).store()
    process = studied.chain('ScanWorkChain', {})
    link(process, {'summary': old})
    found = find_scans(process, [])[new.kind]
    assert (found.uuid, found.points, found.roles) == (old.uuid, new.points, new.roles)


def test_a_scan_is_itself_and_the_ensemble_that_was_trained_on_most(silicon):
    """Whatever other scans there are on its datasets, and whatever else its members are."""
    scan = studied.chain('ScanWorkChain', {})
    points = {f'n_train_{n}': {'values': {}, 'n_train': n, 'members': {}} for n in (5, 40, 25)}
    summary = orm.Dict({'kind': 'sizes', 'points': points, 'roles': {}}).store()
    models = {f'{point}__seed_{i}': model(90 + i).store() for point in points for i in (1, 2)}
    link(scan, {'summary': summary} | {f'models__{k}': node for k, node in models.items()})
    ensemble = provenance.find_ensemble(scan.uuid)
    assert {member.label: member.uuid for member in ensemble.members} == {
        f'seed_{i}': models[f'n_train_40__seed_{i}'].uuid for i in (1, 2)
    }
    assert {name: one.uuid for name, one in provenance.find_study(scan.uuid).scans.items()} == {
        'sizes': summary.uuid
    }


def test_of_any_ensemble_the_graph_is_asked(silicon):
    node, datasets = silicon
    models = node.base.links.get_outgoing(orm.Data).nested()['models']
    audit = studied.chain('AuditWorkChain', {f'models__{k}': m for k, m in models.items()})
    audit.seal()
    record = provenance.find_study(audit.uuid)
    named = {role: one.uuid for role, one in record.datasets.items()}
    # the training set has only liquids: the first to be named so
    assert set(named.values()) == {one.uuid for one in datasets.values()}
    for role in ('eos_diamond', 'eos_hexagonal_diamond', 'defect_vacancy_2', 'surface_8'):
        assert named[role] == datasets[role].uuid, role
    assert named['own_defect_vacancy_2'] == datasets['own_defect_vacancy_2'].uuid
    assert {scan.kind for scan in record.scans.values()} == set(provenance.SCANS)
    assert record.statistics == {}


def test_rows_hold_what_every_member_said(silicon):
    node, datasets = silicon
    ensemble = provenance.find_ensemble(node.uuid)
    parts = [provenance.gather_rows(ensemble, datasets[r]) for r in ('liquid', 'eos_diamond')]
    rows = provenance.join_rows(parts)
    assert rows.energies.shape == (studied.N_MEMBERS, 69)
    assert rows.datasets[60] == datasets['eos_diamond'].uuid
    chosen = rows.select([65, 3])
    np.testing.assert_array_equal(chosen.energies, rows.energies[:, [65, 3]])
    forces = provenance.gather_forces(ensemble, chosen)
    for member, label in enumerate(rows.members):
        for role, index, atoms in (('eos_diamond', 5, slice(0, 2)), ('liquid', 3, slice(2, 10))):
            found = provenance.find_predictions(ensemble, datasets[role].sha256)[label]
            arrays = orm.load_node(found).get_arrays()
            frame = datasets[role].get_configurations().atom_index([index])
            np.testing.assert_array_equal(forces[member, atoms], arrays['forces'][frame])


def test_members_that_predicted_different_parts_are_not_mixed(silicon):
    node, _ = silicon
    ensemble = provenance.find_ensemble(node.uuid)
    models = node.base.links.get_outgoing(orm.Data).nested()['models']
    rng = np.random.default_rng(1)
    new = studied.label(studied.scan('diamond')[:4], rng).store()
    for number, one in enumerate(models.values()):
        studied.predict(new, one, rng, indices=[0, 2]).store()
        if number:
            studied.predict(new, one, rng).store()
    rows = provenance.gather_rows(ensemble, new)
    assert rows.indices.tolist() == [0, 2]


def test_what_was_trained_on_is_known_frame_by_frame(silicon):
    node, datasets = silicon
    trainings = provenance.find_trainings(provenance.find_ensemble(node.uuid).weights)
    assert {dataset for dataset, _ in trainings.values()} == {datasets['training'].uuid}
    refused = provenance.trained_keys(trainings.values())
    keys = provenance.frame_keys(datasets['liquid'].get_configurations())
    split = node.outputs.split.get_split()
    assert sum(key in refused for key in keys) == 36 - len(split.test)


def test_other_processes_know_no_study(silicon):
    other = studied.chain('AuditWorkChain', {})
    other.seal()
    with pytest.raises(NotExistent, match='has no models'):
        provenance.find_study(other.uuid)


@pytest.mark.parametrize(
    ('domains', 'role'),
    [
        (['liquid 2.57 g/cm³, 2000 K', 'liquid 2.21 g/cm³, 2000 K'], 'liquid'),
        (['beta-tin'], 'eos_beta_tin'),
        (['vacancy 3³', 'bulk 3³'], 'defect_vacancy_3'),
        (['own vacancy 3³', 'bulk 3³'], 'own_defect_vacancy_3'),
        (['Si(100) tilted, 10 layers', 'bulk'], 'surface_10'),
        (['diamond', 'beta-tin'], 'mixed'),
        (['Elastic constants'], 'elastic_constants'),
        (['bulk'], 'mixed'),
    ],
)
def test_roles_are_told_by_domains(domains, role):
    assert dataset_role(kinds_of(domains).values()) == role
