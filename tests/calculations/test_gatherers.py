"""Every gatherer keeps the contract, and gives the numbers that the nodes hold in our units.

Nodes of VASP, CP2K and the common workflows are made by hand in the form that their packages
document; those of Quantum ESPRESSO are gathered in `tests/workflows/reference`.
"""

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType
from ase import units

from aiida_enne.calculations.gatherers import GROUP, contract, load_gatherer
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.plugins import registered
from tests.calculated import chain, finish, job, trajectory_of, values_of, walk

FRAMES = walk()
VALUES = values_of(FRAMES)
#: The CODATA 2014 values that ASE and this package use.
HARTREE, KBAR = units.Hartree, 0.1 * units.GPa


def start():
    return orm.StructureData(ase=FRAMES[0])


def agree(found, n=None, energies=None):
    """Check frames against what they were made of."""
    wanted = range(len(FRAMES)) if n is None else n
    assert len(found) == len(list(wanted))
    for frame, index in zip(found, wanted, strict=True):
        np.testing.assert_allclose(frame.positions, FRAMES[index].positions, atol=1e-9)
        np.testing.assert_allclose(frame.cell, FRAMES[index].cell.array, atol=1e-9)
        energy = (VALUES['energies'] if energies is None else energies)[index]
        assert frame.energy == pytest.approx(energy, abs=1e-6)
        np.testing.assert_allclose(frame.forces, VALUES['forces'][index], atol=1e-6)
        if np.isfinite(frame.stress).all():
            np.testing.assert_allclose(frame.stress, VALUES['stresses'][index], atol=1e-8)


def vasp_inputs(**incar):
    incar = {'ENCUT': 400, 'NSW': 5, 'IBRION': 2} | incar
    return {'structure': start(), 'parameters': orm.Dict({'incar': incar})}


def misc(**more):
    status = {'finished': True, 'electronic_converged': True}
    return orm.Dict({'run_status': status} | more)


def vasp_trajectory(fractional=True, **energies):
    node = trajectory_of(
        FRAMES, forces=VALUES['forces'], stress=-VALUES['stresses'] / KBAR, **energies
    )
    if fractional:
        inside = [atoms.get_scaled_positions(wrap=False) for atoms in FRAMES]
        node.set_array('positions', np.array(inside))
    return node


@pytest.mark.usefixtures('aiida_profile_clean')
def test_every_gatherer_of_the_package_is_registered():
    names = {'common_workflows', 'cp2k', 'enne', 'quantumespresso', 'trajectory', 'vasp'}
    assert names <= set(registered(GROUP))
    for name in names:
        assert not load_gatherer(name).takes(orm.Str('nothing'))


@pytest.mark.parametrize('fractional', [True, False])
def test_vasp_takes_the_energy_that_forces_derive_from(
    aiida_profile_clean, aiida_localhost, fractional
):
    energies = {
        'energy_free': VALUES['energies'],
        'energy_extrapolated': VALUES['energies'] + 0.1,
    }
    outputs = {'misc': misc(), 'trajectory': vasp_trajectory(fractional, **energies)}
    words = (aiida_localhost, 'vasp.vasp', 'VaspCalculation', vasp_inputs())
    done = job(*words, outputs)
    failed = job(*words, {'misc': misc()}, status=701, message='not converged')
    found = contract.check_gatherer('vasp', done, [failed])
    agree(found)
    assert np.isfinite(found[0].stress).all()
    assert {frame.energy_of for frame in found} == {'free'}


def test_vasp_without_a_trajectory_gives_its_last_step(aiida_profile_clean, aiida_localhost):
    values = {
        'total_energies': {'energy_extrapolated': float(VALUES['energies'][4])},
        'forces': VALUES['forces'][4].tolist(),
        'stress': (-VALUES['stresses'][4] / KBAR).tolist(),
    }
    outputs = {'misc': misc(**values), 'structure': orm.StructureData(ase=FRAMES[4])}
    caller = chain('vasp.vasp', 'VaspWorkChain')
    job(aiida_localhost, 'vasp.vasp', 'VaspCalculation', vasp_inputs(), outputs, caller=caller)
    finish(caller, {}, {})
    agree(contract.check_gatherer('vasp', caller), n=[4])
    gatherer = load_gatherer('vasp')
    source = gatherer.find(caller)
    asked = gatherer.read(source.nodes, source.facts, ImportChoices())
    assert 'energy_free' in asked.questions[0]
    assert not gatherer.read(
        source.nodes, source.facts, ImportChoices(energy_key='energy')
    ).questions


def test_vasp_with_a_cycle_at_its_limit_has_no_labels(aiida_profile_clean, aiida_localhost):
    status = {'finished': True, 'electronic_converged': True, 'contains_nelm_breach': True}
    outputs = {'misc': orm.Dict({'run_status': status}), 'trajectory': vasp_trajectory()}
    done = job(aiida_localhost, 'vasp.vasp', 'VaspCalculation', vasp_inputs(), outputs)
    assert 'NELM' in load_gatherer('vasp').find(done).failed


def test_vasp_positions_that_fit_no_reading_are_refused(aiida_profile_clean, aiida_localhost):
    trajectory = vasp_trajectory(energy_free=VALUES['energies'])
    trajectory.set_array('positions', trajectory.get_array('positions') + 0.01)
    outputs = {'misc': misc(), 'trajectory': trajectory}
    done = job(aiida_localhost, 'vasp.vasp', 'VaspCalculation', vasp_inputs(), outputs)
    source = load_gatherer('vasp').find(done)
    with pytest.raises(ValueError, match='not its input structure'):
        load_gatherer('vasp').read(source.nodes, source.facts, ImportChoices())


def test_cp2k_is_in_atomic_units(aiida_profile_clean, aiida_localhost):
    trajectory = trajectory_of(
        FRAMES,
        energies=VALUES['energies'] / HARTREE,
        forces=VALUES['forces'] / HARTREE * units.Bohr,
    )
    functional = {'XC': {'XC_FUNCTIONAL': {'_': 'PBE'}}, 'MGRID': {'CUTOFF': 400}}
    parameters = orm.Dict({'FORCE_EVAL': {'DFT': functional}, 'MOTION': {'MD': {'STEPS': 5}}})
    inputs = {'structure': start(), 'parameters': parameters}
    words = (aiida_localhost, 'cp2k', 'Cp2kCalculation', inputs)
    done = job(*words, {'output_trajectory': trajectory, 'output_parameters': orm.Dict({})})
    failed = [
        job(*words, {'output_parameters': orm.Dict({})}, status=450, message='not converged'),
        job(*words, {'output_parameters': orm.Dict({})}),
    ]
    agree(contract.check_gatherer('cp2k', done, failed))
    level = load_gatherer('cp2k').find(done).level
    assert level == {'engine': 'CP2K', 'functional': 'PBE', 'cutoff': '400 Ry'}


def common(engine, **outputs):
    """Return a common relax work chain that ended at the last frame."""
    arrays = {name: orm.ArrayData() for name in ('forces', 'stress')}
    arrays['forces'].set_array('forces', VALUES['forces'][4])
    arrays['stress'].set_array('stress', VALUES['stresses'][4])
    known = {
        'relaxed_structure': orm.StructureData(ase=FRAMES[4]),
        'total_energy': orm.Float(VALUES['energies'][4]),
        **arrays,
    } | outputs
    node = chain(f'common_workflows.relax.{engine}', 'CommonRelaxWorkChain')
    return finish(node, {}, {name: value for name, value in known.items() if value is not None})


def test_common_workflows_give_one_frame_without_the_stress_of_unknown_sign(aiida_profile_clean):
    lacking = common('siesta', forces=None)
    found = contract.check_gatherer('common_workflows', common('siesta'), [lacking])
    agree(found, n=[4])
    assert np.isnan(found[0].stress).all()
    source = load_gatherer('common_workflows').find(common('vasp'))
    read = load_gatherer('common_workflows').read(source.nodes, source.facts, ImportChoices())
    assert 'extrapolated' in read.questions[0]


def test_a_bare_trajectory_is_in_the_units_that_the_user_states(aiida_profile_clean):
    node = trajectory_of(FRAMES, E=VALUES['energies'] / HARTREE, forces=VALUES['forces']).store()
    choices = ImportChoices(energy_key='E', energy_unit='Ha', force_unit='eV/Å')
    agree(contract.check_gatherer('trajectory', node, choices=choices))
    source = load_gatherer('trajectory').find(node)
    with pytest.raises(ValueError, match=r"no array 'energy' or 'energies', only .*'E'"):
        load_gatherer('trajectory').read(source.nodes, source.facts, ImportChoices())


def test_own_calculations_and_datasets(aiida_profile_clean, aiida_localhost):
    dataset = DatasetData.from_configurations(from_atoms(FRAMES), level_of_theory='Morse')
    words = (aiida_localhost, 'enne.ase.run', 'AseRunCalculation', {})
    failed = job(*words, {}, status=310, message='nothing there')
    done = job(*words, {'dataset': dataset})
    agree(contract.check_gatherer('enne', done, [failed]))
    agree(contract.check_gatherer('enne', dataset))
    assert dataset.base.links.get_incoming(link_type=LinkType.CREATE).one().node == done


def test_the_contract_sees_what_is_wrong(aiida_profile_clean, aiida_localhost):
    done = job(aiida_localhost, 'cp2k', 'Cp2kCalculation', {}, {})
    with pytest.raises(contract.ContractError, match='failed: has no output_trajectory'):
        contract.check_gatherer('cp2k', done)
    with pytest.raises(contract.ContractError, match='does not take'):
        contract.check_gatherer('vasp', done)
