"""Every command with bad input: one message that names it, and no traceback."""

import click
import pytest
from aiida import orm
from aiida.tools import delete_nodes
from click.testing import CliRunner
from plumpy import ProcessState

from aiida_enne.cli.main import main
from aiida_enne.data.split import SplitData
from aiida_enne.science.data.splits import Split
from tests.audited import chain, link
from tests.refused import OVERRIDES
from tests.studied import train

#: Words that have no place in a message to a user.
RAW = (
    'Traceback', 'should not happen', 'o result was found', "<class '", 'invalid attribute',
    'sqlalchemy', 'Errno', 'NoneType', 'QueryBuilder', 'object has no attribute', 'EntityLoader',
    'entity',
)  # fmt: skip
LAUNCH = '--code python@localhost --dry-run'
#: By command, what is typed and what the message must hold; `{names}` are those of `things`.
CASES = {
    'dataset export': [
        ('424242 out.xyz', '424242'), ('{waiting} out.xyz', 'expected a DatasetData'),
        ('{dataset} {folder}', 'directory'), ('{dataset} {missing}/out.xyz', 'no folder'),
        ('{dataset} out.xyz --domain nowhere', 'nowhere'),
    ],
    'dataset gather': [
        ('424242', '424242'), ('{split}', 'SplitData'), ('{waiting}', 'waiting'),
        ('--group nothing', 'nothing'), ('', 'nothing to gather'),
    ],
    'dataset import': [
        ('{missing}', 'missing'), ('{noise}', 'noise'), ('{empty}', 'empty'),
        ('{noise} --format json', 'noise: cannot be read as json: it is not text'),
        ('{noise} --format gen', 'noise: cannot be read as gen: '),
    ],
    'dataset list': [('--limit 0', '0'), ('--limit {huge}', 'too large')],
    'dataset show': [
        ('nothing', "'nothing'"), ('{split}', 'expected a DatasetData'),
        ('{huge}', 'no node is identified'),
    ],
    'dataset split': [
        ('nothing --method random', 'nothing'), ('{dataset} --method random', '--seed'),
        ('{dataset} --method random --sizes 500 1 1 --seed 1', '500'),
        ('{dataset} --method random --seed 1', '--method random needs --sizes'),
        ('{dataset} --method blocks', '--method blocks needs --fractions'),
        ('{dataset} --method blocks --sizes 1 1 1', '--method blocks does not take --sizes'),
        ('{dataset} --method random --sizes 2 2 2 --seed -1', "'--seed': -1"),
        ('{dataset} --method random --seed 1 --within no', "['cold', 'hot']"),
    ],
    'demo': [('--protocol paper', 'paper'), ('--output {noise}', 'noise')],
    'doctor': [('--code nothing', 'nothing')],
    'ensemble base': [
        ('{missing}', 'missing'), ('{folder}', 'folder'), ('{noise}', 'not a NequIP package'),
    ],
    'ensemble compare': [('nothing nothing', 'nothing'), ('{dataset} {dataset}', 'DatasetData')],
    'ensemble export': [
        ('nothing out', 'nothing'), ('{dataset} out', 'DatasetData'), ('{waiting} out', 'models'),
    ],
    'ensemble list': [('nothing', 'nothing')],
    'ensemble show': [
        ('nothing', 'nothing'), ('{dataset}', 'DatasetData'), ('{waiting}', 'models'),
    ],
    'figure': [
        ('nothing', 'nothing'), ('F7', 'audit'), ('F7 --ensemble nothing', 'nothing'),
        ('F7 --ensemble {dataset}', 'DatasetData'), ('F7 --ensemble {waiting}', 'models'),
        ('F7 --archive {noise}', 'noise'), ('F7 --option x', 'KEY=VALUE'),
    ],
    'improvement': [
        ('nothing', 'nothing'), ('{dataset}', 'is no improvement, its kind is DatasetData'),
        ('{waiting}', 'is no improvement, its kind is EnsembleWorkChain'),
    ],
    'launch audit': [
        ('--ensemble nothing --dataset {dataset} {launch}', 'nothing'),
        ('--ensemble {waiting} --dataset {dataset} {launch}', 'models'),
        ('--ensemble {dataset} --dataset {dataset} {launch}', 'DatasetData'),
        ('--ensemble {waiting} --dataset nothing {launch}', 'nothing'),
        ('--ensemble {trained} --dataset {other} {launch}', '--exclude-trained leaves them out'),
        ('--ensemble {trained} --dataset {other} --exclude-trained {launch}', '--include-trained'),
        (
            '--ensemble {trained} --dataset {other} --exclude-trained --include-trained {launch}',
            'one of --exclude-trained and --include-trained',
        ),
        ('--ensemble {trained} --dataset {dataset} --training-domain no {launch}', "['no']"),
        ('--ensemble {trained} --dataset {dataset} --align-domain no {launch}', "['no']"),
        ('--ensemble {trained} --dataset {dataset} --estimator no {launch}', "'no'"),
        ('--ensemble {trained} --dataset {dataset} --fit-frames -1 {launch}', '-1'),
        (
            '--ensemble {trained} --dataset {dataset} --estimator conformal {launch}',
            '--calibration-domain',
        ),
        ('--ensemble {trained} --dataset {other} --split {split} {launch}', 'the split belongs to'),
        ('--ensemble {huge} --dataset {dataset} {launch}', 'too large for the database'),
        ('--ensemble {trained} --ensemble {trained} --dataset {dataset} {launch}', 'same weights'),
        ('--ensemble 424242 --dataset {dataset} {launch}', 'ID<424242>'),
        ('--ensemble {trained} --dataset {dataset} --role a.b {launch}', "'a.b' cannot name a"),
        ('--ensemble {trained} --dataset {dataset} --protocol= {launch}', "'' is not a protocol"),
        ('--ensemble {trained} --dataset {dataset} --estimator= {launch}', "''"),
        ('--ensemble {trained} --dataset {dataset} --align-domain= {launch}', "must be a domain"),
        ('--ensemble {trained} --dataset {dataset} --features some {launch}', "'some'"),
        ('--ensemble {trained} --dataset {dataset} --snapshots no {launch}', 'has no member no'),
    ],
    'launch defect': [
        ('--lattice-constant 5 --engine none {launch}', '`none`'),
        ('--lattice-constant -5 {launch}', '-5'), ('--lattice-constant nan {launch}', 'nan'),
        ('--lattice-constant inf {launch}', 'inf'), ('--lattice-constant 5 --code no', "'no'"),
    ],
    'launch ensemble': [
        ('--dataset {split} --split {split} {launch}', 'expected a DatasetData'),
        ('--dataset {dataset} --split {dataset} {launch}', 'expected a SplitData'),
        ('--dataset {dataset} --split {split} --seeds a {launch}', "'a'"),
        ('--dataset {dataset} --split {split} --seeds 1,1 {launch}', '1'),
        ('--dataset {dataset} --split {split} --protocol none {launch}', 'none'),
        ('--dataset {dataset} --split {split} --overrides {missing} {launch}', 'missing'),
        ('--dataset {dataset} --split {split} --overrides {noise} {launch}', 'noise'),
        ('--dataset {dataset} --split {split} --code no', "'no'"),
        ('--dataset {other} --split {split} {launch}', 'split'),
        ('--dataset {dataset} --split {split} --code python@localhost --daemon', '--daemon'),
        ('--dataset {huge} --split {split} {launch}', 'no node is identified'),
        ('--dataset {dataset} --split {split} --seeds= {launch}', "got ''"),
        ('--dataset {dataset} --split {split} --initial {other} {launch}', 'has no models'),
        ('--dataset {dataset} --split {split} --initial {trained} {launch}', 'cannot begin with'),
        ('--dataset {dataset} --split {split} --initial 424242 {launch}', '424242'),
        ('--dataset {dataset} --split {split} --atomic-energies mean {launch}', "got 'mean'"),
        ('--dataset {dataset} --split {split} --atomic-energies {{Al:1 {launch}', 'valid YAML'),
        ('--dataset {dataset} --split {split} --atomic-energies isolated {launch}', 'single atom'),
        ('--dataset {dataset} --split {split} --base-model {dataset} {launch}', 'BaseModelData'),
        ('--dataset {dataset} --split {split} --protocol fine-tune {launch}', '`base_model`'),
        ('--dataset {dataset} --split {split} --group= {launch}', 'leave out --group'),
    ],
    'launch eos': [('--engine none {launch}', '`none`'), ('--protocol none {launch}', 'none')],
    'launch explore': [
        ('--ensemble nothing --start {dataset} --temperature 300 {launch}', 'nothing'),
        ('--ensemble {waiting} --start {dataset} --temperature 300 {launch}', 'models'),
        ('--ensemble {dataset} --start {dataset} --temperature 300 {launch}', 'DatasetData'),
        ('--ensemble {waiting} --start {dataset} --temperature 300 --record-every 0', '0'),
    ],
    'launch improve': [
        ('{improve} --pool {other} {launch}', 'must not hold what is trained on'),
        ('{improve} --pool nothing {launch}', 'nothing'),
        ('{improve} --pool {other} --arm x {launch}', "got 'x'"),
        ('{improve} --pool {other} --arm a={{kind:randm}} {launch}', 'with its `kind`'),
        ('{improve} --pool {other} --arm a=[ {launch}', 'not valid YAML'),
        ('{improve} --pool {other} --batch 0 {launch}', '0'),
        ('{improve} --pool {other} --target inf {launch}', 'inf'),
        ('{improve} --pool {other} --protocol none {launch}', 'none'),
        ('{improve} --pool {other} --engine none {launch}', 'none'),
        ('{improve} {launch}', 'held_out'),
    ],
    'launch scan': [
        ('--dataset {dataset} --split {split} --scan [ {launch}', '['),
        ('--dataset {dataset} --split {split} --scan {{}} {launch}', 'must be one of grid'),
        ('--dataset {dataset} --split {split} --scan {{kind}} --also x {launch}', "'x'"),
    ],
    'launch stiffness': [
        ('--ensemble nothing --crystals {dataset} {launch}', 'nothing'),
        ('--ensemble {waiting} --crystals {dataset} {launch}', 'models'),
        ('--ensemble {trained} --crystals {split} {launch}', 'SplitData'),
        ('--ensemble {trained} --crystals {dataset} --engine none {launch}', '`none`'),
        ('--ensemble {trained} --crystals {dataset} --domain no {launch}', "domain 'no'"),
        ('--ensemble {trained} --crystals {dataset} --repeats 0 {launch}', 'got 0'),
        ('--ensemble {trained} --crystals {dataset} --displacements x {launch}', "'x'"),
        ('--ensemble {trained} --crystals {dataset} --protocol none {launch}', 'none'),
        (
            '--ensemble {trained} --crystals {dataset} --engine-code python@localhost {launch}',
            'of no use without --engine',
        ),
    ],
    'launch study': [
        ('--engine none {launch}', '`none`'), ('--assume x {launch}', "'x'"),
        ('--assume nothing=3 {launch}', 'nothing'), ('--assume label_seconds=inf {launch}', 'inf'),
        ('--group= {launch}', "'' cannot name a group"),
        ('--sampler none {launch}', '`none`'), ('--sampler-ensemble nothing {launch}', 'nothing'),
        ('--sampler qe --sampler-ensemble {trained} {launch}', 'not by qe'),
        ('--sampler-code python {launch}', 'goes with --sampler'),
    ],
    'launch surface': [('--lattice-constant 5 --engine none {launch}', '`none`')],
    'pseudo install': [('{missing} --label x', 'missing'), ('{folder} --label x', 'folder')],
    'pseudo list': [('nothing', 'nothing')],
    'report': [
        ('', 'audit'), ('nothing', 'nothing'), ('{dataset}', 'DatasetData'), ('{waiting}', 'audit'),
        ('--archive {noise}', 'noise'), ('--archive {missing}', 'missing'),
    ],
    'setup': [('', '--template'), ('{missing}', 'missing'), ('{noise}', 'noise')],
    'share': [
        ('nothing {folder}/x.aiida', 'nothing'), ('{dataset} {folder}/x.aiida', 'DatasetData'),
        ('{waiting} {noise}', '--force'), ('{waiting} {missing}/x.aiida', 'missing'),
        ('{waiting} {noise} --public', '--force'), ('{waiting} {missing}/x --public', 'missing'),
    ],
    'species install': [('{missing}', 'missing'), ('{folder}', 'folder')],
    'species list': [('nothing', 'nothing')],
    'status': [('', 'launched'), ('nothing', 'nothing'), ('{dataset}', 'expected a process')],
    'stop': [('nothing', 'nothing'), ('{dataset}', 'expected a process'), ('{waiting}', 'kill')],
    'verdict': [
        ('', 'audit'), ('nothing', 'nothing'), ('{dataset}', 'DatasetData'), ('{waiting}', 'audit'),
        ('--archive {noise}', 'noise'), ('--force-tolerance inf', 'must be positive'),
    ],
}  # fmt: skip


def commands(command, path=()):
    """Return the words of every command."""
    if not isinstance(command, click.Group):
        return [' '.join(path)]
    names = command.list_commands(click.Context(command))
    found = [commands(command.get_command(click.Context(command), n), (*path, n)) for n in names]
    return [words for some in found for words in some]


@pytest.fixture
def things(dataset, configurations, aiida_localhost, tmp_path, monkeypatch):
    """Return what the cases name, and run in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    split = SplitData.from_split(
        Split(train=range(0, 4), validation=range(4, 6), test=range(6, 10)), dataset, method='given'
    )
    waiting = orm.WorkChainNode(process_type='aiida.workflows:enne.ensemble')
    waiting.set_process_label('EnsembleWorkChain')
    waiting.set_process_state(ProcessState.WAITING)
    trained = chain('EnsembleWorkChain', {'dataset': dataset, 'split': split.store()})
    models = train(dataset, split, (1, 2), aiida_localhost)
    link(trained, {f'models__{label}': node for label, node in models.items()})
    half = type(dataset).from_configurations(configurations.select([0, 1]), level_of_theory='EMT')
    (tmp_path / 'noise').write_bytes(bytes(range(128, 256)) * 9)
    (tmp_path / 'empty').touch()
    (tmp_path / 'folder').mkdir()
    orm.InstalledCode(
        label='python', computer=aiida_localhost, filepath_executable='/bin/true'
    ).store()
    return {
        'dataset': dataset.pk,
        'other': half.store().pk,
        'split': split.pk,
        'trained': trained.pk,
        'waiting': waiting.store().pk,
        'launch': LAUNCH,
        'improve': f'--dataset {dataset.pk} --split {split.pk} --held-out {dataset.pk}',
        'huge': 10**30,
    } | {name: tmp_path / name for name in ('noise', 'empty', 'folder', 'missing')}


def test_every_command_has_its_cases():
    assert set(CASES) == set(commands(main))


@pytest.mark.parametrize('command', CASES)
def test_bad_input_is_named_without_a_traceback(command, things, request):
    wrong = []
    for text, named in CASES[command]:
        if command == 'status' and not text:
            delete_nodes([things['waiting'], things['trained']], dry_run=False)
        words = [*command.split(), *text.format(**things).split()]
        result = CliRunner().invoke(main, words)
        if result.exit_code == 0:
            wrong.append(f'{words} is accepted:\n{result.output}')
        elif named not in result.output or any(raw in result.output for raw in RAW):
            wrong.append(f'{words} does not name {named!r}, or is raw:\n{result.output}')
    assert not wrong, '\n\n'.join(wrong)


@pytest.mark.parametrize('typed', OVERRIDES)
def test_overrides_of_a_wrong_shape_are_named(typed, things, tmp_path):
    wrong = []
    for text, named in OVERRIDES[typed]:
        (tmp_path / 'overrides.yaml').write_text(text)
        words = [*typed.format(**things).split(), '--overrides', 'overrides.yaml', *LAUNCH.split()]
        result = CliRunner().invoke(main, words)
        if result.exit_code == 0 or named not in result.output:
            wrong.append(f'{text!r} does not name {named!r}:\n{result.output}')
        elif any(raw in result.output for raw in RAW):
            wrong.append(f'{text!r} is raw:\n{result.output}')
    assert not wrong, '\n\n'.join(wrong)


@pytest.mark.parametrize('command', sorted(set(CASES) - {'demo'}))
def test_a_profile_that_does_not_exist_is_named(command, things):
    text = CASES[command][0][0].format(**things)
    result = CliRunner().invoke(main, ['-p', 'nowhere', *command.split(), *text.split()])
    assert result.exit_code != 0
    assert not any(raw in result.output for raw in RAW), result.output
