"""Calculations of other plugins as finished nodes, made by hand in their documented form."""

import numpy as np
from aiida import orm
from aiida.common import LinkType
from ase.build import bulk
from ase.calculators.morse import MorsePotential


def walk(n_frames=5, seed=0):
    """Return silicon on a straight path with small steps, labelled by a Morse potential."""
    frames = []
    rng = np.random.default_rng(seed)
    atoms = bulk('Si', cubic=True)
    atoms.rattle(0.08, seed=seed)
    step = rng.normal(scale=0.02, size=(8, 3))
    for number in range(n_frames):
        one = atoms.copy()
        one.positions += number * step
        one.calc = MorsePotential(epsilon=1.5, r0=2.35, rho0=5.0)
        one.get_potential_energy(), one.get_stress()
        frames.append(one)
    return frames


def values_of(frames):
    """Return arrays of frames: energies (eV), forces (eV/Å), stresses (eV/Å³)."""
    return {
        'energies': np.array([atoms.get_potential_energy() for atoms in frames]),
        'forces': np.array([atoms.get_forces() for atoms in frames]),
        'stresses': np.array([atoms.get_stress(voigt=False) for atoms in frames]),
    }


def trajectory_of(frames, **arrays):
    """Return an unstored trajectory of frames with further arrays."""
    node = orm.TrajectoryData()
    node.set_trajectory(
        symbols=frames[0].get_chemical_symbols(),
        positions=np.array([atoms.positions for atoms in frames]),
        cells=np.array([atoms.cell.array for atoms in frames]),
        stepids=np.arange(len(frames)),
    )
    for name, array in arrays.items():
        node.set_array(name, np.asarray(array))
    return node


def finish(node, inputs, outputs, status=0, message=None, state='finished'):
    """Store a process with its inputs and outputs and let it end."""
    data = LinkType.INPUT_CALC if isinstance(node, orm.CalculationNode) else LinkType.INPUT_WORK
    made = LinkType.CREATE if isinstance(node, orm.CalculationNode) else LinkType.RETURN
    for label, value in inputs.items():
        if not value.is_stored:
            value.store()
        node.base.links.add_incoming(value, data, label)
    node.store()
    for label, value in outputs.items():
        if made is LinkType.CREATE:
            value.base.links.add_incoming(node, made, label)
            value.store()
        else:
            value.store().base.links.add_incoming(node, made, label)
    node.set_process_state(state)
    if state == 'finished':
        node.set_exit_status(status)
        if message:
            node.set_exit_message(message)
    node.seal()
    return node


def job(computer, entry_point, label, inputs, outputs, caller=None, **ending):
    """Return a finished job of an entry point."""
    node = orm.CalcJobNode(computer=computer, process_type=f'aiida.calculations:{entry_point}')
    node.set_process_label(label)
    node.label = ending.pop('named', '')
    if caller is not None:
        node.base.links.add_incoming(caller, LinkType.CALL_CALC, 'job')
    return finish(node, inputs, outputs, **ending)


def chain(entry_point, label):
    """Return a stored work chain that has not ended."""
    node = orm.WorkChainNode(process_type=f'aiida.workflows:{entry_point}')
    node.set_process_label(label)
    return node.store()
