"""Tests for `StiffnessWorkChain`: trained members on deformed copper, labelled by EMT."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.build import bulk

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.provenance import Material
from aiida_enne.report.contract import check_figure
from aiida_enne.report.deformed import of_stiffness
from aiida_enne.workflows import protocols
from aiida_enne.workflows.stiffness import StiffnessWorkChain

EMT = {'inputs': {'calculator': 'emt'}}


@pytest.fixture
def crystals(aiida_profile_clean):
    atoms = [bulk('Cu', a=3.59), bulk('Al', a=4.0)]
    for one, name in zip(atoms, ('copper', 'aluminium'), strict=True):
        one.info = {'domain': name, 'block': 0}
    return ConfigurationsData.from_atoms(atoms).store()


def build(code, models, crystals, engine=None, **overrides):
    return StiffnessWorkChain.get_builder_from_protocol(
        code, models, crystals, engine, protocol='test', overrides=overrides
    )


@pytest.mark.nequip
@pytest.mark.slow
def test_members_and_reference_stand_side_by_side(models, train_code, crystals):
    deform = {'domains': ['copper'], 'repeats': 2, 'displacements': 'all'}
    builder = build(train_code, models, crystals, 'ase', deform=deform, label=EMT)
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    results = node.outputs.results.get_dict()
    assert list(results) == ['copper']
    elastic = results['copper']['elastic']
    assert (elastic['unit'], elastic['names']) == ('GPa', ['C11', 'C12', 'C44'])
    assert elastic['reference'][0] == pytest.approx(172.5, abs=1)  # EMT at this cell
    members = np.array([elastic['members'][label] for label in sorted(models)])
    np.testing.assert_allclose(elastic['mean'], members.mean(axis=0))
    np.testing.assert_allclose(elastic['spread'], members.std(axis=0))
    assert len(results['copper']['phonons']['members']) == len(models)
    assert set(node.outputs.predictions) == set(models)
    assert node.outputs.dataset.domains == node.outputs.cells.domains
    material = Material.of(node.pk)
    shown = check_figure('elastic', material)[0].content['elastic']
    assert shown.reference[0, 0] == pytest.approx(elastic['reference'][0], rel=1e-3)
    assert [row[1] for row in list(of_stiffness(material))[-1].rows] == ['undecided'] * 2


@pytest.mark.nequip
@pytest.mark.slow
def test_without_an_engine_there_are_members_alone(models, train_code, crystals):
    node = run_get_node(build(train_code, models, crystals)).node
    assert node.is_finished_ok, node.exit_message
    assert 'dataset' not in node.outputs
    found = node.outputs.results.get_dict()
    assert sorted(found) == ['aluminium', 'copper']
    assert found['copper']['elastic']['reference'] is None
    elastic, *_, claims = of_stiffness(Material.of(node.pk))
    assert {row[0] for row in elastic.rows} == {'aluminium', 'copper'}
    assert {row[1] for row in claims.rows} == {'undecided'}


def test_what_cannot_be_used_is_refused_before_anything_runs(models, train_code, crystals):
    def why(crystals=crystals, **overrides):
        return protocols.complaint(build(train_code, models, crystals, **overrides))

    assert why() is None
    assert '`strain` must be above zero' in why(deform={'strain': 0.0})
    assert "no crystal in the domain 'fcc'" in why(deform={'domains': ['fcc']})
    gold = ConfigurationsData.from_atoms([bulk('Au')]).store()
    assert "the dataset holds ['Au']" in why(gold)
    slab = bulk('Cu')
    slab.pbc = (True, True, False)
    assert 'does not repeat' in why(ConfigurationsData.from_atoms([slab]).store())
    labelled = build(train_code, models, gold, 'ase', label={'inputs': EMT['inputs']})
    assert isinstance(labelled.deform, orm.Dict)
