"""Dynamics on the mean of an ensemble, found by its members, beside what was trained on."""

from dataclasses import replace

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType

from aiida_enne.data.dataset import DatasetData
from aiida_enne.provenance import Material
from aiida_enne.report.contract import check_figure
from aiida_enne.report.explored import build_exploration, exploration_forms
from aiida_enne.science.guard import Missing
from tests.audited import store_audit


@pytest.fixture
def material(dataset):
    """Return the material of an audit whose domain `cold` was trained on."""
    return Material.of(store_audit(dataset, parameters={'training_domains': ['cold']})[0].uuid)


def explore(material, configurations, computer, members=slice(None)):
    """Store a job of dynamics with some members of the ensemble; return its dataset and σ."""
    n = len(configurations)
    info = {
        'time': 0.1 * np.arange(n)[::-1],
        'sigma_energy': np.linspace(0.001, 5.0, n),
        'sigma_force': np.linspace(0.01, 0.02, n),
    }
    frames = replace(configurations, blocks=np.arange(n) % 2, info=info)
    job = orm.CalcJobNode(computer=computer, process_type='aiida.calculations:enne.ase.run')
    for member in material.record.ensemble.members[members]:
        node = orm.load_node(member.uuid)
        job.base.links.add_incoming(node, LinkType.INPUT_CALC, f'models__{member.label}')
    job.store()
    found = DatasetData.from_configurations(frames, level_of_theory='mean of NequIP ensemble')
    found.base.links.add_incoming(job, LinkType.CREATE, 'dataset')
    return found.store(), info


def test_dynamics_are_found_by_the_members(material, configurations, aiida_localhost):
    with pytest.raises(Missing, match='launch explore'):
        build_exploration(material, of='energy')
    assert exploration_forms(material) == []
    node, info = explore(material, configurations, aiida_localhost)
    material = Material(material.record)  # another look: what is known is read once
    found = check_figure('exploration', material)
    assert len(found) == 2
    content = found[0].content
    assert found[0].sources == {'dataset.1': node.uuid}
    for one in content['trajectories']:
        assert (np.diff(one.time) > 0).all()
    seen = np.concatenate([one.spread for one in content['trajectories']])
    assert sorted(seen) == pytest.approx(sorted(info['sigma_energy']))
    own = material.audit(None).domains['cold']['energy_spread_max']
    assert content['threshold'] == pytest.approx(own)
    assert 'go above what was trained on' in found[0].measured
