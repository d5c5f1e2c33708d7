"""Tests for ensembles as ASE calculators: NumPy's numbers, and forces that are derivatives."""

from functools import partial

import numpy as np
import pytest
from aiida.common.exceptions import NotExistent
from nequip.integrations.ase import NequIPCalculator

import aiida_enne
from aiida_enne.deploy.calculator import find_models
from aiida_enne.report import sharing
from tests.audited import chain, link
from tests.members import alloys

pytestmark = pytest.mark.nequip


@pytest.fixture
def calculator(models):
    return aiida_enne.Ensemble.from_nodes(*(node.pk for node in models.values()))


@pytest.fixture
def said(checkpoints):
    """Return energies, forces, stresses and atomic energies of an alloy by NequIP's calculator."""
    found = []
    for path in checkpoints.values():
        (atoms,) = alloys(1)
        atoms.calc = NequIPCalculator._from_saved_model(path, device='cpu')
        names = ('energy', 'forces', 'stress', 'energies')
        found.append([atoms.calc.get_property(name, atoms) for name in names])
    return [np.array(one) for one in zip(*found, strict=True)]


def test_mean_and_sigma_are_those_of_numpy(calculator, said):
    (atoms,) = alloys(1)
    atoms.calc = calculator
    for name, members in zip(('energy', 'forces', 'stress', 'energies'), said, strict=True):
        # between NequIP's calculator and this one lies the rounding of float32
        np.testing.assert_allclose(calculator.get_property(name, atoms), members.mean(0), atol=2e-5)
        sigma = calculator.get_property(f'{name}_sigma', atoms)
        np.testing.assert_allclose(sigma, members.std(0), atol=2e-5)
    for name in ('energy', 'forces', 'stress'):
        own = calculator.get_property(f'{name}_members', atoms)
        assert len(own) == 3
        for found, expected in (
            (calculator.get_property(name, atoms), own.mean(axis=0)),
            (calculator.get_property(f'{name}_sigma', atoms), own.std(axis=0)),
        ):
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    assert atoms.get_potential_energy(force_consistent=True) == atoms.get_potential_energy()


def test_members_are_evaluated_at_once_as_each_alone(models, calculator, monkeypatch):
    """Who cannot be is evaluated alone, and says why: here there is no compiler."""
    (atoms,) = alloys(1)
    assert not calculator.alone
    assert all('relative to the largest force' in note for note in calculator.notes.values())
    monkeypatch.setenv('CXX', 'no-such-compiler')
    alone = aiida_enne.Ensemble.from_nodes(*(node.pk for node in models.values()))
    assert [member.label for member in alone.alone] == sorted(models)
    assert all('no-such-compiler' in note for note in alone.notes.values())
    for name in ('energies', 'forces', 'stress', 'forces_members', 'energies_sigma'):
        found, expected = (one.get_property(name, atoms) for one in (calculator, alone))
        limit = 1e-6 * max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(found, expected, rtol=0, atol=limit, err_msg=name)


def derivative(energy, step):
    """Return dE/dx at 0 by five points: its error is of fourth order in the step."""
    near, far = (energy(k * step) - energy(-k * step) for k in (1, 2))
    return (8 * near - far) / (12 * step)


def test_forces_are_the_derivative_of_the_mean_energy(calculator):
    """To a ten-thousandth of the largest force, as the digits of float32 allow."""
    (atoms,) = alloys(1)
    forces = calculator.get_property('forces', atoms)

    def energy(atom, axis, shift):
        moved = atoms.copy()
        moved.positions[atom, axis] += shift
        return calculator.get_property('energy', moved)

    for atom, axis in ((0, 0), (2, 1), (3, 2)):
        found = -derivative(partial(energy, atom, axis), 0.02)
        assert forces[atom, axis] == pytest.approx(found, abs=1e-4 * np.abs(forces).max())


def test_stresses_are_the_derivatives_of_the_mean_energy_by_strains(calculator):
    """All six components, each dE/dε over the volume, to 10⁻⁴ of the largest."""
    (atoms,) = alloys(1)
    stress = calculator.get_property('stress', atoms)

    def energy(pair, strain):
        moved = atoms.copy()
        change = np.eye(3)
        change[pair] += strain / 2
        change[pair[::-1]] += strain / 2
        moved.set_cell(atoms.cell.array @ change, scale_atoms=True)
        return calculator.get_property('energy', moved)

    for row, pair in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
        found = derivative(partial(energy, pair), 0.005) / atoms.get_volume()
        assert stress[row] == pytest.approx(found, abs=1e-4 * np.abs(stress).max())


def test_ddof_is_a_choice(models):
    pks = [node.pk for node in models.values()]
    (atoms,) = alloys(1)
    sigmas = [
        aiida_enne.Ensemble.from_nodes(*pks, ddof=ddof).get_property('energy_sigma', atoms)
        for ddof in (0, 1)
    ]
    assert sigmas[1] == pytest.approx(sigmas[0] * np.sqrt(3 / 2))


def test_a_molecule_has_no_stress(calculator):
    (atoms,) = alloys(1)
    atoms.pbc = False
    atoms.calc = calculator
    assert np.isfinite(atoms.get_forces()).all()
    assert 'stress' not in calculator.results


def test_an_archive_is_read_as_it_is(models, tmp_path):
    process = chain('EnsembleWorkChain', {})
    link(process, {f'models__{label}': node for label, node in models.items()})
    (atoms,) = alloys(1)
    expected = aiida_enne.Ensemble.from_nodes(process.pk).get_property('energy_sigma', atoms)
    archive, uuid = sharing.share(process, tmp_path / 'x.aiida'), process.uuid
    calculator = aiida_enne.Ensemble.from_archive(archive, uuid)
    assert calculator.get_property('energy_sigma', atoms) == expected


@pytest.mark.parametrize('kind', ['nothing', 'others'])
def test_nodes_that_are_not_models_are_named(models, dataset, kind):
    nodes = {'nothing': [], 'others': [next(iter(models.values())), dataset]}[kind]
    expected = {
        'nothing': 'name one work chain that knows an ensemble',
        'others': f'expected one work chain or models, got <{dataset.pk}> DatasetData',
    }[kind]
    with pytest.raises(ValueError, match=expected):
        find_models(*(node.pk for node in nodes))


def test_a_process_without_models_is_named(aiida_profile_clean):
    process = chain('EnsembleWorkChain', {})
    process.seal()
    with pytest.raises(NotExistent, match='has no models'):
        find_models(process.pk)
