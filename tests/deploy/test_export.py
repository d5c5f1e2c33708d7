"""Tests for exported ensembles: the folder alone gives what the database gives."""

import hashlib
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from aiida.common.exceptions import NotExistent
from ase.build import bulk
from ase.calculators.calculator import PropertyNotImplementedError

import aiida_enne
from aiida_enne.data.dataset import DatasetData
from aiida_enne.deploy import export as exporting
from aiida_enne.deploy import readme
from aiida_enne.deploy.export import export
from aiida_enne.deploy.readme import milli, ratio, write
from aiida_enne.deploy.tools import TARGETS, ToolError, convert
from aiida_enne.deploy.widths import Choice, fit_judge
from aiida_enne.provenance import Material, joint_audit
from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.uncertainty.rule import Row
from aiida_enne.science.uncertainty.table import cells
from tests.audited import audit_members, chain, link, store_audit
from tests.bare import run_bare
from tests.members import alloys

ROW = Row(
    domain='x|y', quantity='energy', trained=False, n=3, n_blocks=1, n_members=5, rmse=0.1,
    spread=0.05, alpha=None, coverage=0.0, coverage_low=None, coverage_high=None, nominal_low=None,
    nominal_high=None, interval='finite', p=None, effect=None, novelty=None, width=None,
    verdict='do not believe', reason='0% inside', remedy='label more',
)  # fmt: skip


@pytest.fixture
def process(models):
    process = chain('EnsembleWorkChain', {})
    link(process, {f'models__{label}': node for label, node in models.items()})
    return process


def test_readmes_show_nobody_a_private_name():
    for text in (readme.CALCULATOR, readme.CALIBRATED, *readme.USES.values()):
        assert not re.search(r'\b_\w', text)


@pytest.mark.nequip
def test_the_example_of_the_readme_gives_what_the_database_gives(process, tmp_path):
    done = export(process.pk, tmp_path / 'out')
    text = (done.folder / 'README.md').read_text()
    (code,) = re.findall('```python\n(.*?)```', text, re.DOTALL)
    printed = [float(line.split()[0]) for line in run_bare(code, done.folder).splitlines()]
    calculator = aiida_enne.Ensemble.from_nodes(process.pk)
    atoms = bulk('Al', cubic=True, crystalstructure='fcc', a=4.5)
    expected = [
        calculator.get_property('energy', atoms),
        calculator.get_property('energy_sigma', atoms),
        np.abs(calculator.get_property('forces_sigma', atoms)).max(),
    ]
    np.testing.assert_allclose(printed, expected, rtol=1e-5, atol=1e-6)
    folder = aiida_enne.Ensemble.from_folder(done.folder)
    assert folder.get_property('energy', atoms) == pytest.approx(expected[0])


@pytest.mark.nequip
def test_every_file_has_its_digest_and_every_member_its_origin(process, models, tmp_path):
    done = export(process.pk, tmp_path / 'out')
    lines = (done.folder / 'SHA256SUMS').read_text().splitlines()
    digests = {name: digest for digest, name in (line.split('  ') for line in lines)}
    assert (
        set(digests)
        == set(done.files)
        == {
            path.relative_to(done.folder).as_posix()
            for path in done.folder.rglob('*')
            if path.is_file() and path.name != 'SHA256SUMS'
        }
    )
    for name, digest in digests.items():
        assert hashlib.sha256((done.folder / name).read_bytes()).hexdigest() == digest
    record = json.loads((done.folder / 'ensemble.json').read_text())
    assert record['process'] == process.uuid
    for label, node in models.items():
        assert record['members'][label]['uuid'] == node.uuid
        assert record['members'][label]['weights_sha256'] == node.weights_sha256
    assert record['verdicts'] == record['audits'] == []
    assert 'This ensemble was not audited (' in (done.folder / 'README.md').read_text()


@pytest.mark.nequip
@pytest.mark.parametrize('target', ['package', 'mliap'])
def test_the_tools_of_nequip_take_a_checkpoint(checkpoints, tmp_path, target):
    checkpoint = next(iter(checkpoints.values()))
    shown = from_atoms(alloys(2))
    path = convert(checkpoint, tmp_path, target, examples=shown)
    assert path.name == f'{checkpoint.stem}{TARGETS[target].suffix}'
    if target == 'package':
        atoms = alloys(1)[0]
        code = (
            'from ase.io import read; from nequip.integrations.ase import NequIPCalculator\n'
            f'calculator = NequIPCalculator._from_saved_model({str(path)!r}, device="cpu")\n'
            'atoms = read("a.xyz"); atoms.calc = calculator; print(atoms.get_potential_energy())'
        )
        atoms.write(tmp_path / 'a.xyz')
        found = float(run_bare(code, tmp_path).split()[-1])
        calculator = aiida_enne.Ensemble.from_folder(_alone(checkpoint, tmp_path))
        assert found == pytest.approx(calculator.get_potential_energy(atoms), abs=1e-4)


def _alone(checkpoint, folder):
    """Return a folder that holds one member."""
    (folder / 'one' / 'members').mkdir(parents=True)
    (folder / 'one' / 'members' / 'a.ckpt').write_bytes(checkpoint.read_bytes())
    return folder / 'one'


def test_a_tool_that_fails_says_so(tmp_path):
    (tmp_path / 'bad.ckpt').write_text('no checkpoint')
    shown = from_atoms(alloys(2))
    with pytest.raises(ToolError, match=r'nequip-package failed for bad\.ckpt: '):
        convert(tmp_path / 'bad.ckpt', tmp_path / 'out', 'package', examples=shown)
    with pytest.raises(ToolError, match="no pair style for the family 'other'"):
        convert(tmp_path / 'bad.ckpt', tmp_path, 'lammps', examples=shown, family='other')


def test_a_training_knows_the_verdicts_of_the_audits_that_came_after_it(audited, tmp_path):
    """The record and the README say of each domain what `aiida-enne verdict` says."""
    audit, training = audited
    found = {one.uuid: export(one.pk, tmp_path / one.uuid) for one in (audit, training)}
    records = [json.loads((one.folder / 'ensemble.json').read_text()) for one in found.values()]
    assert records[0]['audits'] == records[1]['audits']
    assert [one['label'] for one in records[1]['audits']] == ['study']
    rows = joint_audit(Material.of(training.pk)).verdicts
    assert {row.domain for row in rows} == {'cold', 'hot'}
    text = (found[training.uuid].folder / 'README.md').read_text()
    for record in records:
        assert record['verdicts'] == [row.as_dict() for row in rows]
    for row in rows:
        assert f'| {" | ".join(cells(row))} |' in text


def test_a_recalibrated_sigma_goes_along(dataset, tmp_path):
    audit, _ = store_audit(dataset, shared=3.0)
    domain = dataset.get_configurations().domains[0]
    done = export(audit.pk, tmp_path / 'out', width=Choice('recalibrated', domain))
    content = json.loads((done.folder / 'calibration.json').read_text())
    assert content['domain'] == domain
    assert {*content['widths']} == {'energy', 'forces'}
    assert {*content['unfitted']} == {'stress_sigma', 'energies_sigma'}
    assert content['widths']['energy']['factor'] > 0
    text = (done.folder / 'README.md').read_text()
    assert f'recalibrated σ, fitted to the domain "{domain}"' in text
    assert 'There is no `stress_sigma` then' in text


@pytest.mark.nequip
@pytest.mark.parametrize('estimator', ['finite', 'conformal'])
def test_a_fitted_width_goes_along(models, tmp_path, estimator):
    """What the folder alone says is what the estimator says of the members, all else is left out.

    Labels have stresses, the members of the audit none: these have no width but where it takes no
    label.
    """
    frames = from_atoms(alloys(20))
    frames = replace(frames, blocks=np.arange(20), domains=np.repeat('alloy', 20))
    dataset = DatasetData.from_configurations(frames, level_of_theory='EMT').store()
    process = audit_members(models, dataset)
    domain = 'alloy' if estimator == 'conformal' else ''
    width = Choice(estimator, domain, {'level': 0.8})
    done = export(process.pk, tmp_path / 'out', width=width)
    (atoms,) = alloys(1)
    judge = fit_judge(process.pk, estimator, domain, {'level': 0.8})
    folder = aiida_enne.Ensemble.from_folder(done.folder, calibrated=True)
    nodes = aiida_enne.Ensemble.from_nodes(
        process.pk,
        estimator=estimator,
        calibration_domain=domain,
        estimator_options={'level': 0.8},
    )
    for name in ('energy', 'forces', 'stress'):
        members = folder.get_property(f'{name}_members', atoms)
        scale = len(atoms) if name == 'energy' else 1
        if name not in judge.widths:
            continue
        flat = members.reshape(len(members), -1) / scale
        expected = scale * judge.widths[name](flat).reshape(members.shape[1:])
        for calculator in (folder, nodes):
            found = calculator.get_property(f'{name}_sigma', atoms)
            np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert ('energies_sigma' in folder.results) == (estimator == 'finite')
    if estimator == 'conformal':
        for calculator in (folder, nodes):
            assert 'stress_sigma' not in calculator.implemented_properties
            with pytest.raises(PropertyNotImplementedError, match='have no stress'):
                calculator.get_property('stress_sigma', atoms)


def test_what_plain_numbers_do_not_say_is_not_exported(audited, tmp_path):
    width = Choice('conformal', 'cold', {'score': 'leverage'})
    with pytest.raises(NotExistent, match='no features of'):
        export(audited[0].pk, tmp_path / 'out', width=width)
    assert not (tmp_path / 'out').exists()


def test_a_folder_in_use_and_an_unknown_target_are_refused(audited, tmp_path):
    (tmp_path / 'x').write_text('mine')
    with pytest.raises(FileExistsError, match='not an empty folder'):
        export(audited[0].pk, tmp_path)
    with pytest.raises(ValueError, match=r"unknown targets \['paper'\]"):
        export(audited[0].pk, tmp_path / 'out', targets=['paper'])
    assert sorted(path.name for path in tmp_path.iterdir()) == ['x']


def test_a_model_whose_training_is_elsewhere_is_named(models):
    with pytest.raises(exporting.NotExistent, match='is not in this profile'):
        exporting.examples(next(iter(models.values())))


def test_what_is_not_defined_is_said():
    assert milli(None) == 'not defined'
    assert ratio(None, 1.0) == 'not defined'
    assert ratio(1.0, 0.0) == 'σ is 0'
    assert ratio(0.0, 0.0) == 'both are 0'


@pytest.mark.parametrize('target', sorted(TARGETS))
def test_the_readme_names_the_files_of_every_target(target):
    text = readme_of(target)
    assert f'{target}/seed_1{TARGETS[target].suffix}' in text
    assert "trained on: 3 of 'warm', labels EMT" in text
    assert '| x\\|y | energy | 3 | 1 | 100 |' in text
    assert '| ✕ do not believe |' in text
    assert 'x|y, energy: do not believe; 0% inside' in text
    assert 'unknown: epochs: none is known' in text
    assert 'energy_tolerance = 0.01 eV/atom' in text


def readme_of(target):
    member = {'seed': 1, 'elements': ['Si'], 'family': 'nequip'}
    record = {
        'members': {'seed_1': member},
        'trained_on': [{'domains': {'warm': 3}, 'level_of_theory': 'EMT'}],
        'process': 'abc',
        'ensemble_sha256': 64 * '0',
        'verdicts': [ROW.as_dict()],
        'gates': {'energy': [{'name': 'epochs', 'state': 'unknown', 'reason': 'none is known'}]},
        'tolerated': {'energy_tolerance': 0.01},
        'versions': {'nequip': '1', 'ase': '2'},
    }
    return write(record, [target], {})


def test_the_command(invoke, audited, tmp_path):
    folder = tmp_path / 'out'
    result = invoke('ensemble', 'export', audited[0].pk, folder)
    assert result.exit_code == 0, result.output
    assert f'{folder}; begin with README.md' in result.output
    assert invoke('ensemble', 'export', audited[0].pk, folder).exit_code == 1
    listed = invoke('ensemble', 'list').output
    assert 'EnsembleWorkChain' in listed
    shown = invoke('ensemble', 'show', audited[0].pk).output
    assert 'seed_5' in shown
    assert 'Audit of study' in shown
    assert 'Audit of study' in invoke('ensemble', 'show', audited[1].pk).output


def test_two_audits_are_compared_domain_by_domain(invoke, audited, dataset, configurations):
    half = configurations.select([i for i in range(len(configurations)) if i % 2])
    other = DatasetData.from_configurations(half, level_of_theory='EMT').store()
    second, _ = store_audit(other, seed=1)
    result = invoke('ensemble', 'compare', audited[0].pk, second.pk)
    assert result.exit_code == 0, result.output
    for domain in dataset.domains:
        (line,) = [line for line in result.output.splitlines() if line.startswith(domain)]
        assert ('not asked' in line) == (domain not in other.domains)
    assert invoke('ensemble', 'compare', audited[0].pk).exit_code == 2


def test_an_empty_profile_says_how_to_begin(invoke):
    result = invoke('ensemble', 'list')
    assert result.exit_code == 1
    assert 'aiida-enne launch ensemble' in result.output
