"""Tests for `SampleWorkChain`, on the ASE engine."""

import pytest
from aiida.engine import run_get_node

from aiida_enne.workflows.reference.samples import SampleWorkChain
from tests import warm

#: Silicon, which this calculator does not know, and copper, which it does.
UNKNOWN = [{'kind': 'phase', 'phase': 'diamond', 'volumes': [20.0]}]
KNOWN = [{'kind': 'phase', 'phase': 'fcc', 'volumes': [11.0, 12.0], 'symbol': 'Cu'}]
LABEL = {'kind': 'label'}
MOVE = {
    'kind': 'md',
    'stages': [{'thermostat': 'langevin', 'temperature': 300, 'steps': 4, 'record_every': 2}],
}


@pytest.fixture
def run(aiida_profile_clean, aiida_code_installed):
    """Return a function that calculates samples: `node = run(label={...}, …)`."""
    python = aiida_code_installed(
        label='python', default_calc_job_plugin='enne.ase.run', filepath_executable=warm.python()
    )
    none = dict.fromkeys(('trained', 'colder', 'hotter', 'solids'))

    def go(**samples):
        overrides = {'inputs': {'calculator': 'emt'}, 'samples': none | samples}
        builder = SampleWorkChain.get_builder_from_protocol(
            python, protocol='test', overrides=overrides
        )
        return run_get_node(builder).node

    return go


def test_all_labels_are_joined(run):
    node = run(
        still={'recipe': KNOWN, 'task': LABEL},
        moved={'recipe': KNOWN, 'task': MOVE, 'seed': 1},
    )
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.dataset.domains == {'fcc': 2 + 2 * 2}


def test_what_fails_is_named_and_the_rest_is_kept(run):
    node = run(
        good={'recipe': KNOWN, 'task': LABEL},
        bad={'recipe': UNKNOWN, 'task': LABEL},
    )
    assert node.exit_status == 410
    assert 'bad (' in node.exit_message
    assert 'good (' not in node.exit_message
    assert node.outputs.dataset.domains == {'fcc': 2}
