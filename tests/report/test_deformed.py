"""Figures of a deformed crystal from stored predictions: members that are multiples of EMT."""

import numpy as np
import pytest
from aiida import orm
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_enne.calculations.deformations import deform_crystal
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.prediction import PredictionData
from aiida_enne.provenance import Material, Missing
from aiida_enne.report.contract import check_figure
from aiida_enne.report.figures import find_figure
from aiida_enne.report.stresses import of_stresses
from aiida_enne.science.data.frames import to_atoms
from tests.audited import chain, model, store_audit

FACTORS = (0.81, 1.0, 1.44)


@pytest.fixture
def crystal(aiida_profile_clean):
    atoms = bulk('Cu', a=3.59)
    atoms.info = {'domain': 'fcc', 'block': 0}
    return ConfigurationsData.from_atoms([atoms]).store()


@pytest.fixture
def material(crystal):
    """Return what an audit of deformed cells left, labelled by EMT."""
    deformed = deform_crystal(crystal, orm.Dict({'repeats': 2}))
    frames = to_atoms(deformed.get_configurations())
    domains = deformed.get_configurations().domains
    for number, atoms in enumerate(frames):
        atoms.info = {'domain': str(domains[number]), 'block': number}
        atoms.calc = EMT()
        results = {name: atoms.calc.get_property(name, atoms) for name in ('energy', 'forces')}
        results['stress'] = atoms.get_stress()
        atoms.calc = SinglePointCalculator(atoms, **results)
    dataset = DatasetData.from_atoms(frames, level_of_theory='EMT').store()
    known = dataset.get_configurations()
    models = {f'seed_{n}': model(n).store() for n in range(len(FACTORS))}
    for factor, member in zip(FACTORS, models.values(), strict=True):
        arrays = {
            name: factor * getattr(known, name) for name in ('energies', 'forces', 'stresses')
        }
        PredictionData.from_arrays(
            {'indices': np.arange(len(known))} | arrays,
            dataset_sha256=dataset.sha256,
            weights_sha256=member.weights_sha256,
            seed=member.seed,
            force_mae=0.1,
            energy_mae=0.1,
        ).store()
    inputs = {f'models__{label}': node for label, node in models.items()}
    process = chain('AuditWorkChain', inputs | {'datasets__deformed': dataset})
    process.seal()
    return Material.of(process.pk)


def test_cells_are_made_by_a_calculation_function(crystal):
    deformed = deform_crystal(crystal, orm.Dict({'repeats': 2, 'strain': 0.01}))
    configurations = deformed.get_configurations()
    counted = {name: int((configurations.domains == name).sum()) for name in configurations.kinds}
    assert counted == {'strained fcc': 12, 'displaced fcc': 6}
    assert configurations.n_atoms.tolist() == [1] * 12 + [8] * 6
    assert deformed.creator.inputs.crystal.uuid == crystal.uuid
    with pytest.raises(ValueError, match='did you mean `repeats`'):
        deform_crystal(crystal, orm.Dict({'repeat': 2}))


def test_elastic_constants_are_multiples_as_the_members_are(material):
    (result,) = check_figure('elastic', material)
    found = result.content['elastic']
    factors = np.array(FACTORS)
    np.testing.assert_allclose(found.members, factors[:, None, None] * found.reference, atol=1e-9)
    assert found.reference[0, 0] == pytest.approx(172.5, abs=0.5)  # GPa, EMT at this cell
    assert f'C11 {found.mean[0, 0]:.4g} ± {found.spread[0, 0]:.2g}' in result.measured
    assert result.title == 'fcc'


def test_phonons_go_with_the_root(material):
    (result,) = check_figure('phonons', material)
    found = result.content['phonons']
    highest = found.members[:, -1] / found.reference[-1]
    np.testing.assert_allclose(highest, np.sqrt(FACTORS), rtol=1e-9)
    assert len(found.reference) == 3 * 8


def test_what_is_not_there_is_said(material):
    figure = find_figure('elastic')
    with pytest.raises(ValueError, match="'bcc' is no strained crystal"):
        figure.build(material, ddof=0, crystal='bcc')


def test_without_deformed_cells_the_remedy_is_named(dataset):
    material = Material.of(store_audit(dataset, n_members=3)[0].pk)
    for name in ('elastic', 'phonons'):
        with pytest.raises(Missing, match='deform_crystal'):
            find_figure(name).build(material, ddof=0, crystal='')


def test_stresses_are_judged_component_by_component_in_gpa(material):
    """Members are 0.81, 1 and 1.44 times the reference: ε and σ are multiples of its stress."""
    (table,) = of_stresses(material)
    assert [row[0] for row in table.rows] == ['displaced fcc', 'strained fcc']
    strained = table.rows[1]
    assert (strained[1], table.headers[2]) == ('12', 'xx: RMSE / σ (GPa)')
    factors = np.array(FACTORS)
    assert float(strained[-1]) == pytest.approx((factors.mean() - 1) / factors.std(), rel=0.05)
