"""Tests for `DefectWorkChain` and `SurfaceWorkChain` with Stillinger-Weber silicon."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_enne.aiida_private import inputs_of
from aiida_enne.science.plans.relaxations import fixed_atoms
from aiida_enne.workflows import protocols
from aiida_enne.workflows.study.defect import DefectWorkChain
from aiida_enne.workflows.study.surface import SurfaceWorkChain

EPSILON, LATTICE_CONSTANT = 2.1683, 5.43095


@pytest.fixture
def build(python):
    """Return a function that builds the inputs: `builder = build(process, protocol, **more)`."""
    return lambda process, protocol='test', **overrides: process.get_builder_from_protocol(
        python, LATTICE_CONSTANT, 'ase', protocol=protocol, overrides=overrides
    )


def refused(process, builder):
    ports = process.spec().inputs
    return ports.validate(ports.pre_process(inputs_of(builder)))


@pytest.mark.lammps
def test_a_vacancy_costs_two_bonds_before_it_relaxes(build):
    """Four bonds of ε are broken and two of them, those of an atom in the crystal, given back.

    Three-body terms are zero at the ideal angles, and no second neighbour is within the cutoff:
    4.336 eV, the cohesive energy of Stillinger and Weber's silicon.
    """
    ideal = run_get_node(build(DefectWorkChain, distortion=None, own=True)).node
    frames = ideal.outputs.datasets['vacancy_2'].get_configurations()
    assert frames.energies[1] - frames.energies[0] * 63 / 64 == pytest.approx(2 * EPSILON, abs=1e-3)
    assert len(frames) == 2  # no bond pulls: the path is its start
    node = run_get_node(build(DefectWorkChain, own=True)).node
    assert node.is_finished_ok, node.exit_message
    frames = node.outputs.datasets['vacancy_2'].get_configurations()
    assert frames.domains.tolist() == ['own bulk 2³'] + ['own vacancy 2³'] * (len(frames) - 1)
    assert frames.n_atoms.tolist() == [64] + [63] * (len(frames) - 1)
    assert len(np.unique(frames.blocks)) == 2
    bulk, path = frames.energies[0], frames.energies[1:]
    formation = path - bulk * 63 / 64
    assert formation[-1] == pytest.approx(2 * EPSILON, abs=5e-3)
    assert formation[0] > formation[-1] + 0.1
    assert (np.diff(path) < 1e-6).mean() > 0.7
    np.testing.assert_array_equal(frames.info['step'][1:], range(len(path)))
    assert frames.info['converged'][-1] == 1
    assert np.isnan(frames.info['converged'][0])
    # the structures descend from the lattice constant
    (built, *_) = [n for n in node.called if n.process_label == 'build_at_lattice_constant']
    assert built.inputs.lattice_constant.value == LATTICE_CONSTANT


@pytest.mark.lammps
def test_only_the_outer_layers_of_a_slab_move(build):
    node = run_get_node(build(SurfaceWorkChain)).node
    assert node.is_finished_ok, node.exit_message
    frames = node.outputs.datasets['layers_8'].get_configurations()
    name = 'Si(100) tilted, 8 layers'
    assert frames.domains.tolist() == ['bulk'] + [name] * (len(frames) - 1)
    assert frames.n_atoms.tolist() == [8] + [16] * (len(frames) - 1)
    path = frames.select(range(1, len(frames)))
    moved = np.linalg.norm(np.diff(path.positions.reshape(-1, 16, 3)[[0, -1]], axis=0)[0], axis=1)
    fixed = fixed_atoms(8, 'tilted', {'free_layers': 2})
    assert len(fixed) == 8
    np.testing.assert_allclose(moved[fixed], 0, atol=1e-12)
    assert (np.delete(moved, fixed) > 1e-3).all()
    # two dangling bonds an atom cost 2 ε / 2 bulk-cut; dimers win back part of it
    gamma = (path.energies - 16 * frames.energies[0] / 8) / 4
    assert 0.5 < gamma[-1] < gamma[0]
    assert gamma[-1] < EPSILON


@pytest.mark.lammps
def test_without_its_crystal_a_path_is_handed_out_alone_and_a_failure_is_named(build):
    builder = build(SurfaceWorkChain, layers=[8], relax={'max_steps': 2})
    node = run_get_node(builder).node
    assert node.exit_status == 410
    assert 'layers_8 0: not converged after 2 steps' in node.exit_message
    frames = node.outputs.datasets['layers_8'].get_configurations()
    assert len(frames) == 4
    assert 1 not in frames.info['converged']


@pytest.mark.parametrize('process', [DefectWorkChain, SurfaceWorkChain])
@pytest.mark.parametrize('name', ['test', 'laptop', 'paper'])
def test_every_protocol_can_be_run(build, process, name):
    assert refused(process, build(process, name)) is None
    for workflow in ('defect', 'surface'):
        assert protocols.read(workflow)['protocols'][name]['description']


def test_the_paper(build):
    defects, slabs = build(DefectWorkChain, 'paper'), build(SurfaceWorkChain, 'paper')
    assert defects.defects.get_list() == ['vacancy', 'hexagonal']
    assert defects.repeats.get_list() == [2, 3, 4, 5]
    assert {2, 10} <= set(slabs.layers.get_list())
    assert slabs.slab.get_dict() == {'surface': 'tilted', 'vacuum': 15.0, 'free_layers': 3}


@pytest.mark.parametrize(
    ('process', 'port', 'value', 'message'),
    [
        (DefectWorkChain, 'defects', ['hole'], "unknown defect 'hole'"),
        (DefectWorkChain, 'defects', [], '`defects` must hold distinct values'),
        (DefectWorkChain, 'repeats', [1], 'at least 2'),
        (DefectWorkChain, 'relax', {'cell': 'shape', 'fixed': [[0]]}, '`fixed` atoms'),
        (SurfaceWorkChain, 'layers', [8, 8], '`layers` must hold distinct values'),
        (SurfaceWorkChain, 'layers', [3], 'the dimers of the two faces meet'),
        (SurfaceWorkChain, 'slab', {'hue': 1}, 'hue'),
    ],
)
def test_inputs_of_no_use_are_refused_before_anything_runs(build, process, port, value, message):
    inputs = build(process)._inputs(prune=True) | {port: orm.to_aiida_type(value)}
    with pytest.raises(ValueError, match=message):
        run_get_node(process, inputs)
