"""The study that is disturbed, and what must come out of it whatever happens."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import ProcessBuilder

from aiida_enne import provenance
from aiida_enne.workflows.study.study import StudyWorkChain
from tests.services.site import Site, jobs_of

#: Jobs of each step: references, the training, the predictions.
STEPS = ['AseRunCalculation', 'NequipTrainCalculation', 'NequipPredictCalculation']


@dataclass(frozen=True)
class Results:
    """All that a report shows, without the identities of nodes."""

    weights: dict[str, str]
    predictions: dict[str, dict[str, Any]]
    statistics: dict[str, dict[str, Any]]


def build(code: orm.AbstractCode, directives: str = '', **options: Any) -> ProcessBuilder:
    """Return the demo's study of the protocol `demo-test`, each job with the same options."""
    if directives:
        options['custom_scheduler_commands'] = directives
    metadata = {'metadata': {'options': options}}
    overrides = {
        'inputs': {'base': {'ase': metadata}},
        'ensemble': {'training': {'train': metadata}},
        'audit': {'predict': {'predict': metadata}},
    }
    return StudyWorkChain.get_builder_from_protocol(code, protocol='demo-test', overrides=overrides)


def results_of(node: orm.WorkChainNode) -> Results:
    """Return what a finished study came to."""
    ensemble = provenance.find_ensemble(node.uuid)
    (statistics,) = provenance.find_statistics(node.uuid)
    return Results(
        weights={member.label: member.weights_sha256 for member in ensemble.members},
        predictions={
            label: dict(prediction.get_arrays())
            for label, prediction in node.outputs.predictions['training'].items()
        },
        statistics=statistics.domains,
    )


def assert_same_results(node: orm.WorkChainNode, undisturbed: orm.WorkChainNode) -> None:
    """Fail unless a study came to what another did.

    Weights and predictions to the last digit; statistics but for the order in which the linear
    algebra of another process adds up: it chooses its kernels by processor and environment.
    """
    found, expected = results_of(node), results_of(undisturbed)
    assert found.weights == expected.weights
    assert found.statistics.keys() == expected.statistics.keys()
    for domain, scalars in expected.statistics.items():
        assert scalars.keys() == found.statistics[domain].keys()
        for name, value in scalars.items():
            close = None if value is None else pytest.approx(value, rel=1e-10, abs=1e-12)
            assert found.statistics[domain][name] == close, (domain, name)
    assert found.predictions.keys() == expected.predictions.keys()
    for label, arrays in expected.predictions.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(found.predictions[label][name], array)


def await_step(site: Site, node: orm.WorkChainNode, step: str) -> None:
    """Wait until a job of a step has been given to SLURM."""

    def is_in():
        return any(job.process_label == step and job.get_job_id() for job in jobs_of(node))

    site.wait(node, is_in, f'{step} is with SLURM')
