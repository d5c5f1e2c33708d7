"""Writes outputs in the format of FHI-aims from frames: a reader must find what went in.

The titles, the order of the parts and the form of the numbers are those of the program; what lies
between them, and nobody reads, is left out. Nothing here was computed by FHI-aims.
"""

from ase.data import atomic_numbers

from aiida_enne.codes.aims.control import render_control
from aiida_enne.codes.aims.geometry import render_geometry
from aiida_enne.codes.aims.keywords import FUNCTIONALS
from aiida_enne.codes.aims.results import Energies
from aiida_enne.codes.aims.settings import ControlSettings
from aiida_enne.codes.aims.species import read_species
from aiida_enne.data.species import SpeciesData

VERSION = '260101'
HARTREE = 27.2113845
RULE = '-' * 60
WIDE = '  ' + '-' * 71
PREDICT = '  Geometry optimization: Attempting to predict improved coordinates.'
LEAVE = '          Have a nice day.'
SPECIES = """\
# An invented species for tests: not a default of FHI-aims, and no basis to compute with.
  species        {element}
    nucleus      {charge}
    valence      3 s 2.
"""


def species_text(element, charge):
    """Return the text of an invented species."""
    return SPECIES.format(element=element, charge=charge)


def species_node(text, *, level='', family=''):
    """Return an unstored node of a species default."""
    return SpeciesData.from_species(read_species(text, level=level, family=family))


def species_texts(atoms):
    """Return the text of an invented species for every element of some atoms."""
    pairs = set(zip(atoms.get_chemical_symbols(), atoms.numbers.tolist(), strict=True))
    return {element: species_text(element, charge) for element, charge in pairs}


def fortran(value, digits=15):
    """Write a number as `E30.15` does, its first digit behind the point."""
    mantissa, exponent = f'{value:.{digits - 1}E}'.split('E')
    sign, places = ('-' if value < 0 else ''), mantissa.strip('-').replace('.', '')
    return f'{sign}0.{places}E{int(exponent) + (value != 0):+03d}'


def write_output(atoms, settings, frames, *, stars=(), relaxed=True, timings=None):
    """Return the whole text of a run.

    Args:
        atoms: As geometry.in has them; the first frame is theirs.
        settings: Of `ControlSettings`.
        frames: Each a `Frame` of the reader.
        stars: Paragraphs marked with stars, each a list of lines.
        relaxed: Whether a relaxation says at its end that it has converged.
        timings: Seconds by name.
    """
    control = ControlSettings.from_dict(settings)
    lines = [*header(atoms, control), *warned(stars)]
    light = control.md is not None
    for number, frame in enumerate(frames):
        is_last = number == len(frames) - 1
        lines += [*cycle(frame, number == 0, light), *results(frame)]
        if light:
            lines += moved(frame, number, is_last)
        if control.relaxation is not None:
            lines += improved(None if is_last else frames[number + 1], number, relaxed)
    seconds = timings or {'Total time': 12.5, 'Preparation time': 0.25}
    return '\n'.join([*lines, *leave(frames, seconds), ''])


def header(atoms, control):
    """Return what stands before the first step."""
    place = render_geometry(
        atoms.cell.array, atoms.pbc.tolist(), atoms.get_chemical_symbols(), atoms.positions
    )
    texts = species_texts(atoms)
    yield from (RULE, '          Invoking FHI-aims ...', '')
    yield from (f'          FHI-aims version      : {VERSION}', '', '  Using 1 parallel tasks.', '')
    inputs = {'control.in': render_control(control, texts), 'geometry.in': place}
    for name, text in inputs.items():
        yield f'  Parsing {name} (first pass over file, find array dimensions only).'
        yield f'  The contents of {name} will be repeated verbatim below'
        yield from (WIDE, *(f'  {line}' for line in text.splitlines()), WIDE)
        yield f'  Completed first pass over input file {name} .'
    yield from ('  Basic array size parameters:', f'  | Number of species : {len(texts)}')
    yield f'  | Number of atoms                   : {len(atoms):8d}'
    yield from ('  | Number of spin channels           :        1', RULE)
    yield from ('          Reading file control.in.', RULE)
    yield f'  XC: Using {FUNCTIONALS[control.xc.split()[0]]}.'
    yield from demanded(control)
    for element in texts:
        yield f'  Reading configuration options for species {element:<20}.'
        yield f'  | Found nuclear charge : {atomic_numbers[element]:8.4f}'
    yield from ("  Finished reading input file 'control.in'.", RULE)
    yield from ('          Reading geometry description geometry.in.', RULE)
    electrons = f'{float(atoms.numbers.sum()):.3f}'
    yield f'  The structure contains {len(atoms)} atoms, and a total of {electrons} electrons.'
    yield from table(atoms)
    yield from ('', '  Consistency checks for stacksize environment parameter are next.', '')
    yield '  | Number of Kohn-Sham states (occupied + empty):       20'
    yield from (RULE, '          Preparing all fixed parts of the calculation.', RULE)


def demanded(control):
    """Return what the program says of its task."""
    if control.relaxation is not None:
        limit = fortran(control.relaxation.max_force, 6)
        yield f'  Geometry relaxation: Modified BFGS, converged below {limit} eV/A.'
    if control.md is not None:
        yield f'  Running Born-Oppenheimer molecular dynamics in {control.md.ensemble} ensemble.'
        yield f'  | simulation time = {control.md.time:14.6f} ps'
        yield f'  Molecular dynamics time step = {fortran(control.md.time_step, 4)} ps'
    if control.compute_forces:
        yield '  Forces will be computed.'


def table(atoms):
    """Return the table of the input geometry, rounded as the program rounds it."""
    yield from ('', '  Input geometry:')
    if atoms.pbc.any():
        yield '  | Unit cell:'
        for row in atoms.cell.array:
            yield '  |' + ''.join(f'{value:16.8f}' for value in row)
    else:
        yield '  | No unit cell requested.'
    yield from ('  | Atomic structure:', '  |       Atom                x [A]            y [A]')
    for index, (symbol, row) in enumerate(zip(atoms.symbols, atoms.positions, strict=True), 1):
        yield f'  |{index:5d}: Species {symbol:<10}' + ''.join(f'{value:16.8f}' for value in row)


def warned(stars):
    """Return paragraphs marked with stars."""
    for paragraph in stars:
        yield from ('', *(f'* {line}' for line in paragraph), '')


def cycle(frame, is_first, light):
    """Return a self-consistency cycle that converges."""
    kind = 'Initialization' if is_first else 'Re-initialization'
    yield from (RULE, f'          Begin self-consistency loop: {kind}.', '')
    yield from ('          Date     :  20260101, Time     :  120000.000', RULE)
    if light:
        titles = 'q app. |  density  | eigen (eV) | Etot (eV) | forces (eV/A)'
        yield f'  Convergence:    {titles} |       CPU time |     Clock time'
    for number, changes in enumerate(frame.scf, 1):
        if light:
            row = (changes.density, changes.eigenvalues, changes.energy)
            cells = [fortran(value, 2) for value in row]
            cells.append('.' if changes.forces is None else fortran(changes.forces, 2))
            yield f'  SCF {number:4d} :  0.10E-05 | ' + ' | '.join(cells) + ' | 0.10 s | 0.10 s'
            continue
        yield from (RULE, f'          Begin self-consistency iteration #{number:5d}', '')
        yield from ('  Self-consistency convergence accuracy:', *changed(changes), '')
    free = frame.energies.free
    yield '  Total energy components:'
    yield f'  | Electronic free energy        :{free / HARTREE:20.8f} Ha {free:20.8f} eV'
    yield from ('', '  Self-consistency cycle converged.', '')


def changed(changes):
    """Return the changes of an iteration as the usual level of output has them."""
    yield f'  | Change of charge density      :  {fortran(changes.density, 4)}'
    yield f'  | Change of sum of eigenvalues  :  {fortran(changes.eigenvalues, 4)} eV'
    yield f'  | Change of total energy        :  {fortran(changes.energy, 4)} eV'
    if changes.forces is not None:
        yield f'  | Change of forces              :  {fortran(changes.forces, 4)} eV/A'


def results(frame):
    """Return energies, forces and stress of a step."""
    yield '  Energy and forces in a compact form:'
    titles = ('Total energy uncorrected', 'Total energy corrected', 'Electronic free energy')
    for title, name in zip(titles, Energies.__slots__, strict=True):
        yield f'  | {title:<30}: {fortran(getattr(frame.energies, name)):>30} eV'
    if frame.forces is not None:
        yield '  Total atomic forces (unitary forces cleaned) [eV/Ang]:'
        for index, row in enumerate(frame.forces, 1):
            yield f'  |{index:5d} ' + ' '.join(f'{fortran(value):>30}' for value in row)
    yield '  ' + RULE
    if frame.stress is not None:
        yield from boxed(frame.stress)


def boxed(stress):
    """Return the box of a stress tensor in eV/Å³."""
    edge, empty = f'  +{"-" * 67}+', f'  |{" " * 67}|'
    yield from (edge, f'  |{"Analytical stress tensor - Symmetrized":^67}|')
    yield from (f'  |{"Cartesian components [eV/A**3]":^67}|', edge, empty, empty)
    for axis, row in zip('xyz', stress, strict=True):
        yield f'  |  {axis}' + ''.join(f'{value:17.8f}' for value in row) + '             |'
    yield from (edge, '')


def moved(frame, number, is_last):
    """Return what is said after a step of molecular dynamics."""
    yield '  Molecular dynamics: Attempting to update all nuclear coordinates.'
    yield '  Complete information for previous time-step:'
    yield f'  | Time step number          : {number + 1:8d}'
    yield f'  | Simulation time           : {fortran(frame.time)} ps'
    yield f'  | Temperature (nuclei)      : {fortran(frame.temperature)} K'
    start = '  Final atomic' if is_last else '  Atomic'
    yield f'{start} structure (and velocities) as used in the preceding time step:'
    yield from structure(frame, frame.velocities)


def improved(following, number, relaxed):
    """Return how a relaxation goes on, or how it ends where no step follows."""
    yield PREDICT
    if following is None:
        yield f'  Present geometry is {"" if relaxed else "not yet "}converged.'
        return
    yield '  Present geometry is not yet converged.'
    yield f'  Relaxation step number {number + 1:6d}: Predicting new coordinates.'
    yield '  Updated atomic structure:'
    yield from structure(following)
    yield '  Writing the current geometry to file "geometry.in.next_step".'


def structure(frame, velocities=None):
    """Return a structure in the form of geometry.in, with eight decimals."""
    yield '                         x [A]             y [A]             z [A]'
    for row in [] if frame.cell is None else frame.cell:
        yield '  lattice_vector  ' + ''.join(f'{value:18.8f}' for value in row)
    for index, (symbol, row) in enumerate(zip(frame.symbols, frame.positions, strict=True)):
        yield '            atom  ' + ''.join(f'{value:18.8f}' for value in row) + f'  {symbol}'
        if velocities is not None:
            yield '        velocity  ' + ''.join(f'{value:18.8f}' for value in velocities[index])


def leave(frames, timings):
    """Return the last words."""
    yield from (RULE, '          Leaving FHI-aims.', '', '          Computational steps:')
    iterations = sum(len(frame.scf) for frame in frames)
    yield f'          | Number of self-consistency cycles          : {iterations:12d}'
    yield f'          | Number of SCF (re)initializations          : {len(frames):12d}'
    yield from ('', '          Detailed time accounting                     :  max(cpu_time)')
    for name, seconds in timings.items():
        yield f'          | {name:<43}: {seconds:14.3f} s {seconds:14.3f} s'
    yield from ('', LEAVE, RULE)
