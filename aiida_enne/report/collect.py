"""Gather all that a report shows: queries in, plain values out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiida.common.exceptions import NotExistent

from aiida_enne import provenance
from aiida_enne.provenance.labels import Labelling, find_labellings
from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty.audit import Audit
from aiida_enne.science.uncertainty.findings import find


@dataclass(frozen=True, slots=True)
class Section:
    """The audit of one ensemble on one dataset.

    Attributes:
        label: Label of the dataset.
        statistics: The statistics node and all that it came from.
        audit: Its content.
        findings: Sentences with numbers.
        labellings: The reference calculations behind the dataset, if it was not imported.
    """

    label: str
    statistics: provenance.Statistics
    audit: Audit
    findings: list[str]
    labellings: list[Labelling]


@dataclass(frozen=True, slots=True)
class Study:
    """One work chain that returned statistics.

    Attributes:
        process: UUID of the work chain.
        created: When it was started, ISO 8601.
        ensemble: Its members.
        histories: Epochs and validation force MAE in eV/Å, by member.
        history_uuids: The nodes that these came from, by member.
        sections: One per dataset.
    """

    process: str
    created: str
    ensemble: provenance.Ensemble
    histories: dict[str, tuple[Floats, Floats]]
    history_uuids: dict[str, str]
    sections: list[Section]

    @property
    def findings(self) -> list[str]:
        """All findings, the dataset named where there is more than one."""
        many = len(self.sections) > 1
        return [
            f'{section.label}: {sentence}' if many else sentence
            for section in self.sections
            for sentence in section.findings
        ]


def collect(identifier: str | int) -> Study:
    """Gather the report of an audit or a study.

    Args:
        identifier: PK or UUID of a work chain that returned statistics, or of any that knows an
            ensemble which predicted something.

    Raises:
        NotExistent: If there is no such work chain, or there is nothing to report of it.
    """
    ensemble = provenance.find_ensemble(identifier)
    try:
        statistics = provenance.find_statistics(identifier)
    except NotExistent:
        if not provenance.predicted_datasets(ensemble):
            raise
        statistics = []
    found = provenance.find_histories(ensemble)
    return Study(
        process=ensemble.uuid,
        created=provenance.created(ensemble.uuid),
        ensemble=ensemble,
        histories=provenance.load_histories(found),
        history_uuids=found,
        sections=sorted((_section(one) for one in statistics), key=_is_new),
    )


def scalars(study: Study) -> dict[str, Any]:
    """Return every number of the report, fit for JSON: what two reports are compared by."""
    return {
        section.label: {
            'domains': section.audit.domains,
            'pooled': section.audit.pooled,
            'parameters': section.audit.parameters,
            'statistics': section.statistics.uuid,
            'n_failed_labels': sum(len(one.failures) for one in section.labellings),
        }
        for section in study.sections
    }


def _is_new(section: Section) -> bool:
    """Sort what was trained on before what is asked beyond it; order is kept otherwise."""
    return not set(section.audit.parameters.get('training_domains', ())) & set(
        section.audit.domains
    )


def _section(statistics: provenance.Statistics) -> Section:
    audit = statistics.load_audit()
    return Section(
        statistics.label,
        statistics,
        audit,
        [finding.text for finding in find(audit.domains, audit.parameters)],
        find_labellings(statistics.sources['datasets']),
    )
