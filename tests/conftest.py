"""Fixtures shared by all tests."""

import signal
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.common.folders import SandboxFolder
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.plugins import CalculationFactory, ParserFactory
from aiida.plugins.entry_point import format_entry_point_string
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from click.testing import CliRunner

from aiida_enne import families
from aiida_enne.cli.main import main
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.data.frames import from_atoms
from tests.aims_runs import run_of
from tests.audited import store_audit

pytest_plugins = [
    'aiida.tools.pytest_fixtures',
    'tests.members',
    'tests.replay',
    'tests.studied',
    'tests.training',
]

# A shell starts what runs beside others with SIGINT ignored, and children inherit that: programs
# that the tests interrupt would not notice.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def invoke(aiida_profile_clean):
    """Return a function that runs the command on an empty profile: `result = invoke(*words)`."""

    def run(*words):
        return CliRunner().invoke(main, [str(word) for word in words])

    return run


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Return a function that installs entry points: `{group: {name: 'module:object'}}`.

    They are those of a package beside this one on the path, as `pip` would leave it.
    """

    def run(points, package='another'):
        folder = tmp_path / package / f'{package}-1.dist-info'
        folder.mkdir(parents=True)
        (folder / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {package}\nVersion: 1\n')
        lines = [
            line
            for group, named in points.items()
            for line in (f'[{group}]', *(f'{name} = {value}' for name, value in named.items()))
        ]
        (folder / 'entry_points.txt').write_text('\n'.join(lines) + '\n')
        monkeypatch.syspath_prepend(str(folder.parent))
        families.load.cache_clear()

    yield run
    families.load.cache_clear()


@pytest.fixture(scope='session')
def shared_data():
    """Return the folder of real data that lies beside the checkout, or skip with the reason."""
    folder = Path(__file__).parents[2] / 'shared' / 'data'
    if not folder.is_dir():
        pytest.skip(f'the real data are not here: no folder {folder.parent.name}/{folder.name}')
    return folder


@pytest.fixture(scope='session')
def aims_text(request):
    """Return a function: the text of a run of `tests.aims_runs` by its name.

    The text of a real output of others by `real` and how the name of its file begins.
    """

    def read(name):
        if not name.startswith('real '):
            return run_of(name).text
        folder = request.getfixturevalue('shared_data') / 'aims'
        (path,) = folder.glob(f'{name.removeprefix("real ")}*.out')
        return path.read_bytes().decode(errors='replace')

    return read


@pytest.fixture(scope='session')
def labelled_frames():
    """Ten rattled copper cells with EMT labels: physics cheap enough for every test."""
    frames = []
    for seed in range(10):
        atoms = bulk('Cu', cubic=True)
        atoms.rattle(0.1, seed=seed)
        atoms.calc = EMT()
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        atoms.info = {'domain': 'cold' if seed < 8 else 'hot', 'block': seed // 2}
        frames.append(atoms)
    return frames


@pytest.fixture(scope='session')
def configurations(labelled_frames):
    """Ten labelled configurations as arrays: two domains, five trajectory blocks of two."""
    return from_atoms(labelled_frames)


@pytest.fixture
def dataset(aiida_profile_clean, configurations):
    """Return a stored dataset of the ten configurations."""
    return DatasetData.from_configurations(configurations, level_of_theory='EMT').store()


@pytest.fixture
def prepare():
    """Return a function that writes a job's inputs: `job, folder = prepare(name, inputs)`."""
    with SandboxFolder() as folder:

        def run(entry_point, inputs):
            process = instantiate_process(
                get_manager().get_runner(), CalculationFactory(entry_point), **inputs
            )
            return process.prepare_for_submission(folder), folder

        yield run


@pytest.fixture
def parse(aiida_profile_clean, aiida_localhost):
    """Return a function that parses files: `outputs, node = parse(name, files, inputs)`.

    `files` maps paths inside the retrieved folder to text or bytes; `inputs` maps link labels to
    stored nodes, `attributes` is set on the node of the job, `temporary` is a folder with files
    that were retrieved for the parser only.
    """

    def run(entry_point, files, inputs=None, attributes=None, temporary=None):
        node = orm.CalcJobNode(
            computer=aiida_localhost,
            process_type=format_entry_point_string('aiida.calculations', entry_point),
        )
        for label, value in (inputs or {}).items():
            node.base.links.add_incoming(value, LinkType.INPUT_CALC, label)
        node.set_option('output_filename', 'aiida.out')
        node.base.attributes.set_many(attributes or {})
        node.store()
        retrieved = orm.FolderData()
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            retrieved.base.repository.put_object_from_bytes(data, name)
        retrieved.base.links.add_incoming(node, LinkType.CREATE, 'retrieved')
        retrieved.store()
        return ParserFactory(entry_point).parse_from_node(
            node, store_provenance=False, retrieved_temporary_folder=temporary
        )

    return run


@pytest.fixture
def rng():
    """Return a generator with a fixed seed."""
    return np.random.default_rng(0)


@pytest.fixture
def audited(dataset):
    """Return an audit of five members with synthetic errors, and their training."""
    return store_audit(dataset)
