"""The table of domains: its rows add up to the whole."""

import numpy as np
import pytest

from aiida_enne.science.importing.summary import summarize_domains


def test_domains_partition_the_whole(configurations):
    rows = summarize_domains(configurations)
    assert [row.domain for row in rows] == ['cold', 'hot']
    assert sum(row.n_frames for row in rows) == len(configurations)
    atoms = [row.n_frames * row.n_atoms[0] for row in rows]
    square = sum(n * row.force_rms**2 for n, row in zip(atoms, rows, strict=True)) / sum(atoms)
    assert square == pytest.approx(np.mean(configurations.forces**2), rel=1e-12)
    energy = sum(row.n_frames * row.energy_per_atom[0] for row in rows) / len(configurations)
    assert energy == pytest.approx(np.mean(configurations.energies / 4), rel=1e-12)


def test_without_labels_the_numbers_are_unknown(configurations):
    row = summarize_domains(configurations.unlabelled())[0]
    assert np.isnan(row.energy_per_atom).all()
    assert np.isnan(row.force_rms)
    assert row.volume_per_atom > 0
