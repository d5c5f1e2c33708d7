"""How well the reference is known, on the page of a study: a table, and a sentence."""

from dataclasses import replace

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType
from ase.units import GPa

from aiida_enne.calculations.convergence import state_convergence, take_frames
from aiida_enne.data.dataset import DatasetData
from aiida_enne.provenance import Material
from aiida_enne.provenance.archives import open_archive
from aiida_enne.report.collect import collect, figure_numbers
from aiida_enne.report.converged import HEADERS, of_convergence, say_noise
from aiida_enne.report.sharing import share
from aiida_enne.report.write import write_report
from aiida_enne.science.data.convergence import choose
from aiida_enne.science.data.labelling import ORIGIN
from tests.audited import chain, link, store_audit

SIGN = np.array([1, -1, 1, -1])
#: As labelled: 0.02 eV/atom off, 3 meV/atom this way or that; 0.04 eV/Å; 2 GPa.
OFFSET, NOISE, FORCE, STRESS = 0.02, 0.003, 0.04, 2 * GPa


def label(chosen, level, offset=0.0, noise=0.0, force=0.0, stress=0.0):
    """Store labels that differ from those of some frames."""
    shifted = replace(
        chosen,
        energies=chosen.energies + chosen.n_atoms * (offset + noise * SIGN),
        forces=chosen.forces + force,
        stresses=chosen.stresses + stress,
        info={ORIGIN: np.arange(4.0)},
    )
    return DatasetData.from_configurations(shifted, level_of_theory=level).store()


@pytest.fixture
def labelled(dataset):
    """Return a stored dataset with stresses."""
    whole = dataset.get_configurations()
    frames = replace(whole, stresses=np.zeros((len(whole), 3, 3)))
    return DatasetData.from_configurations(frames, level_of_theory='k 1x1x1').store()


@pytest.fixture
def state(labelled):
    """Return a function that states the convergence of the dataset: `node = state(noise=…)`."""

    def run(**cutoff):
        parameters = orm.Dict({'per_domain': 2, 'converged': 'best'}).store()
        whole = labelled.get_configurations()
        chosen = whole.select(choose(whole.domains, 2))
        bare = take_frames(parameters, liquid=labelled).get_configurations()
        np.testing.assert_array_equal(bare.positions, chosen.positions)
        labels = {
            'best': label(chosen, 'k 2x2x2', -OFFSET, -NOISE, -FORCE, -STRESS),
            'cutoff': label(chosen, '30 Ry', **cutoff),
        }
        return state_convergence(parameters, datasets={'liquid': labelled}, labels=labels)

    return run


def test_who_has_not_looked_says_nothing(audited):
    material = Material.of(audited[0].uuid)
    assert list(of_convergence(material)) == []
    assert say_noise(material) == ''
    report = collect(audited[0].uuid, map_limit=0)
    assert report.noise == ''
    assert not any('onvergence' in one.name for one in report.absences)


def test_differences_are_told_by_domain_and_the_noise_in_a_sentence(labelled, state):
    audit, _ = store_audit(labelled)
    found = state(force=1.0)
    (table,) = of_convergence(Material.of(audit.uuid))
    assert table.title.endswith('differences from k 2x2x2')
    rows = {(row[0], row[1]): dict(zip(HEADERS, row, strict=True)) for row in table.rows}
    domains = ('cold', 'hot', 'all of study')
    assert set(rows) == {(one, name) for one in domains for name in ('as labelled', 'cutoff')}
    ours = rows['cold', 'as labelled']
    assert ours['frames'] == '2'
    assert ours['level of theory'] == 'k 1x1x1'
    assert ours['force: RMS of the difference (eV/Å)'] == '0.04' == ours['largest (eV/Å)']
    assert ours['mean offset (meV/atom)'] == '20'
    assert ours['about the offset (meV/atom)'] == f'{3 * 2**0.5:.3g}'
    assert ours['stress: RMS of the difference (GPa)'] == '2'
    assert rows['cold', 'cutoff']['force: RMS of the difference (eV/Å)'] == '1.04'
    pooled = rows['all of study', 'as labelled']
    noise = f'{3 * (4 / 3) ** 0.5:.3g}'
    assert pooled['about the offset (meV/atom)'] == noise
    report = collect(audit.uuid, map_limit=0)
    assert report.noise == (
        'The reference itself is known to 0.04 eV/Å (forces, RMS against converged settings, '
        f'4 frames) and {noise} meV/atom (energies about their common offset).'
    )
    assert figure_numbers(report)['convergence'] == {'study': found.get_dict()}


def test_the_latest_look_at_a_dataset_counts(labelled, state):
    audit, _ = store_audit(labelled)
    state(), state(force=7.0)
    (table,) = of_convergence(Material.of(audit.uuid))
    assert {row[3] for row in table.rows} == {'0.04', '7.04'}


def test_what_a_study_called_is_on_its_page_and_in_its_archive(silicon, tmp_path):
    whole, datasets = silicon
    study = chain('StudyWorkChain', {})
    parameters = orm.Dict({'per_domain': 1, 'domains': ['diamond'], 'converged': 'best'}).store()
    node = orm.WorkChainNode(process_type='aiida.workflows:enne.convergence')
    node.base.links.add_incoming(study, LinkType.CALL_WORK, 'convergence__eos')
    node.store()
    dataset = datasets['eos_diamond']
    frame = dataset.get_configurations().select([4])
    frame = replace(frame, forces=frame.forces + 0.5, info={ORIGIN: np.zeros(1)})
    best = DatasetData.from_configurations(frame, level_of_theory='better').store()
    found = state_convergence(parameters, datasets={'eos_diamond': dataset}, labels={'best': best})
    link(node, {'datasets__best': best, 'convergence': found})
    outputs = whole.base.links.get_outgoing(link_type=LinkType.RETURN).all()
    link(study, {one.link_label: one.node for one in outputs} | {'convergence__eos': found})
    said = 'known to 0.5 eV/Å (forces, RMS against converged settings, 1 frame).'
    archive, uuid = share(study, tmp_path / 'study.aiida'), study.uuid
    with open_archive(archive):
        material = Material.of(uuid)
        assert say_noise(material).endswith(said)
        (table,) = of_convergence(material)
        assert [row[:4] for row in table.rows] == [['diamond', 'as labelled', '1', '0.5']]
        page = write_report(collect(uuid, map_limit=0), tmp_path / 'out').read_text()
    assert said in page
    assert 'Convergence of the reference: differences from better' in page
