"""Figures of a deformed crystal from stored predictions: members that are multiples of EMT."""

import numpy as np
import pytest
from aiida import orm
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_enne.calculations.deformations import deform_crystal, find_crystals
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.prediction import PredictionData
from aiida_enne.provenance import Material, Missing, frame_keys
from aiida_enne.provenance.deformed import find_cells
from aiida_enne.report.contract import check_figure
from aiida_enne.report.deformed import of_stiffness
from aiida_enne.report.figures import find_figure
from aiida_enne.report.stresses import of_stresses
from aiida_enne.science.data.frames import from_atoms, to_atoms
from aiida_enne.science.properties import bands
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
    return Material.of(predict(*labelled(deformed)).pk)


def labelled(deformed):
    """Return EMT's labels of deformed cells as a stored dataset, and their arrays."""
    frames = to_atoms(deformed.get_configurations())
    domains = deformed.get_configurations().domains
    for number, atoms in enumerate(frames):
        atoms.info = {'domain': str(domains[number]), 'block': number}
        atoms.calc = EMT()
        results = {name: atoms.calc.get_property(name, atoms) for name in ('energy', 'forces')}
        results['stress'] = atoms.get_stress()
        atoms.calc = SinglePointCalculator(atoms, **results)
    dataset = DatasetData.from_atoms(frames, level_of_theory='EMT').store()
    return dataset, dataset.get_configurations()


def predict(cells, known):
    """Store members whose predictions of cells are multiples of known labels; return an audit."""
    models = {f'seed_{n}': model(n).store() for n in range(len(FACTORS))}
    for factor, member in zip(FACTORS, models.values(), strict=True):
        arrays = {
            name: factor * getattr(known, name) for name in ('energies', 'forces', 'stresses')
        }
        PredictionData.from_arrays(
            {'indices': np.arange(len(known))} | arrays,
            dataset_sha256=cells.sha256,
            weights_sha256=member.weights_sha256,
            seed=member.seed,
            force_mae=0.1,
            energy_mae=0.1,
        ).store()
    inputs = {f'models__{label}': node for label, node in models.items()}
    process = chain('AuditWorkChain', inputs | {'datasets__deformed': cells})
    process.seal()
    return process


def test_cells_are_made_by_a_calculation_function(crystal):
    deformed = deform_crystal(crystal, orm.Dict({'repeats': 2, 'strain': 0.01}))
    configurations = deformed.get_configurations()
    counted = {name: int((configurations.domains == name).sum()) for name in configurations.kinds}
    assert counted == {'strained fcc': 12, 'displaced fcc': 6}
    assert configurations.n_atoms.tolist() == [1] * 12 + [8] * 6
    assert deformed.creator.inputs.crystal.uuid == crystal.uuid
    with pytest.raises(ValueError, match='did you mean `repeats`'):
        deform_crystal(crystal, orm.Dict({'repeat': 2}))
    with pytest.raises(ValueError, match="no crystal in the domain 'bcc'"):
        deform_crystal(crystal, orm.Dict({'domains': ['bcc']}))


def test_of_several_labelled_crystals_the_lowest_is_taken():
    made = []
    for scale in (0.97, 1.0, 1.02):
        atoms = bulk('Cu', a=3.59 * scale)
        atoms.calc = EMT()
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        atoms.info = {'domain': 'fcc', 'block': 0}
        made.append(atoms)
    found = find_crystals(from_atoms(made), ())
    assert found['fcc'].cell.volume == pytest.approx(made[1].cell.volume)
    with pytest.raises(ValueError, match="'fcc' has 3 configurations without energies"):
        find_crystals(from_atoms(made).unlabelled(), ())


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


def test_tables_have_sigma_reference_and_an_open_claim(material):
    elastic, at_points, claims = of_stiffness(material)
    assert [row[1] for row in elastic.rows] == ['C11', 'C12', 'C44']
    assert elastic.headers[-2:] == ['reference (GPa)', 'ε']
    factors = np.array(FACTORS)
    c11 = [float(cell) for cell in elastic.rows[0][2:]]
    assert c11[0] == pytest.approx(factors.mean() * c11[3], rel=0.01)
    assert c11[1] == pytest.approx(factors.std() * c11[3], rel=0.01)
    assert {row[1].split()[0] for row in at_points.rows} == {'L', 'X'}  # Γ of one atom is at rest
    assert [row[1] for row in claims.rows] == ['undecided', 'undecided']
    assert '3 members can never show a difference' in claims.rows[0][2]


def test_without_labels_there_is_no_column_of_a_reference(crystal):
    deformed = deform_crystal(crystal, orm.Dict({'repeats': 2}))
    _, known = labelled(deformed)
    material = Material.of(predict(deformed, known).pk)
    elastic, _, claims = of_stiffness(material)
    assert elastic.headers[-1] == '90% interval ±'
    assert 'There is no reference on these cells' in claims.rows[0][2]
    (result,) = check_figure('elastic', material)
    assert result.content['elastic'].reference is None
    assert 'reference' not in result.measured


def test_reduced_displacements_give_the_same_and_bands(crystal):
    pytest.importorskip('phonopy')
    whole = Material.of(predict(*labelled(deform_crystal(crystal, orm.Dict({'repeats': 2})))).pk)
    expected = find_figure('phonons').build(whole, ddof=0, crystal='').content['phonons']
    options = orm.Dict({'repeats': 2, 'displacements': 'symmetry'})
    deformed = deform_crystal(crystal, options)
    assert list(deformed.domains) == ['at rest fcc', 'displaced fcc', 'strained fcc']
    assert deformed.domains['displaced fcc'] < 6
    material = Material.of(predict(*labelled(deformed)).pk)
    found = find_figure('phonons').build(material, ddof=0, crystal='').content['phonons']
    np.testing.assert_allclose(found.members, expected.members, atol=0.02)
    for name, key in (('bands', 'dispersion'), ('phonon-density', 'density')):
        (result,) = check_figure(name, material)
        made = result.content[key]
        assert len(made.members) == len(FACTORS)
        assert np.isfinite(made.reference).all()
        assert result.measured.startswith('THz: ')


def test_bands_without_phonopy_name_the_extra(material, monkeypatch):
    monkeypatch.setattr(bands, 'find_spec', lambda name: None)
    for figure in map(find_figure, ('bands', 'phonon-density')):
        with pytest.raises(ValueError, match=r"pip install 'aiida-enne\[phonons\]'"):
            figure.build(material, ddof=0, crystal='')
        with pytest.raises(ValueError, match='need phonopy'):
            figure.forms(material)
    assert len(check_figure('phonons', material)) == 1


def test_cells_that_were_trained_on_are_refused(material, monkeypatch):
    (cells,) = find_cells(material)
    dataset = orm.load_node(cells.uuid)
    keys = set(frame_keys(dataset.get_configurations()))
    monkeypatch.setattr('aiida_enne.provenance.deformed.trained_keys', lambda trainings: keys)
    with pytest.raises(Missing, match='the members were trained on strained cells of fcc'):
        find_figure('elastic').build(material, ddof=0, crystal='')


def test_what_is_not_there_is_said(material):
    figure = find_figure('elastic')
    with pytest.raises(ValueError, match="'bcc' is no strained crystal"):
        figure.build(material, ddof=0, crystal='bcc')


def test_without_deformed_cells_the_remedy_is_named(dataset):
    material = Material.of(store_audit(dataset, n_members=3)[0].pk)
    for name in ('elastic', 'phonons'):
        with pytest.raises(Missing, match='launch stiffness'):
            find_figure(name).build(material, ddof=0, crystal='')


def test_stresses_are_judged_component_by_component_in_gpa(material):
    """Members are 0.81, 1 and 1.44 times the reference: ε and σ are multiples of its stress."""
    (table,) = of_stresses(material)
    assert [row[0] for row in table.rows] == ['displaced fcc', 'strained fcc']
    strained = table.rows[1]
    assert (strained[1], table.headers[2]) == ('12', 'xx: RMSE / σ (GPa)')
    factors = np.array(FACTORS)
    assert float(strained[-1]) == pytest.approx((factors.mean() - 1) / factors.std(), rel=0.05)
