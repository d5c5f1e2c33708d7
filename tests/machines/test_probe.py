"""Tests for the judgement on a Python elsewhere."""

import json

import pytest

from aiida_enne.machines.probe import judge, read_probe

HERE = {'nequip': '0.19.1', 'torch': '2.13.0+cpu', 'ase': '3.29.0'}


def report(**changes):
    packages = {'nequip': '0.19.1', 'torch': '2.13.0+cu128', 'ase': '3.29.0'}
    packages = {name: {'version': v, 'error': ''} for name, v in packages.items()}
    packages |= changes.pop('packages', {})
    return {
        'python': '3.11.7',
        'executable': '/opt/python',
        'host': 'node7',
        'packages': packages,
        'cuda': {'devices': ['H100'], 'built': '12.8', 'error': ''},
        'free_bytes': 1e12,
        'compiler': True,
        'mps': True,
        'visible': '0',
    } | changes


def levels(found, gpus=1, where='in a job'):
    verdicts = judge(read_probe(json.dumps(found)), HERE, gpus=gpus, where=where)
    return {verdict.subject: verdict for verdict in verdicts}


def test_a_python_with_all_it_needs():
    found = levels(report())
    assert {verdict.level for verdict in found.values()} == {'OK'}
    assert found['GPU'].message == '1 seen in a job: H100; MPS there'


@pytest.mark.parametrize(
    ('changes', 'subject', 'level', 'told', 'remedy'),
    [
        ({'packages': {'nequip': {'version': None, 'error': 'x'}}},
         'nequip', 'FAIL', 'not installed', '/opt/python -m pip install nequip==0.19.1'),
        ({'packages': {'nequip': {'version': '0.18.0', 'error': ''}}},
         'nequip', 'FAIL', '0.18.0 there, 0.19.1 here', 'nequip==0.19.1'),
        ({'packages': {'torch': {'version': '2.5.1', 'error': ''}}},
         'torch', 'WARN', '2.5.1 there', 'torch==2.13.0`'),
        ({'packages': {'torch': {'version': '2.13.0', 'error': 'ImportError: libcudart.so'}}},
         'torch', 'FAIL', 'libcudart', 'modules missing?'),
        ({'cuda': {'devices': [], 'built': None, 'error': ''}},
         'GPU', 'FAIL', 'built without CUDA', 'pytorch.org'),
        ({'cuda': {'devices': [], 'built': '12.8', 'error': ''}, 'visible': None},
         'GPU', 'FAIL', 'CUDA_VISIBLE_DEVICES is None', 'gpus.directive'),
        ({'mps': False}, 'GPU', 'OK', 'no MPS', ''),
        ({'free_bytes': 1e9}, 'disk', 'FAIL', '1.0 GB free', 'cleanworkdir'),
        ({'free_bytes': 1e10}, 'disk', 'WARN', '10.0 GB free', ''),
        ({'compiler': False}, 'compiler', 'WARN', 'no C++ compiler', 'gcc'),
    ],
)  # fmt: skip
def test_what_is_missing_and_how_to_mend_it(changes, subject, level, told, remedy):
    verdict = levels(report(**changes))[subject]
    assert verdict.level == level
    assert told in verdict.message
    assert remedy in verdict.remedy


def test_a_login_node_without_gpus_proves_nothing():
    bare = report(cuda={'devices': [], 'built': '12.8', 'error': ''})
    verdict = levels(bare, where='on the login node')['GPU']
    assert verdict.level == 'WARN'
    assert '--job' in verdict.remedy


@pytest.mark.parametrize('text', ['', '{"python": "3.11"', '{"python": "3.11"}', '[]', 'null'])
def test_half_a_result_is_refused(text):
    with pytest.raises(ValueError, match='no complete result'):
        read_probe(text)
