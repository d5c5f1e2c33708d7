import numpy as np
import pytest
from ase import Atoms

from aiida_enne.codes.aims.labels import (
    configuration_at,
    labelled,
    last_geometry,
    level_of_theory,
    summary,
)
from aiida_enne.codes.aims.output import read_output
from aiida_enne.codes.aims.settings import ControlSettings
from aiida_enne.science.data.frames import from_atoms
from tests.aims_runs import run_of


@pytest.mark.parametrize(
    ('settings', 'levels', 'expected'),
    [
        ({'xc': 'pw91_gga'}, ['light'], 'FHI-aims PW91 light, scalar ZORA'),
        ({'xc': 'pbe', 'relativistic': 'none'}, ['tight'], 'FHI-aims PBE tight, non-relativistic'),
        (
            {'xc': 'hse06 0.11', 'spin': 'collinear'},
            ['light', 'tight', 'light'],
            'FHI-aims HSE06 0.11 light/tight, scalar ZORA, collinear spin',
        ),
        ({'xc': 'pbe'}, [''], 'FHI-aims PBE own species, scalar ZORA'),
    ],
)
def test_level_of_theory(settings, levels, expected):
    assert level_of_theory(ControlSettings.from_dict(settings), levels) == expected


def start(n):
    atoms = Atoms(f'H{n}', info={'domain': 'here', 'block': 4, 'pressure': 2.5}, pbc=True)
    atoms.cell = np.eye(3)
    return from_atoms([atoms], info=['pressure'])


def test_energies_without_forces_are_no_labels(aims_text):
    output = read_output(aims_text('si_static'))
    assert labelled(output, ControlSettings(xc='pbe'), start(2)) is None
    (frame,) = run_of('si_static').frames
    assert summary(output)['energies']['free'] == frame.energies.free
    assert last_geometry(output).symbols == ('Si', 'Si')


def test_frames_inherit_what_the_configuration_was(aims_text):
    output = read_output(aims_text('si_relax_cell'))
    settings = ControlSettings.from_dict({'xc': 'pbe', 'relaxation': {'max_force': 0.001}})
    found = labelled(output, settings, start(2))
    assert found.info['pressure'].tolist() == 5 * [2.5]
    assert found.blocks.tolist() == 5 * [4]
    assert found.pbc.all()
    assert found.stresses[:, 0, 0].tolist() == [f.stress[0, 0] for f in output.frames]
    cells = [frame.cell for frame in run_of('si_relax_cell').frames]
    np.testing.assert_array_equal(found.cells, cells)


def test_the_last_geometry_is_that_of_the_unfinished_step(aims_text):
    text = aims_text('o2_relax')
    cut = text[: text.rindex('Begin self-consistency loop')]
    output = read_output(cut)
    assert len(output.frames) == 3
    last = last_geometry(output)
    assert last.positions[0, 2] == run_of('o2_relax').frames[-1].positions[0, 2]
    here = configuration_at(last, start(2))
    assert here.domains.tolist() == ['here']
    assert here.info['pressure'].tolist() == [2.5]
    assert here.numbers.tolist() == [8, 8]
