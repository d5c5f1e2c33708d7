"""Tests for `EquationOfStateWorkChain`, on the ASE engine with Stillinger-Weber silicon."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_enne.aiida_private import inputs_of
from aiida_enne.science.structures.phases import PHASES
from aiida_enne.workflows import protocols
from aiida_enne.workflows.study.eos import EquationOfStateWorkChain


@pytest.fixture
def build(python):
    """Return a function that builds the inputs: `builder = build(**overrides)`."""
    return lambda protocol='test', **overrides: EquationOfStateWorkChain.get_builder_from_protocol(
        python, 'ase', protocol=protocol, overrides=overrides
    )


def refused(builder):
    ports = EquationOfStateWorkChain.spec().inputs
    return ports.validate(ports.pre_process(inputs_of(builder)))


@pytest.mark.lammps
def test_silicon_is_what_stillinger_and_weber_made_it(build):
    """Stillinger and Weber, Phys. Rev. B 31, 5262 (1985): a = 5.431 Å, and two bonds an atom of ε.

    C11 = 151.4 and C12 = 76.4 GPa, so B = 101.4 GPa: Cowley, Phys. Rev. Lett. 60, 2379 (1988).
    """
    node = run_get_node(build(strains=[0.94, 0.96, 0.98, 1.0, 1.02, 1.04, 1.06])).node
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.equilibrium.get_dict()
    diamond = found['diamond']
    assert (8 * diamond['volume']) ** (1 / 3) == pytest.approx(5.431, abs=5e-4)
    assert diamond['energy'] == pytest.approx(-2 * 2.1683, abs=1e-4)
    assert diamond['bulk_modulus'] == pytest.approx(101.4, rel=0.02)
    assert found['beta_tin']['energy'] > diamond['energy'] + 0.1
    assert found['beta_tin']['volume'] < diamond['volume'] - 2
    relaxed = node.outputs.datasets['beta_tin'].get_configurations()
    assert set(relaxed.domains) == {'beta-tin'}
    assert len(np.unique(relaxed.blocks)) == len(relaxed) == 7
    path = node.outputs.paths['beta_tin'].get_configurations()
    assert len(path) > len(relaxed)
    assert (path.info['converged'] == 1).sum() == len(relaxed)
    # no shear of the cell is left: the shape is relaxed, and the volume is not
    stress = relaxed.stresses - np.trace(relaxed.stresses, axis1=1, axis2=2)[:, None, None] * (
        np.eye(3) / 3
    )
    assert np.abs(stress).max() < 2e-3
    given = [round(17.1 * s, 4) for s in (0.94, 0.96, 0.98, 1.0, 1.02, 1.04, 1.06)]
    np.testing.assert_allclose(relaxed.volumes / relaxed.n_atoms, given, rtol=1e-6)
    assert node.outputs.failures['n_failed'] == 0


@pytest.mark.lammps
def test_structures_may_be_labelled_as_they_are_built(build):
    node = run_get_node(build(phases=['beta-tin'], relax=None)).node
    assert node.is_finished_ok, node.exit_message
    frames = node.outputs.datasets['beta_tin'].get_configurations()
    assert len(frames) == len(node.outputs.paths['beta_tin'].get_configurations()) == 5
    shape = [np.sort(np.linalg.norm(cell, axis=1)) for cell in frames.cells]
    np.testing.assert_allclose([one[-1] / one[0] for one in shape], shape[0][-1] / shape[0][0])


@pytest.mark.lammps
@pytest.mark.parametrize(('allowed', 'status'), [(3, 0), (2, 410)])
def test_what_does_not_converge_is_listed_and_the_rest_is_kept(build, allowed, status):
    builder = build(
        phases=['diamond', 'beta-tin'],
        strains=[0.95, 1.0, 1.05],
        relax={'max_steps': 1},
        max_failures=allowed,
    )
    node = run_get_node(builder).node
    assert node.exit_status == status, node.exit_message
    told = node.outputs.failures.get_dict()
    assert {item['part'] for item in told['failures']} == {'beta_tin'}
    assert all(item['status'] == 'unconverged' for item in told['failures'])
    assert set(node.outputs.datasets) == {'diamond'}
    assert set(node.outputs.paths) == {'diamond', 'beta_tin'}
    assert 'too few' in node.outputs.equilibrium['diamond']['refused']


def test_an_engine_that_fails_throughout(build):
    node = run_get_node(build(phases=['diamond'], inputs={'calculator': 'emt'})).node
    assert node.exit_status == EquationOfStateWorkChain.exit_codes.ERROR_ALL_FAILED.status
    assert 'Si' in node.exit_message
    assert 'datasets' not in node.outputs


@pytest.mark.parametrize('name', sorted(protocols.read('eos')['protocols']))
def test_every_protocol_can_be_run(build, name):
    assert refused(build(name)) is None


def test_the_paper_has_eight_phases(build):
    builder = build('paper')
    assert set(builder.volumes.get_dict()) == set(PHASES)
    assert builder.relax.get_dict() | {'fmax': None} == {
        'cell': 'shape',
        'symmetry': True,
        'fmax': None,
    }


@pytest.mark.parametrize(
    ('port', 'value', 'message'),
    [
        ('volumes', {}, 'at least one of the phases'),
        ('volumes', {'diamond': [20.0, 20.0]}, 'must hold distinct values'),
        ('volumes', {'graphite': [20.0]}, "unknown phase 'graphite'"),
        ('relax', {'cell': 'open'}, 'task: `cell` must be one of'),
        ('form', 'cubic', '`form` must be one of'),
        ('max_failures', -1, '`max_failures` must not be negative'),
    ],
)
def test_inputs_of_no_use_are_refused_before_anything_runs(build, port, value, message):
    inputs = build()._inputs(prune=True) | {port: orm.to_aiida_type(value)}
    with pytest.raises(ValueError, match=message):
        run_get_node(EquationOfStateWorkChain, inputs)
