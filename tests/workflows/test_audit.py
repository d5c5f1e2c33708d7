"""Tests for `AuditWorkChain`: what is refused before anything is predicted."""

import pytest

from aiida_enne.aiida_private import inputs_of
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.workflows.audit import AuditWorkChain, validate_inputs
from tests.audited import model


@pytest.fixture
def build(dataset, aiida_code_installed):
    """Return a function that fills a builder with options of the audit."""
    code = aiida_code_installed(filepath_executable='/bin/true')
    models = {f'seed_{number}': model(number).store() for number in (1, 2)}

    def run(datasets=None, **options):
        builder = AuditWorkChain.get_builder_from_protocol(
            code, models, datasets or {'mine': dataset}, protocol='test', overrides=options
        )
        return builder, validate_inputs(inputs_of(builder), AuditWorkChain.spec().inputs)

    return run


def test_good_inputs_pass(build):
    builder, reason = build(audit={'alignment': {'domain': 'cold', 'by': 'mean'}})
    assert reason is None
    assert builder.audit['n_bootstrap'] == 20
    assert set(builder.models) == {'seed_1', 'seed_2'}


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'ddof': 2}, '`ddof` must be 0 or 1, got 2'),
        ({'bins': 3}, 'options of the audit: unknown bins'),
        ({'alignment': {'domain': 'cold'}}, '`alignment` must hold'),
    ],
)
def test_bad_options_are_named(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(audit=options)


def test_domains_that_are_not_there_are_named(build):
    _, reason = build(audit={'training_domains': ['liquid']})
    assert reason == "no dataset has the domains ['liquid']; there are ['cold', 'hot']"


def test_configurations_without_labels_are_refused(build, configurations):
    node = ConfigurationsData.from_configurations(configurations.unlabelled()).store()
    _, reason = build(datasets={'mine': node})
    assert 'has no reference labels' in reason
