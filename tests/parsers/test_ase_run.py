"""Tests for `AseRunParser`: one per verdict, each keeping what there is."""

import json

import pytest
from aiida import orm

from aiida_enne.calculations.ase_run import AseRunCalculation
from aiida_enne.codes.ase import RESULTS, UNITS
from aiida_enne.data.configurations import ConfigurationsData
from tests.codes.ase.test_results import SUMMARY, unit

BOTH = {'dataset', 'results'}


@pytest.fixture
def verdict(parse, configurations, tmp_path):
    """Return a function that parses a job of two units, some of it changed."""
    inputs = ConfigurationsData.from_configurations(configurations.select([0, 1, 2])).store()

    def run(files=None, changes=None, frames=None, attributes=None, units=2):
        folder = tmp_path / UNITS
        for name, indices in list({'000000': [0, 1], '000001': [2]}.items())[:units]:
            folder.mkdir(exist_ok=True)
            progress, data = unit(configurations, indices)
            changed = json.loads(progress) | ((changes or {}).get(name, {}))
            (folder / f'{name}.json').write_text(json.dumps(changed))
            if frames is None or name != '000000':
                (folder / f'{name}.f8').write_bytes(data)
            elif frames:
                (folder / f'{name}.f8').write_bytes(data[:frames])
        contents = {RESULTS: SUMMARY, 'aiida.out': ''} | (files or {})
        outputs, node = parse(
            'enne.ase.run',
            {name: text for name, text in contents.items() if text is not None},
            inputs={
                'configurations': inputs,
                'calculator': orm.Dict({'preset': 'emt'}).store(),
                'task': orm.Dict({'kind': 'label'}).store(),
            },
            attributes=attributes,
            temporary=str(tmp_path),
        )
        return set(outputs), node, outputs

    return run


def status(label):
    return AseRunCalculation.exit_codes[label].status


def test_success(verdict):
    kept, node, outputs = verdict()
    assert kept == BOTH
    assert node.exit_status in (None, 0)
    assert outputs['dataset'].level_of_theory == 'EMT'
    assert outputs['dataset'].n_frames == 3


def ended(kind, **values):
    return {RESULTS: json.dumps(json.loads(SUMMARY) | {'status': kind} | values)}


@pytest.mark.parametrize(
    ('damage', 'label', 'kept'),
    [
        ({'files': {RESULTS: None}}, 'ERROR_INTERRUPTED', BOTH),
        ({'files': {RESULTS: SUMMARY[:20]}}, 'ERROR_OUTPUT_DAMAGED', BOTH),
        ({'frames': 100}, 'ERROR_OUTPUT_DAMAGED', BOTH),
        ({'frames': 0}, 'ERROR_OUTPUT_DAMAGED', BOTH),
        ({'changes': {'000000': {'done': None}}}, 'ERROR_OUTPUT_DAMAGED', BOTH),
        ({'units': 1}, 'ERROR_OUTPUT_DAMAGED', BOTH),
        ({'files': ended('stopped')}, 'ERROR_OUT_OF_WALLTIME', BOTH),
        ({'files': ended('import', name='chgnet')}, 'ERROR_IMPORT_FAILED', BOTH),
        ({'files': ended('build', name='x.Y')}, 'ERROR_CALCULATOR_FAILED', BOTH),
        ({'files': {RESULTS: None}, 'units': 0}, 'ERROR_NOT_STARTED', set()),
        (
            {
                'files': {RESULTS: None, 'aiida.out': "ImportError\nNo module named 'ase'\n"},
                'units': 0,
            },
            'ERROR_IMPORT_FAILED',
            set(),
        ),
        (
            {'changes': {'000001': {'failures': [{'configuration': 2, 'message': 'no'}]}}},
            'ERROR_SOME_FAILED',
            BOTH,
        ),
        (
            {'files': {RESULTS: None}, 'attributes': {'exit_status': 110}},
            'ERROR_SCHEDULER_OUT_OF_MEMORY',
            BOTH,
        ),
    ],
)
def test_failure_keeps_what_there_is(verdict, damage, label, kept):
    found, node, _ = verdict(**damage)
    assert node.exit_status == status(label), node.exit_message
    assert found == kept


def test_the_message_names_what_is_missing(verdict):
    _, node, _ = verdict(files=ended('import', name='chgnet', message='No module'))
    assert 'The module chgnet cannot be imported' in node.exit_message


def test_all_failed_names_the_first(verdict):
    failures = [
        [{'configuration': i, 'message': f'no {i}'} for i in unit] for unit in ([0, 1], [2])
    ]
    changes = {f'00000{i}': {'failures': failures[i]} for i in range(2)}
    _, node, _ = verdict(changes=changes)
    assert node.exit_status == status('ERROR_ALL_FAILED')
    assert 'All 3 configurations failed; the first: no 0' in node.exit_message
