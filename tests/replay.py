"""A stand-in for FHI-aims that replays outputs by the hash of control.in and geometry.in.

Nothing here runs the licensed binary: what is tested is what goes in, and what becomes of outputs
in its format.
"""

import hashlib
import json
import sys

import numpy as np
import pytest
from aiida import orm
from ase import Atoms

from aiida_enne.codes.aims.control import render_control
from aiida_enne.codes.aims.geometry import render_geometry
from aiida_enne.codes.aims.settings import ControlSettings
from tests.aims_runs import run_of
from tests.aims_writer import species_node, species_texts

BEGIN = 'Begin self-consistency loop'
OUT_OF_TIME = 'slurmstepd: error: *** JOB 1 CANCELLED AT 2026-01-01 DUE TO TIME LIMIT ***\n'
UNCONVERGED = ' *** scf_solver: SCF cycle not converged.\n'
SCRIPT = """\
#!{python}
import hashlib, json, pathlib, sys
texts = [pathlib.Path(name).read_bytes() for name in ('control.in', 'geometry.in')]
key = hashlib.sha256(b'|'.join(texts)).hexdigest()
folder = pathlib.Path({folder!r}) / key
if not folder.is_dir():
    sys.exit('no recording of ' + key)
count = folder / 'count'
n = int(count.read_text()) if count.exists() else 0
count.write_text(str(n + 1))
last = len(list(folder.glob('*.json'))) - 1
one = json.loads((folder / (str(min(n, last)) + '.json')).read_text())
for name in one['needs']:
    if not pathlib.Path(name).is_file():
        sys.exit('the recording needs ' + name)
for name, text in one['files'].items():
    pathlib.Path(name).write_text(text)
sys.stdout.write(one['output'])
sys.stderr.write(one['errors'])
"""


def species_nodes(atoms, level='light'):
    """Return a species node for every element."""
    texts = species_texts(atoms)
    return {name: species_node(text, level=level) for name, text in texts.items()}


class Replay:
    """Outputs by what goes in."""

    def __init__(self, folder):
        self.folder = folder
        self.script = folder / 'aims.x'
        self.script.write_text(SCRIPT.format(python=sys.executable, folder=str(folder)))
        self.script.chmod(0o755)

    def record(self, settings, atoms, output, *, errors='', files=None, needs=(), **geometry):
        """Say what is printed to which input; several to one input are replayed in turn."""
        control = render_control(ControlSettings.from_dict(settings), species_texts(atoms))
        place = render_geometry(
            atoms.cell.array,
            atoms.pbc.tolist(),
            atoms.get_chemical_symbols(),
            atoms.positions,
            **geometry,
        )
        key = hashlib.sha256(b'|'.join([control.encode(), place.encode()])).hexdigest()
        folder = self.folder / key
        folder.mkdir(exist_ok=True)
        one = {'output': output, 'errors': errors, 'files': files or {}, 'needs': list(needs)}
        n = len(list(folder.glob('*.json')))
        (folder / f'{n}.json').write_text(json.dumps(one))


@pytest.fixture
def replay(tmp_path):
    """Return an empty stand-in."""
    folder = tmp_path / 'replay'
    folder.mkdir()
    return Replay(folder)


@pytest.fixture
def replay_code(aiida_profile_clean, aiida_code_installed, replay):
    """Return the stand-in as a code."""
    return aiida_code_installed(
        label='aims', default_calc_job_plugin='enne.aims', filepath_executable=str(replay.script)
    )


def recorded(name):
    """Return the text of a run of `tests.aims_runs`, and the atoms that it begins with."""
    run = run_of(name)
    return run.text, atoms_of(run.frames[0])


def atoms_of(frame):
    """Return a frame as ASE atoms."""
    periodic = frame.cell is not None
    cell = frame.cell if periodic else np.zeros((3, 3))
    return Atoms(frame.symbols, frame.positions, cell=cell, pbc=periodic)


def first_steps(text, n):
    """Return an output that ends when its step n + 1 would begin."""
    pieces = pieces_of(text)
    return ''.join(pieces[: n + 1])


def without_steps(text, n):
    """Return an output without its first n steps: the header goes on with the next one."""
    pieces = pieces_of(text)
    return pieces[0] + ''.join(pieces[n + 1 :])


def pieces_of(text):
    """Return the header and the steps of an output."""
    pieces = ['']
    for line in text.splitlines(keepends=True):
        if BEGIN in line:
            pieces.append('')
        pieces[-1] += line
    return pieces


def unconverged(text, n=1):
    """Return an output that ends in the cycle of its step n, before that has converged."""
    return first_steps(text, n).rpartition('  Self-consistency cycle converged')[0]


def options(**more):
    """Return options of a job without MPI."""
    return {'options': {'withmpi': False, **more}}


def as_array(velocities):
    """Return velocities as a node."""
    return orm.ArrayData({'velocities': np.asarray(velocities)})
