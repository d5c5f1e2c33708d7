"""Outputs in the words of VASP and pw.x, of ionic steps that did or did not converge.

Labels are those of a spring between two atoms, so that energies are the work of the forces. The
output of pw.x is one that was recorded here, with the words of a cycle that failed put in.
"""

import gzip

import numpy as np
from ase.build import bulk

from tests.pw_recordings import FOLDER

#: A relaxation in three steps.
RELAXATION = FOLDER / '29be65b62dbe' / 'aiida.out.gz'
ENTROPY = 0.12
#: What separates eV/Å³ from kbar.
KBAR = 1602.1766208


def _steps(count):
    """Yield cell, positions, energy and forces of each ionic step."""
    for number in range(count):
        atoms = bulk('Al', a=4.05)
        atoms = atoms.repeat((2, 1, 1))
        moved = 0.01 * (number + 1)
        atoms.positions[1, 0] += moved
        forces = np.array([[5 * moved, 0.0, 0.0], [-5 * moved, 0.0, 0.0]])
        yield atoms, -15.02 + 2.5 * moved**2, forces


def vasprun(steps, converged, limit):
    """Write a vasprun.xml; `steps` electronic steps for each ionic one, at most `limit`."""
    ions = list(_steps(len(steps)))
    first = ions[0][0]
    species = '<rc><c>Al</c><c> 1</c></rc>' * 2
    lines = [
        '<?xml version="1.0" encoding="ISO-8859-1"?>',
        '<modeling>',
        '<parameters><separator name="electronic">',
        f'<i type="int" name="NELM"> {limit}</i><i name="EDIFF"> 0.00010000</i>',
        '</separator></parameters>',
        '<atominfo><atoms> 2 </atoms><types> 1 </types><array name="atoms">'
        '<field type="string">element</field><field type="int">atomtype</field>'
        f'<set>{species}</set></array></atominfo>',
        '<kpoints><varray name="kpointlist"><v> 0 0 0 </v></varray>'
        '<varray name="weights"><v> 1 </v></varray></kpoints>',
        f'<structure name="initialpos">{_structure(first)}</structure>',
    ]
    for (atoms, free, forces), count, good in zip(ions, steps, converged, strict=True):
        lines.append('<calculation>')
        for left in range(count - 1, -1, -1):
            off = (0.5 if not good else 1e-6) * left
            lines.append(f'<scstep>{_energies(free + off)}</scstep>')
        lines += [
            f'<structure>{_structure(atoms)}</structure>',
            f'<varray name="forces">{_vectors(forces)}</varray>',
            f'<varray name="stress">{_vectors(0.001 * KBAR * np.eye(3))}</varray>',
            _energies(free),
            '</calculation>',
        ]
    return '\n'.join([*lines, '</modeling>', ''])


def _structure(atoms):
    return (
        f'<crystal><varray name="basis">{_vectors(atoms.cell)}</varray></crystal>'
        f'<varray name="positions">{_vectors(atoms.get_scaled_positions(wrap=False))}</varray>'
    )


def _vectors(rows):
    return ''.join(f'<v> {" ".join(f"{x:.8f}" for x in row)} </v>' for row in np.asarray(rows))


def _energies(free):
    return (
        f'<energy><i name="e_fr_energy"> {free:.8f}</i><i name="e_wo_entrp"> '
        f'{free + 2 * ENTROPY:.8f}</i><i name="e_0_energy"> {free + ENTROPY:.8f}</i></energy>'
    )


def outcar(steps, converged, limit):
    """Write an OUTCAR; see `vasprun`."""
    lines = [
        ' vasp.6.4.2 20Jul23 (build) complex',
        ' POTCAR:    PAW_PBE Al 04Jan2001',
        ' POTCAR:    PAW_PBE Al 04Jan2001',
        '   ions per type =               2',
        '   ISPIN  =      1    spin polarized calculation?',
        f'   NELM   = {limit:6d};   NELMIN=  2; NELMDL= -5     # of ELM steps',
    ]
    rounds = zip(_steps(len(steps)), steps, converged, strict=True)
    for number, ((atoms, free, forces), count, good) in enumerate(rounds, start=1):
        for step in range(1, count + 1):
            lines.append(f'----------------- Iteration {number:6d}({step:4d})  ---------------')
        if good:
            lines.append('------------- aborting loop because EDIFF is reached -------------')
        rows = np.hstack([atoms.positions, forces])
        lines += [
            '      direct lattice vectors                 reciprocal lattice vectors',
            *(''.join(f'{x:14.9f}' for x in [*row, 0, 0, 0]) for row in atoms.cell.array),
            '',
            ' POSITION                                       TOTAL-FORCE (eV/Angst)',
            ' ------------------------------------------------------------------',
            *(''.join(f'{x:14.8f}' for x in row) for row in rows),
            ' ------------------------------------------------------------------',
            '  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)',
            '  ---------------------------------------------------',
            f'  free  energy   TOTEN  =       {free:.8f} eV',
            '',
            f'  energy  without entropy=      {free + 2 * ENTROPY:.8f}  energy(sigma->0) ='
            f'      {free + ENTROPY:.8f}',
        ]
    return '\n'.join([*lines, '', ' General timing and accounting informations for this job:', ''])


def pwscf(steps, converged, limit):
    """Return the recorded relaxation, with its first cycles as they were or failed."""
    lines = gzip.decompress(RELAXATION.read_bytes()).decode().split('\n')
    ends = [n for n, line in enumerate(lines) if 'convergence has been achieved' in line]
    for end, good in zip(ends, converged, strict=False):
        if not good:
            lines[end] = f'     convergence NOT achieved after {limit:3d} iterations: stopping'
            energy = max(n for n in range(end) if lines[n].startswith('!'))
            lines[energy] = ' ' + lines[energy][1:]
    return '\n'.join(lines)
