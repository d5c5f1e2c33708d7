"""Tests of what is printed when a run has ended well."""

from types import SimpleNamespace

from aiida_enne.cli import outcome
from tests.audited import chain


def row(quantity, domain, verdict):
    return SimpleNamespace(quantity=quantity, domain=domain, verdict=verdict)


def test_verdicts_are_a_line_for_each_quantity():
    rows = [
        row('energy', 'liquid', 'believe'),
        row('energy', 'diamond', 'do not believe'),
        row('energy', 'bcc', 'do not believe'),
        row('force', 'liquid', 'believe'),
    ]
    assert list(outcome.verdicts(rows)) == [
        'Verdict on σ (energy): believe: liquid; do not believe: diamond, bcc',
        'Verdict on σ (force): believe: liquid',
    ]


def test_an_ensemble_is_audited_next_and_other_parts_lead_nowhere(aiida_profile_clean):
    ensemble = chain('EnsembleWorkChain', {})
    (line,) = outcome.lines(ensemble)
    assert f'launch audit --ensemble {ensemble.pk} --dataset' in line
    assert list(outcome.lines(chain('SurfaceWorkChain', {}))) == []


def test_an_audit_ends_with_its_verdict_and_the_report(audited):
    audit, _ = audited
    *said, last = outcome.lines(audit)
    assert any(line.startswith('Verdict on σ (energy)') for line in said)
    assert f'report {audit.pk}' in last
    assert f'aiida-enne verdict {audit.pk}' in last
