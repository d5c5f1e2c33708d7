"""Outputs of pw.x that were recorded here, and a stand-in that replays them by their input.

Numbers of an input are compared to six decimals, for another machine's last digits are not ours.
"""

import gzip
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / 'workflows' / 'reference' / 'pw_recordings'
FILES = ('aiida.in', 'aiida.out', 'data-file-schema.xml')
RECORD = 'pytest tests/workflows/reference/test_engines.py -k qe_keeps --force-regen'
NUMBER = re.compile(r'-?\d+\.\d*(?:[ed][-+]?\d+)?')
SCRIPT = """\
#!{python}
import sys
sys.path.insert(0, {root!r})
from tests.pw_recordings import record, replay
{call}
"""


def key_of(text):
    """Return a name for an input, whatever its walltime: numbers count to six decimals."""
    text = re.sub(r'  max_seconds = .*\n', '', text)
    rounded = NUMBER.sub(lambda number: f'{as_float(number[0]):.6f}', text)
    return hashlib.sha256(rounded.encode()).hexdigest()[:12]


def as_float(word):
    """Return a number of Fortran, never the negative zero."""
    return round(float(word.replace('d', 'e')), 6) + 0.0


def record(executable, folder):
    """Run pw.x in the current folder, keep what it read and wrote, and print it."""
    run = subprocess.run([executable, *sys.argv[1:]], capture_output=True, check=False)
    sys.stdout.buffer.write(run.stdout)
    sys.stderr.buffer.write(run.stderr)
    text = Path('aiida.in').read_text()
    target = Path(folder) / key_of(text)
    target.mkdir(parents=True, exist_ok=True)
    xml = Path('out/aiida.save/data-file-schema.xml')
    contents = (text.encode(), run.stdout, xml.read_bytes() if xml.is_file() else b'')
    for name, content in zip(FILES, contents, strict=True):
        (target / f'{name}.gz').write_bytes(gzip.compress(content, mtime=0))
    return run.returncode


def replay(folder):
    """Do in the current folder as pw.x did with the same input."""
    found = Path(folder) / key_of(Path('aiida.in').read_text())
    if not found.is_dir():
        Path(sys.argv[0]).with_name('missing').write_text(Path('aiida.in').read_text())
        sys.exit(f'no recording of this input: {found.name}')
    _, output, xml = (gzip.decompress((found / f'{name}.gz').read_bytes()) for name in FILES)
    Path('out/aiida.save').mkdir(parents=True, exist_ok=True)
    Path('out/aiida.save/data-file-schema.xml').write_bytes(xml)
    sys.stdout.buffer.write(output)
    return 0


def write_script(path, call):
    """Write an executable that calls one of the functions of this module."""
    root = str(Path(__file__).parents[1])
    path.write_text(SCRIPT.format(python=sys.executable, root=root, call=f'sys.exit({call})'))
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def recorded_pw(tmp_path):
    """Return the path of a stand-in for pw.x that replays what was recorded."""
    yield write_script(tmp_path / 'pw.x', f'replay({str(FOLDER)!r})')
    missing = tmp_path / 'missing'
    text = missing.read_text() if missing.is_file() else ''
    assert not text, f'no recording of this input; where pw.x is installed, `{RECORD}`:\n{text}'


@pytest.fixture
def recording_pw(tmp_path, pw_executable, request):
    """Return the path of a pw.x whose runs are added to the recordings by `--force-regen`."""
    folder = tmp_path / 'recordings'
    yield write_script(tmp_path / 'pw.x', f'record({pw_executable!r}, {str(folder)!r})')
    if request.config.getoption('force_regen'):
        shutil.copytree(folder, FOLDER, dirs_exist_ok=True)


@pytest.fixture
def qe_code(fast_runner, aiida_code_installed):
    """Return a function that installs a pseudopotential and a code: `qe_code(pw, folder)`."""
    from click.testing import CliRunner

    from aiida_enne.cli.main import main
    from tests.pseudos import NORM_CONSERVING

    pytest.importorskip('aiida_quantumespresso')

    def install(executable, folder):
        words = ('--label', 'SIQE', '--only', NORM_CONSERVING, '--cutoffs', '22,88')
        made = CliRunner().invoke(main, ['pseudo', 'install', str(folder), *words])
        assert made.exit_code == 0, made.output
        return aiida_code_installed(
            label='pw',
            default_calc_job_plugin='quantumespresso.pw',
            filepath_executable=executable,
            prepend_text='export OMP_NUM_THREADS=1',
        )

    return install


@pytest.fixture
def pseudo_stand_in(tmp_path):
    """Return a folder with a pseudopotential that computes nothing, named as the one recorded."""
    from tests.pseudos import DUMMY, NORM_CONSERVING

    folder = tmp_path / 'upf'
    folder.mkdir()
    (folder / NORM_CONSERVING).write_text(DUMMY)
    return folder
