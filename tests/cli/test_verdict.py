"""The command `verdict` on a stored study: table, JSON, exit status, wrong words."""

import json
import re

import pytest
from click.testing import CliRunner

from aiida_enne import provenance
from aiida_enne.cli.main import main
from aiida_enne.cli.verdict import exit_status
from aiida_enne.science.uncertainty.rule import Row


def ask(silicon, *words):
    """Return the result of the command on the stored study."""
    return CliRunner().invoke(main, ['verdict', str(silicon[0].pk), *words])


def test_the_table_answers_domain_by_domain(silicon):
    result = ask(silicon)
    assert result.exit_code in (0, 3, 4), result.output
    lines = result.output.splitlines()
    assert any(line.startswith(('passed', 'failed', 'unknown')) for line in lines)
    table = lines[lines.index('') + 1 :]
    assert table[0].split()[0] == 'domain'
    assert '(trained on)' in table[2]
    assert 'best estimator' in table[0]
    assert lines[-1].startswith('Labels would help. Next: `aiida-enne launch improve --dataset ')
    assert any(re.search(r'Best estimator: \w+; .*interval scores at 90%', line) for line in lines)
    assert any('beta-tin' in line for line in table)
    assert any(line.startswith('- energy: ') and '% of ' in line for line in table)


def test_json_holds_the_numbers_of_the_joint_audit(silicon):
    result = ask(silicon, '--json', '--quantity', 'energy')
    found = json.loads(result.output)
    joint = provenance.joint_audit(provenance.Material.of(silicon[0].pk))
    rows = [row for row in joint.verdicts if row.quantity == 'energy']
    assert [Row.from_dict(one) for one in found['verdicts']] == rows
    assert {gate['name'] for gate in found['gates']['energy']} == {
        'training', 'epochs', 'outliers', 'alpha',
    }  # fmt: skip
    assert result.exit_code == exit_status(rows)
    ((dataset, split),) = set(
        provenance.find_trainings(provenance.find_ensemble(silicon[0].pk).weights).values()
    )
    assert f'--dataset {dataset[:8]} --split {split[:8]} --held-out' in found['next']
    described = provenance.describe_errors(provenance.Material.of(silicon[0].pk))
    assert str(described.find().rule) in found['applicability']['energy'][0]


def test_a_domain_that_is_not_there_is_named(silicon):
    result = ask(silicon, '--domain', 'unobtainium')
    assert result.exit_code == 2
    assert "no domain 'unobtainium'; there are" in result.output


@pytest.mark.parametrize(
    ('words', 'status'),
    [
        (['believe', 'believe'], 0),
        (['believe', 'cannot say'], 3),
        (['unlabelled', 'do not believe'], 4),
        ([], 3),
    ],
)
def test_scripts_can_tell_by_the_status(words, status):
    class Said:
        def __init__(self, verdict):
            self.verdict = verdict

    assert exit_status([Said(word) for word in words]) == status
