"""The study that is disturbed, and what must come out of it whatever happens."""

from dataclasses import dataclass
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder

from aiida_enne import provenance
from aiida_enne.workflows.demo import LABEL, DemoWorkChain


@dataclass(frozen=True)
class Results:
    """All that a report shows, without the identities of nodes."""

    weights: dict[str, str]
    predictions: dict[str, dict[str, Any]]
    statistics: dict[str, dict[str, Any]]


def build(code: orm.AbstractCode, directives: str = '', **options: Any) -> ProcessBuilder:
    """Return the demo's study of the protocol `test`, each job with the same options."""
    if directives:
        options['custom_scheduler_commands'] = directives
    metadata = {'metadata': {'options': options}}
    overrides = {
        'reference': {'ase': metadata},
        'training': {'training': {'train': metadata}},
        'audit_of': {'predict': {'predict': metadata}},
    }
    return DemoWorkChain.get_builder_from_protocol(code, protocol='test', overrides=overrides)


def results_of(node: orm.WorkChainNode) -> Results:
    """Return what a finished study came to."""
    ensemble = provenance.find_ensemble(node.uuid)
    (statistics,) = provenance.find_statistics(node.uuid)
    return Results(
        weights={member.label: member.weights_sha256 for member in ensemble.members},
        predictions={
            label: dict(prediction.get_arrays())
            for label, prediction in node.outputs.predictions[LABEL].items()
        },
        statistics=statistics.domains,
    )
