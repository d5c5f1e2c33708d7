"""Hostile inputs: nothing of a file of others is executed, unpickled, or written elsewhere.

Checkpoints are in `remote/test_nequip_trust.py`, setup files in `codes/test_setup_file.py`.
"""

import dataclasses
import os
import pickle
import shlex
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from aiida import orm
from aiida.common.folders import SandboxFolder
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.plugins import CalculationFactory, WorkflowFactory
from ase.build import bulk
from ase.io.pickletrajectory import PickleTrajectory
from click.testing import CliRunner

from aiida_enne.cli.common import table
from aiida_enne.cli.main import main
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData
from aiida_enne.report import sharing
from aiida_enne.report.collect import collect
from aiida_enne.report.write import write_report
from aiida_enne.science import npz
from aiida_enne.science.data.frames import to_extxyz
from aiida_enne.workflows.training.ensemble import EnsembleWorkChain
from tests.audited import store_audit
from tests.extxyz import from_extxyz

SCRIPT = '</script><script>alert("owned")</script>'
IMAGE = '<img src=x onerror=alert(1)>'
ESCAPE = '\x1b]0;owned\x07\x1b[2J'


class Hostile:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, ('touch owned',)


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """Work in an empty folder, in which nothing may be left by any of these inputs."""
    folder = tmp_path / 'work'
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    assert not list(tmp_path.rglob('owned*'))


# Files with data


def test_the_pickle_would_have_worked(tmp_path):
    """The other tests look for a file that must not be there: here it is."""
    pickle.loads(pickle.dumps(Hostile()))  # noqa: S301
    Path('owned').unlink()


def test_arrays_of_objects_are_not_unpickled(invoke, configurations):
    arrays = configurations.as_arrays()
    np.savez('a.npz', **arrays | {'domains': np.array([Hostile()], dtype=object)})
    result = invoke('dataset', 'import', 'a.npz')
    assert result.exit_code == 1
    assert 'nothing was stored' in result.output
    with pytest.raises(ValueError, match='allow_pickle'):
        npz.loads(Path('a.npz').read_bytes())
    with pytest.raises(ValueError, match='pickle'):
        npz.dumps({'a': np.array([Hostile()], dtype=object)})


def test_old_trajectories_of_ase_are_not_unpickled(invoke):
    """ASE's first format was a pickle: neither by its content nor by the name of its format."""
    with PickleTrajectory('a.traj', 'w', _warn=False) as trajectory:
        trajectory.write(bulk('Cu'))
    content = Path('a.traj').read_bytes()
    Path('a.traj').write_bytes(content + pickle.dumps(Hostile()))
    for words in ([], ['--format', 'traj'], ['--format', 'bundletrajectory']):
        result = invoke('dataset', 'import', 'a.traj', *words)
        assert result.exit_code == 1
    Path('b.traj').write_bytes(pickle.dumps(Hostile()))
    assert invoke('dataset', 'import', 'b.traj').exit_code == 1


@pytest.mark.parametrize(
    'name', ['a; touch owned.xyz', '$(touch owned).xyz', '`touch owned`.xyz', '-rf.xyz', 'a@0.xyz']
)
def test_names_of_files_reach_no_shell(invoke, configurations, name):
    Path(name).write_text(to_extxyz(configurations))
    result = invoke('dataset', 'import', f'./{name}', '--format', 'extxyz')
    assert result.exit_code == 0, result.output
    (node,) = orm.QueryBuilder().append(DatasetData).all(flat=True)
    assert node.base.attributes.get('source')['files'][0]['name'] == name
    shown = invoke('dataset', 'show', node.pk)
    assert f'{name} (10 frames, extxyz)' in shown.output


def test_labels_are_data_wherever_they_go(invoke, configurations):
    """Through extended XYZ and back, and onto a terminal that must not obey them."""
    labels = [SCRIPT, IMAGE, ESCAPE, 'a"b', "'; rm -rf ~", '${oc.env:HOME}', '$(id)', '../../x']
    domains = np.array([*labels, 'x', 'y'])
    hostile = dataclasses.replace(configurations, domains=domains)
    assert from_extxyz(to_extxyz(hostile)).domains.tolist() == domains.tolist()
    node = DatasetData.from_configurations(hostile, level_of_theory=ESCAPE).store()
    node.label = ESCAPE
    for words in (['show', node.pk], ['list']):
        result = invoke('dataset', *words)
        assert result.exit_code == 0
        assert '\x1b' not in result.output
        assert '\x07' not in result.output


def test_a_table_has_no_control_characters():
    assert table([(ESCAPE, 'å')], ('a\tb', 'c')).splitlines()[2].endswith('å')
    assert table([(ESCAPE,)], ('a\tb',)).replace('\n', '').isprintable()


# Files with settings


@pytest.mark.parametrize(
    'text',
    [
        '!!python/object/apply:os.system [touch owned]',
        'seeds: !!python/object/apply:os.system [touch owned]',
        'training: !!python/name:os.system',
    ],
)
def test_overrides_are_plain_yaml(invoke, dataset, split, text, train_code):
    Path('o.yaml').write_text(text)
    result = invoke(
        'launch', 'ensemble', '--code', train_code.pk, '--dataset', dataset.pk,
        '--split', split.pk, '--overrides', 'o.yaml', '--dry-run',
    )  # fmt: skip
    assert result.exit_code == 1
    assert 'o.yaml is not valid YAML' in result.output


def test_species_stay_in_their_folder(invoke, workplace):
    outside = workplace.parent / '14_Si_default'
    outside.write_text('  species Si\n  nucleus 14\n')
    folder = workplace / 'family' / 'light'
    folder.mkdir(parents=True)
    (folder / '14_Si_default').symlink_to(outside)
    result = invoke('species', 'install', 'family')
    assert result.exit_code == 1
    assert 'leads out of the folder' in result.output
    (folder / '14_Si_default').unlink()
    (folder / '14_Si_default').write_text('  species ../../owned\n  nucleus 14\n')
    result = invoke('species', 'install', 'family')
    assert result.exit_code == 1
    assert "must name a chemical element, got '../../owned'" in result.output


def test_pseudopotentials_stay_in_their_folder(invoke, workplace):
    outside = workplace.parent / 'Si.upf'
    outside.write_text('<UPF version="2.0.1"><PP_HEADER element="Si" z_valence="4"/></UPF>')
    folder = workplace / 'pseudos'
    folder.mkdir()
    (folder / 'Si.upf').symlink_to(outside)
    for words in ([], ['--only', 'Si.upf'], ['--only', '../Si.upf']):
        result = invoke('pseudo', 'install', 'pseudos', '--label', 'x', *words)
        assert result.exit_code == 1
        assert 'leads out of the folder' in result.output


# Labels and paths in jobs


@pytest.mark.parametrize('label', ['../x', 'a/b', 'a;touch owned', '$(touch owned)', 'a b', '.'])
def test_labels_of_members_and_datasets_are_words(dataset, train_code, label):
    known = {'identity': 'x', 'seed': 1, 'weights_sha256': '0' * 64, 'elements': ['Cu']}
    model = ModelData.from_files(b'', {}, **known)
    predict = {'code': train_code, 'dataset': dataset, 'models': {label: model}}
    audit = {'models': {'a': model}, 'datasets': {label: dataset}, 'audit': {}}
    for process, inputs in (
        (CalculationFactory('enne.nequip.predict'), predict),
        (WorkflowFactory('enne.audit'), audit),
    ):
        with pytest.raises(ValueError, match=r'alphanumeric|Invalid|letters, digits'):
            instantiate_process(get_manager().get_runner(), process, **inputs)


def test_paths_of_programs_are_quoted(dataset, split, train_inputs, aiida_code_installed):
    path = "/opt/my 'py'thon; touch owned $(touch owned)"
    code = aiida_code_installed(label='odd', filepath_executable=path)
    inputs = train_inputs | {'code': code}
    process = instantiate_process(
        get_manager().get_runner(), CalculationFactory('enne.nequip.train'), **inputs
    )
    with SandboxFolder() as folder:
        process.presubmit(folder)
        with folder.open('_aiidasubmit.sh') as handle:
            (line,) = [line for line in handle if 'nequip_train.py' in line]
    assert shlex.split(line)[:2] == [path, 'nequip_train.py']


def test_seeds_are_numbers(dataset, split, train_code):
    with pytest.raises(ValueError, match='distinct integers'):
        EnsembleWorkChain.get_builder_from_protocol(
            train_code, dataset, split, protocol='test', overrides={'seeds': ['1; touch owned']}
        )


# Archives and reports


def test_a_model_of_an_archive_is_only_bytes(aiida_profile_clean):
    """Stored, hashed, listed, exported: its checkpoint is never unpickled on this side."""
    known = {'identity': 'x', 'seed': 1, 'weights_sha256': '0' * 64, 'elements': ['Cu']}
    node = ModelData.from_files(pickle.dumps(Hostile()), {}, **known).store()
    assert node.base.caching.get_hash()
    assert node.write_checkpoint(Path('a.ckpt')).read_bytes() == pickle.dumps(Hostile())
    text = b'a: !!python/object/apply:os.system [touch owned]'
    other = ModelData.from_files(b'', {}, **known)
    other.base.repository.put_object_from_bytes(text, 'config.yaml')
    with pytest.raises(yaml.YAMLError):
        other.get_config()


def test_an_archive_with_paths_that_climb_writes_nothing_outside(audited, workplace):
    audit, _ = audited
    path = sharing.share(audit, workplace / 'a.aiida')
    with zipfile.ZipFile(path, 'a') as archive:
        for name in ('../owned', 'repo/../../owned', f'{workplace.parent}/owned'):
            archive.writestr(name, 'owned')
    result = CliRunner().invoke(main, ['report', '--archive', str(path), '-o', 'report'])
    assert result.exit_code == 0, result.output
    assert Path('report/report.html').exists()


@pytest.mark.parametrize('content', [b'', pickle.dumps(Hostile()), b'PK\x03\x04 cut off'])
def test_what_is_no_archive_is_refused(invoke, content):
    Path('a.aiida').write_bytes(content)
    result = invoke('report', '--archive', 'a.aiida')
    assert result.exit_code == 1
    assert 'cannot be read as an archive' in result.output


def test_a_page_shows_labels_and_runs_none(aiida_profile_clean, configurations):
    """Domains, the level of theory and the label of the dataset, in text, figures and the map."""
    n = len(configurations)
    domains = np.array([(SCRIPT, IMAGE)[i % 2] for i in range(n)])
    hostile = dataclasses.replace(configurations, domains=domains)
    dataset = DatasetData.from_configurations(hostile, level_of_theory=SCRIPT).store()
    dataset.label = SCRIPT
    audit, _ = store_audit(dataset)
    result = CliRunner().invoke(main, ['report', str(audit.pk), '-o', 'report'])
    assert result.exit_code == 0, result.output
    page = Path('report/report.html').read_text()
    assert 'alert(&#34;owned&#34;)' in page
    assert IMAGE not in page
    assert '<script>alert' not in page
    assert '</script><script>alert' not in page
    if 'map-dataset' in page:
        start = page.index('id="map-dataset"')
        inside = page[start : page.index('</script>', start)]
        assert 'alert' in inside  # all of it is inside of the element
    for picture in Path('report/figures').glob('*.svg'):
        assert '<script>alert' not in picture.read_text()


def test_figures_stay_in_their_folder(audited):
    """The label of a dataset is the name of a link, which an archive of others may set."""
    report = collect(audited[0].pk, map_limit=0)
    form = next(one for one in report.forms if one.name == 'coverage')
    forms = [dataclasses.replace(form, name=f'{name}_coverage') for name in ('../../owned', 'b')]
    write_report(dataclasses.replace(report, forms=forms), Path('report'))
    assert list(Path('report/figures').glob('.._.._owned_*.png'))
    shutil.rmtree('report')
