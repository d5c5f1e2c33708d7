import pytest

from aiida_enne.codes.aims.errors import MARKERS, find_error
from aiida_enne.codes.aims.output import Verdict, read_output
from tests.aims_runs import RUNS

STOPPED = '*** scf_solver: SCF cycle not converged.'


@pytest.fixture
def cut(aims_text):
    """Return a function that cuts a real output before some words and puts a line in place."""

    def run(name, words, line):
        text = aims_text(name)
        return text[: text.rindex('\n', 0, text.index(words)) + 1] + line + '\n'

    return run


@pytest.mark.parametrize(
    ('line', 'verdict'),
    [
        ('forrtl: severe (168): Program Exception - illegal instruction', 'wrong_architecture'),
        ('srun: error: node1: task 0: Illegal instruction (core dumped)', 'wrong_architecture'),
        ('bash: aims.x: cannot execute binary file: Exec format error', 'wrong_architecture'),
        ("aims.x: /lib64/libm.so.6: version `GLIBC_2.29' not found", 'wrong_architecture'),
        (
            'Please verify that both the operating system and the processor support Intel(R) AVX2.',
            'wrong_architecture',
        ),
        (' This is a stub MPI_ALLREDUCE call.', 'wrong_architecture'),
        ('slurmstepd: error: Detected 1 oom-kill event(s) in StepId=1.0', 'out_of_memory'),
        ('slurmstepd: error: Exceeded job memory limit', 'out_of_memory'),
        ('forrtl: severe (41): insufficient virtual memory', 'out_of_memory'),
        ('Out of memory: Killed process 1234 (aims.x)', 'out_of_memory'),
        (
            'slurmstepd: error: *** JOB 12 ON node CANCELLED AT 2024-01-01T00:00:00 DUE TO TIME '
            'LIMIT ***',
            'out_of_walltime',
        ),
        ('=>> PBS: job killed: walltime 3612 exceeded limit 3600', 'out_of_walltime'),
        ('  *** Species Ge is not defined in control.in', 'species_missing'),
        ('  * check_for_close_encounters: Atoms 1 and 2', 'atoms_too_close'),
        ('*** get_neighbor_lists: Too many neighbors', 'atoms_too_close'),
        (STOPPED, 'scf_not_converged'),
        (
            '  ** Inconsistency of forces<->energy above specified tolerance.',
            'relaxation_not_converged',
        ),
        ('=   KILLED BY SIGNAL: 9 (Killed)', 'killed'),
        ('forrtl: error (78): process killed (SIGTERM)', 'killed'),
        ('slurmstepd: error: *** JOB 12 ON node CANCELLED AT 2024-01-01T00:00:00 ***', 'killed'),
        ('rank 3 in job 1 caused collective abort of all ranks', 'killed'),
        ('/bin/sh: line 1: 4242 Killed   aims.x > aims.out', 'killed'),
    ],
)
def test_a_marker_and_its_verdict(line, verdict, cut):
    assert find_error(line) == verdict
    output = read_output(cut('o2_relax', 'Relaxation step number      2', line))
    assert output.verdict == verdict
    assert output.reason == line.strip()
    assert len(output.frames) == 2


def test_every_verdict_of_a_failure_has_a_marker():
    structural = {Verdict.FINISHED, Verdict.NOT_STARTED, Verdict.TRUNCATED}
    assert set(MARKERS) == set(Verdict) - structural


@pytest.mark.parametrize(
    'name',
    [
        *(name for name in RUNS if name not in ('killed', 'stub_mpi')),
        *(f'real {name}' for name in ('aiidafhiaims', 'diamond64', 'h2o', 'o2', 'si8')),
        *(f'real {name}' for name in ('si_forces', 'si_relax', 'si_static')),
    ],
)
def test_a_good_output_has_no_marker(name, aims_text):
    assert [line for line in aims_text(name).split('\n') if find_error(line)] == []


def test_the_more_telling_cause_comes_first(cut):
    after = '=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES\n'
    text = cut('o2_relax', 'Relaxation step number      2', f'{after}{STOPPED}\n{after}')
    assert read_output(text).verdict is Verdict.SCF_NOT_CONVERGED
    errors = 'slurmstepd: error: Detected 1 oom-kill event(s) in StepId=1.0'
    assert read_output(text, errors).verdict is Verdict.OUT_OF_MEMORY


def test_standard_error_of_a_run_that_finished_does_not_matter(aims_text):
    assert (
        read_output(aims_text('si8_forces'), 'srun: forcing job termination: Killed').verdict
        == 'finished'
    )


def test_an_error_that_was_survived_does_not_matter(aims_text):
    text = aims_text('o2_relax').replace(
        '  Relaxation step number      1',
        '  ** Inconsistency of forces<->energy above specified tolerance.\n'
        '  Relaxation step number      1',
    )
    cut = text[: text.index('Relaxation step number      2')]
    assert read_output(cut[: cut.rindex('\n') + 1]).verdict is Verdict.TRUNCATED


def test_scf_not_converged(aims_text):
    text = aims_text('si8_forces')
    begin = text.index('          Begin self-consistency iteration #    8')
    output = read_output(text[:begin] + STOPPED + '\n')
    assert output.verdict is Verdict.SCF_NOT_CONVERGED
    assert output.frames == ()
    assert len(output.unfinished.scf) == 7
    leaving = text[text.index('          Leaving FHI-aims') :]
    assert read_output(text[:begin] + leaving).verdict is Verdict.SCF_NOT_CONVERGED


def test_relaxation_not_converged(aims_text):
    text = aims_text('o2_relax').replace('geometry is converged', 'geometry is not yet converged')
    output = read_output(text)
    assert (output.verdict, output.relaxed) == (Verdict.RELAXATION_NOT_CONVERGED, False)
    assert len(output.frames) == 4


@pytest.mark.parametrize(
    ('seconds', 'verdict'), [(2, 'out_of_walltime'), (200, 'relaxation_not_converged')]
)
def test_walltime_of_a_relaxation(seconds, verdict, aims_text):
    text = aims_text('o2_relax').replace('geometry is converged', 'geometry is not yet converged')
    text = text.replace('  relax_geometry  ', f'  walltime {seconds}\n  relax_geometry  ', 1)
    output = read_output(text)
    assert output.verdict == verdict
    if verdict == 'out_of_walltime':
        assert output.reason == '92% of the walltime was used'


@pytest.mark.parametrize(
    ('time', 'verdict'), [('0.005000', 'finished'), ('0.050000', 'out_of_walltime')]
)
def test_a_trajectory_shorter_than_asked_for(time, verdict, aims_text):
    text = aims_text('h2o_md').replace(
        'simulation time =       0.005000', f'simulation time = {time}'
    )
    output = read_output(text)
    assert output.verdict == verdict
    assert len(output.frames) == 5


def test_species_missing_from_what_is_repeated(aims_text):
    text = aims_text('h2o_md').replace('  species        O', '')
    cut = text[: text.index('  Basic array size parameters')]
    output = read_output(cut)
    assert output.verdict is Verdict.SPECIES_MISSING
    assert output.reason == 'control.in has no species for O'


def test_species_missing_from_what_was_read(aims_text):
    text = aims_text('h2o_md')
    text = text[: text.index('  Input geometry:')]
    assert read_output(text).verdict is Verdict.NOT_STARTED
    text = text.replace('  species        O', '')
    output = read_output(text.replace('configuration options for species O', ''))
    assert output.reason == 'control.in has no species for O'


def test_not_started(aims_text):
    text = aims_text('si8_forces')
    for words in (
        'Invoking',
        'Parsing control.in',
        'Input geometry',
        'Begin self-consistency loop',
    ):
        output = read_output(text[: text.index(words)])
        assert output.verdict is Verdict.NOT_STARTED
    assert output.reason == 'no self-consistency cycle was begun'


def test_a_finished_run_without_its_result_is_truncated(aims_text):
    text = aims_text('si8_forces').replace('Total atomic forces', 'Total atomic f')
    assert read_output(text).verdict is Verdict.TRUNCATED
