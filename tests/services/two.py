"""Two studies of small jobs at the same time, in one database."""

from pathlib import Path

import numpy as np
from aiida import orm
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.workflows.reference.label import LabelWorkChain
from tests.services.site import Site, jobs_of

JOBS = 6


def frames_of(study: int) -> list:
    """Return rattled copper cells, others for each study."""
    frames = [bulk('Cu', cubic=True) for _ in range(JOBS)]
    for number, atoms in enumerate(frames):
        atoms.rattle(0.1, seed=100 * study + number)
        atoms.info = {'domain': 'copper', 'block': number}
    return frames


def submit_two(site: Site, code: orm.AbstractCode, directives: str = '') -> list[orm.WorkChainNode]:
    """Submit two studies that label one configuration a job, three jobs at a time each."""
    options = {'custom_scheduler_commands': directives} if directives else {}
    submitted = []
    for study in range(2):
        builder = LabelWorkChain.get_builder_from_protocol(
            code,
            ConfigurationsData.from_atoms(frames_of(study)),
            protocol='test',
            overrides={
                'per_job': 1,
                'max_concurrent': 3,
                'inputs': {
                    'calculator': 'emt',
                    'base': {'ase': {'metadata': {'options': options}}},
                },
            },
        )
        submitted.append(site.submit(builder))
    return submitted


def assert_complete(site: Site, nodes: list[orm.WorkChainNode]) -> None:
    """Fail unless every label of both studies is there and right, and every job went once."""
    log = Path(site.daemon.daemon_log_file)
    for study, node in enumerate([site.finish(node) for node in nodes]):
        assert node.is_finished_ok, node.exit_message or node.exception
        jobs = jobs_of(node)
        assert len(jobs) == JOBS
        assert all(job.is_finished_ok for job in jobs)
        found = node.outputs.dataset.get_configurations()
        for energy, atoms in zip(found.energies, frames_of(study), strict=True):
            atoms.calc = EMT()
            np.testing.assert_allclose(energy, atoms.get_potential_energy(), rtol=0, atol=1e-10)
    assert 'database is locked' not in log.read_text()
