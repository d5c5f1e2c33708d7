import re

import numpy as np
import pytest
from ase.build import bulk, diamond100
from ase.calculators.calculator import kptdensity2monkhorstpack

from aiida_enne.codes.aims.control import k_grid, render_control
from aiida_enne.codes.aims.keywords import ENSEMBLES, FUNCTIONALS, OWNED, PW91, functional_of
from aiida_enne.codes.aims.settings import ControlSettings

RELAX = {'max_force': 0.01}
MD = {'ensemble': 'NVE', 'time': 1.0, 'time_step': 0.001}
NVT = MD | {'ensemble': 'NVT_parrinello', 'temperature': 2000.0, 'parameter': 0.05}


@pytest.fixture
def render(species_text):
    """Return a function that renders settings and gives the keywords in order."""

    def run(**settings):
        text = render_control({'xc': 'pbe'} | settings, {'Si': species_text()})
        lines = [line.split(None, 1) for line in text.split('\n') if line and line[0] not in '# ']
        return {words[0]: words[1].strip() if words[1:] else '' for words in lines}

    return run


def test_job_files(job, species_text, file_regression):
    _, settings, _, _ = job
    text = render_control(settings, {'Si': species_text()})
    file_regression.check(text, extension='.control.in')


def test_job_files_are_understood_by_pyfhiaims(job, species_text, tmp_path):
    control = pytest.importorskip('pyfhiaims.control.control')
    _, settings, _, _ = job
    text = render_control(settings, {'Si': species_text()})
    read = control.AimsControl.from_strings(text.partition('# An invented')[0])
    assert read.parameters['xc'] == 'pw91_gga'
    assert ('MD_run' in read.parameters) == ('md' in settings)
    assert ('relax_geometry' in read.parameters) == ('relaxation' in settings)


def test_values(render):
    words = render(
        spin='collinear',
        default_initial_moment=0.5,
        charge=-1,
        occupation_type=['fermi', 0.1],
        k_grid=[2, 3, 4],
        sc_accuracy_rho=1e-5,
        compute_forces=False,
        walltime=3600,
    )
    expected = {
        'xc': 'pbe',
        'spin': 'collinear',
        'default_initial_moment': '0.5',
        'charge': '-1',
        'relativistic': 'atomic_zora scalar',
        'occupation_type': 'fermi 0.1',
        'k_grid': '2 3 4',
        'sc_accuracy_rho': '1e-05',
        'compute_forces': '.false.',
        'compute_analytical_stress': '.false.',
        'walltime': '3600',
    }
    assert words == expected


def test_screened_hybrid(render):
    words = render(xc='hse06 0.11', extra={'hse_unit': 'bohr-1'})
    assert (words['xc'], words['hse_unit']) == ('hse06 0.11', 'bohr-1')


def test_relaxation(render):
    words = render(relaxation={'method': 'bfgs', 'max_force': 0.02, 'cell': 'full'})
    assert words['relax_geometry'] == 'bfgs 0.02'
    assert words['relax_unit_cell'] == 'full'
    assert 'output_level' not in words


@pytest.mark.parametrize('ensemble', ENSEMBLES)
def test_every_ensemble(render, ensemble):
    thermostat = {'temperature': 300.0, 'parameter': 0.1} if ENSEMBLES[ensemble] else {}
    words = render(md=MD | {'ensemble': ensemble, 'initial_temperature': 600.0} | thermostat)
    assert words['MD_run'] == f'1.0 {ensemble}' + (' 300.0 0.1' if thermostat else '')
    assert words['MD_time_step'] == '0.001'
    assert words['MD_MB_init'] == '600.0'
    assert words['MD_restart'] == '.false.'
    assert words['output_level'] == 'MD_light'


def test_restart(render):
    words = render(md=NVT | {'restart': True, 'seed': 7}, output_level='normal')
    assert words['MD_restart'] == '.true.'
    assert words['MD_RNG_seed'] == '7'
    assert 'MD_MB_init' not in words
    assert words['output_level'] == 'normal'


def test_thermostat_units(render):
    nose = NVT | {'ensemble': 'NVT_nose-hoover', 'parameter': 900.0, 'thermostat_units': 'cm^-1'}
    assert render(md=nose)['MD_thermostat_units'] == 'cm^-1'


def test_every_keyword_written_is_owned(render):
    md = NVT | {'ensemble': 'NVT_nose-hoover', 'thermostat_units': 'cm^-1', 'seed': 1}
    everything = {
        'spin': 'collinear',
        'default_initial_moment': 1.0,
        'k_grid': [1, 1, 1],
        'mixer': 'pulay',
        'n_max_pulay': 8,
        'charge_mix_param': 0.1,
        'sc_iter_limit': 100,
        'walltime': 1,
        **{f'sc_accuracy_{name}': 1e-4 for name in ('rho', 'eev', 'etot', 'forces')},
    }
    words = set(render(md=md | {'initial_temperature': 1.0}, **everything))
    words |= set(render(relaxation=RELAX | {'max_steps': 5}))
    assert {word.lower() for word in words} == OWNED - {'species', 'k_grid_density'}


def test_extra(render, species_text):
    assert render(extra={'n_max_broyden': '5'})['n_max_broyden'] == '5'
    settings = {'xc': 'pbe', 'extra': {'output': ['cube total_density', 'dos -20 20']}}
    text = render_control(settings, {'Si': species_text()})
    lines = [line.split() for line in text.splitlines() if line.startswith('output ')]
    assert lines == [['output', 'cube', 'total_density'], ['output', 'dos', '-20', '20']]


def test_species_follow_verbatim_and_sorted(species_text):
    texts = {'Si': species_text(), 'O': species_text('O', 8, 15.9994).rstrip('\n')}
    text = render_control(ControlSettings(xc=PW91), texts)
    assert text.endswith('=\n' + texts['O'] + '\n' + texts['Si'])
    assert render_control(ControlSettings(xc=PW91), dict(reversed(texts.items()))) == text


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({}, 'settings of control.in: xc must be given'),
        ({'xc': 'pw91-gga'}, "`xc` must be one of .*pw91_gga.*; got 'pw91-gga'"),
        ({'xc': 'hse06'}, 'hse06 must be followed by its positive screening parameter'),
        ({'xc': 'hse06 -0.2'}, 'hse06 must be followed by its positive screening parameter'),
        ({'xc': 'hse06 0.2\n'}, 'hse06 must be followed by its positive screening parameter'),
        ({'xc': 'pbe 0.2'}, 'pbe takes no number'),
        ({'xc': None}, '`xc` must be one of'),
        ({'xcs': 'pbe'}, 'settings of control.in: unknown xcs .did you mean `xc`.*; expected xc'),
        ({'spin': 'up'}, "`spin` must be one of none, collinear; got 'up'"),
        ({'default_initial_moment': 1.0}, 'needs `spin` to be collinear'),
        ({'charge': float('nan')}, '`charge` must be a finite number, got nan'),
        ({'charge': True}, '`charge` must be a finite number, got True'),
        ({'relativistic': 'zora'}, '`relativistic` must be one of none, atomic_zora scalar'),
        ({'occupation_type': 'gaussian'}, '`occupation_type` must be a name and a width'),
        ({'occupation_type': ['gauss', 0.1]}, '`occupation_type` must be one of gaussian'),
        ({'occupation_type': ['gaussian', 0]}, '`occupation_type` must be above zero, got 0'),
        ({'k_grid': [2, 2]}, '`k_grid` must be three whole numbers'),
        ({'k_grid': [2, 2, 0]}, '`k_grid` must be a whole number of at least 1, got 0'),
        ({'k_grid': [2, 2, 1.5]}, '`k_grid` must be a whole number of at least 1, got 1.5'),
        ({'sc_accuracy_rho': '1e-5'}, "`sc_accuracy_rho` must be a finite number, got '1e-5'"),
        ({'sc_accuracy_forces': -1.0}, '`sc_accuracy_forces` must be above zero, got -1.0'),
        ({'sc_iter_limit': 0}, '`sc_iter_limit` must be a whole number of at least 1'),
        ({'mixer': 'none'}, '`mixer` must be one of pulay, linear, broyden'),
        ({'charge_mix_param': 1.5}, '`charge_mix_param` must be at most 1, got 1.5'),
        ({'compute_forces': 'yes'}, "`compute_forces` must be true or false, got 'yes'"),
        ({'walltime': 3600.5}, '`walltime` must be a whole number of at least 1, got 3600.5'),
        ({'output_level': 'full'}, '`output_level` must be one of normal, MD_light'),
        ({'relaxation': RELAX, 'md': MD}, 'cannot both relax and run molecular dynamics'),
        ({'relaxation': {}}, 'settings of the relaxation: max_force must be given'),
        ({'relaxation': 'trm'}, "`relaxation` must be Relaxation, got 'trm'"),
        ({'relaxation': RELAX | {'cell': 'volume'}}, '`cell` must be one of none, fixed_angles'),
        ({'relaxation': RELAX | {'fmax': 1}}, 'settings of the relaxation: unknown fmax'),
        ({'md': MD | {'ensemble': 'NPT'}}, "`ensemble` must be one of NVE, .*; got 'NPT'"),
        ({'md': MD | {'temperature': 1.0}}, '`temperature` has no place in NVE, got 1.0'),
        ({'md': NVT | {'temperature': None}}, 'NVT_parrinello needs `temperature`: its temp'),
        ({'md': NVT | {'parameter': None}}, 'needs `parameter`: its relaxation time in ps'),
        ({'md': NVT | {'parameter': 0}}, '`parameter` must be above zero, got 0'),
        ({'md': MD | {'time': 0.0001}}, '`time` must be at least one `time_step` of 0.001 ps'),
        ({'md': MD | {'seed': -1}}, '`seed` must be a whole number of at least 1, got -1'),
        (
            {'md': MD | {'restart': True, 'initial_temperature': 300.0}},
            '`initial_temperature` has no place in a restart',
        ),
        ({'md': NVT | {'thermostat_units': 'cm^-1'}}, '`thermostat_units` has no place in NVT_p'),
        ({'extra': {'MD_run': '1 NVE'}}, '`MD_run` must not be in `extra`'),
        ({'extra': {'Walltime': '5'}}, '`Walltime` must not be in `extra`'),
        ({'extra': {'species': 'Si'}}, '`species` must not be in `extra`'),
        ({'extra': {'output': 'dos\nxc pbe'}}, '`extra` must give `output` as text of one line'),
        ({'extra': {'output': ['dos', 'a\rb']}}, '`extra` must give `output` as text of one line'),
        ({'extra': {'output': 5}}, '`extra` must give `output` as text of one line, got 5'),
        ({'extra': {'a b': 'c'}}, "`extra` must have keywords of one word, got 'a b'"),
        ({'extra': ['output']}, '`extra` must map keywords to their text'),
    ],
)
def test_bad_settings(settings, message, species_text):
    given = settings if 'xc' in settings or 'xcs' in settings or not settings else None
    with pytest.raises(ValueError, match=message):
        render_control({'xc': 'pbe'} | settings if given is None else given, {'Si': species_text()})


@pytest.mark.parametrize(
    ('texts', 'message'),
    [
        ({}, '`species_texts` must hold a text for every element'),
        ({'Ge': '  species Si\n  nucleus 14\n'}, 'given for Ge is that of Si'),
        ({'Si': '  species Si\n  nucleus 14\nk_grid 9 9 9\n'}, 'of Si sets `k_grid`'),
        ({'Si': 'XC pbe\n  species Si\n  nucleus 14\n'}, 'of Si sets `XC`'),
    ],
)
def test_bad_species(texts, message):
    with pytest.raises(ValueError, match=message):
        render_control(ControlSettings(xc='pbe'), texts)


@pytest.mark.parametrize('density', [0.5, 1.0, 3.0, 5.5])
@pytest.mark.parametrize(
    'atoms', [bulk('Si'), bulk('Ti'), diamond100('Si', (2, 1, 6), vacuum=7.5)], ids=str
)
def test_k_grid_is_that_of_ase(atoms, density):
    expected = kptdensity2monkhorstpack(atoms, density, even=False)
    assert k_grid(atoms.cell.array, atoms.pbc, density) == tuple(expected)


def test_k_grid_laws(rng):
    cell = bulk('Si', cubic=True).cell.array
    assert k_grid(cell, (True, True, True), 3.5) == (5, 5, 5)
    assert k_grid(2 * cell, (True, True, True), 3.5) == (3, 3, 3)
    assert k_grid(cell, (True, False, True), 3.5) == (5, 1, 5)
    assert k_grid(np.zeros((3, 3)), (False, False, False), 3.5) == (1, 1, 1)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    assert k_grid(cell @ rotation, (True, True, True), 3.5) == (5, 5, 5)


def test_k_grid_is_not_moved_by_rounding():
    exact = 2 * np.pi * 3.5 / 5
    grids = {k_grid(np.eye(3) * exact * (1 + e), (True,) * 3, 3.5) for e in (-1e-12, 0, 1e-12)}
    assert grids == {(5, 5, 5)}


@pytest.mark.parametrize(
    ('cell', 'density', 'message'),
    [
        (np.eye(3), 0.0, '`density` must be above zero, got 0.0'),
        (np.zeros((3, 3)), 1.0, 'a periodic `cell` must be three vectors with a volume'),
        (np.full((3, 3), np.nan), 1.0, 'a periodic `cell` must be three vectors with a volume'),
        (np.eye(2), 1.0, 'a periodic `cell` must be three vectors with a volume'),
    ],
)
def test_bad_k_grid(cell, density, message):
    with pytest.raises(ValueError, match=message):
        k_grid(cell, (True, True, True), density)


def test_functionals_are_known_from_the_output():
    for keyword, name in FUNCTIONALS.items():
        assert functional_of(f' Using {name}.') == keyword
    assert functional_of('Running screened exchange calculation ...').startswith('Running')


def test_no_line_is_too_long(job, species_text):
    _, settings, _, _ = job
    text = render_control(settings, {'Si': species_text()})
    assert max(map(len, text.splitlines())) <= 132
    assert re.search(r'[^\x20-\x7e\n]', text) is None
