"""A set of two elements goes through training, prediction and audit, its stresses among it."""

import numpy as np
import pytest
from aiida.engine import run_get_node
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.split import SplitData
from aiida_enne.provenance import Material, joint_audit
from aiida_enne.science.data.splits import Split
from aiida_enne.workflows.audit import AuditWorkChain
from aiida_enne.workflows.training.ensemble import EnsembleWorkChain
from tests.members import alloys

#: Energies of atoms of an all-electron code in eV: a mean of both is off by 20 000 eV.
ATOMS = {'Al': -6600.0, 'Cu': -45100.0}


@pytest.fixture
def compounds(aiida_profile_clean):
    """Return 16 cells of aluminium and copper with energies, forces and stresses."""
    made = alloys(16)
    for number, atoms in enumerate(made):
        results = dict(atoms.calc.results)
        results['energy'] += sum(ATOMS[symbol] for symbol in atoms.get_chemical_symbols())
        atoms.calc = EMT()
        results['stress'] = atoms.get_stress()
        atoms.calc = SinglePointCalculator(atoms, **results)
        atoms.info = {'domain': 'alloy', 'block': number}
    return DatasetData.from_atoms(made, level_of_theory='EMT').store()


@pytest.mark.slow
@pytest.mark.nequip
def test_two_elements_are_trained_predicted_and_audited(compounds, train_code):
    split = Split(train=range(8), validation=range(8, 10), test=range(10, 16))
    split = SplitData.from_split(split, compounds, method='given').store()
    parameters = {'trainer': {'max_epochs': 2}}
    overrides = {
        'atomic_energies': 'least_squares',
        'training': {'train': {'parameters': parameters}},
    }
    training = EnsembleWorkChain.get_builder_from_protocol(
        train_code, compounds, split, protocol='test', overrides=overrides
    )
    shifts = training.training.train.parameters['training_module']['model']
    assert shifts['per_type_energy_shifts'] == pytest.approx(ATOMS, abs=5)
    trained = run_get_node(training).node
    assert trained.is_finished_ok, trained.exit_message
    models = dict(trained.outputs.models)
    assert {tuple(model.elements) for model in models.values()} == {('Al', 'Cu')}
    audit = AuditWorkChain.get_builder_from_protocol(
        train_code, models, {'all': compounds}, protocol='test', splits={'all': split}
    )
    node = run_get_node(audit).node
    assert node.is_finished_ok, node.exit_message
    (statistics,) = dict(node.outputs.statistics).values()
    scalars = statistics.domains['alloy']
    assert scalars['n_configurations'] == 6
    assert scalars['energy_rmse'] < 1.0  # eV/atom, of 6600 to 45100
    assert np.isfinite([scalars['force_rmse'], scalars['stress_rmse']]).all()
    assert scalars['n_stress_components'] == 6 * 6
    rows = joint_audit(Material.of(node.pk)).verdicts
    assert {row.quantity for row in rows} == {'energy', 'force', 'stress'}
