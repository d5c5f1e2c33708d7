"""Tests for what must be said wherever a domain is named."""

from dataclasses import replace

import numpy as np
import pytest

from aiida_enne.science.uncertainty.audit import audit
from aiida_enne.science.uncertainty.cautions import limits
from aiida_enne.science.uncertainty.findings import find
from aiida_enne.science.uncertainty.options import AuditOptions

FAST = {'n_subsets': 5, 'n_bootstrap': 20}


@pytest.fixture
def small(ensemble):
    """Return one configuration of the first domain, and all of the others."""
    configurations, energies, forces = ensemble
    first = configurations.domains == configurations.domains[0]
    kept = np.concatenate([np.flatnonzero(first)[:1], np.flatnonzero(~first)])
    atoms = configurations.atom_index(kept)
    return configurations.select(kept), energies[:, kept], forces[:, atoms]


def test_a_domain_of_one_configuration_is_so_named_in_every_sentence(small):
    name = str(small[0].domains[0])
    found = audit(*small, options=AuditOptions(training_domains=(name,), **FAST))
    rows = [row for row in found.verdicts if row.domain == name]
    assert rows
    assert all(row.reason.startswith('n = 1: ') for row in rows)
    assert not any(row.reason.startswith('n = 1') for row in found.verdicts if row.domain != name)
    texts = [one.text for one in find(found.domains, found.parameters)]
    about = [text for text in texts if name in text]
    assert about
    assert all(text.count(name) == text.count(f'{name} (n = 1)') for text in about)


def test_atoms_without_neighbours_are_counted_only_where_the_cutoff_is_known(small):
    configurations = small[0]
    name = str(configurations.domains[0])
    spread = np.array(configurations.positions)
    cells = np.array(configurations.cells)
    spread[configurations.atom_index([0])] *= 10
    cells[0] *= 10
    lone = replace(configurations, positions=spread, cells=cells)
    found = audit(lone, *small[1:], options=AuditOptions(r_max=6.0, **FAST))
    counts = {domain: scalars['n_lone'] for domain, scalars in found.domains.items()}
    assert counts.pop(name) == 1
    assert not any(counts.values())
    said = limits(found.domains[name])
    assert said == 'n = 1, atoms without a neighbour in 1 of 1'
    assert all(row.reason.startswith(said) for row in found.verdicts if row.domain == name)
    (told,) = (one.text for one in find(found.domains, {}) if one.text.startswith('Of an atom'))
    assert told.endswith(f'and no force: {name} ({said}).')
    plain = audit(*small, options=AuditOptions(**FAST))
    assert 'n_lone' not in plain.domains[name]
    assert 'r_max' not in plain.parameters
