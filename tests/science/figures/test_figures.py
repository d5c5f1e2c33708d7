"""Figures show the numbers of the audit; that they look well is seen by eye."""

import io

import numpy as np
import pytest

from aiida_enne.science import figures
from aiida_enne.science.properties.curves import curves, volume_scans
from aiida_enne.science.properties.scatter import of_audit, of_energies
from aiida_enne.science.uncertainty.alignment import reference_offset
from aiida_enne.science.uncertainty.audit import audit
from aiida_enne.science.uncertainty.options import AuditOptions

LIQUID = 'liquid 2000 K, 2.57 g/cm3'
DRAWN = [
    (figures.draw_coverage, {'prefixes': ('energy', 'aligned', 'force')}),
    (figures.draw_error_and_spread, {'prefix': 'force'}),
    (figures.draw_force_cone, {}),
    (figures.draw_force_cone, {'domain': 'cubic diamond'}),
    (figures.draw_force_errors, {}),
    (figures.draw_force_parity, {}),
    (figures.draw_force_parity, {'domain': LIQUID}),
]


def save(axes):
    stream = io.BytesIO()
    figures.save(axes, stream, 'svg')
    return stream.getvalue()


@pytest.mark.parametrize(('draw', 'choices'), DRAWN)
def test_a_figure_is_a_function_of_its_data(audited, draw, choices):
    first, second = (save(draw(audited, figures.new_axes(), **choices)) for _ in range(2))
    assert first == second
    assert (
        'σ' not in first.decode()
        or 'ddof 0' in first.decode()
        or draw
        in (
            figures.draw_force_parity,
            figures.draw_force_errors,
        )
    )


@pytest.mark.parametrize('n', [1, 12])
def test_few_configurations_of_two_members_can_be_drawn(ensemble, n):
    configurations, energies, forces = ensemble
    chosen = np.arange(n)
    result = audit(
        configurations.select(chosen),
        energies[:2, :n],
        forces[:2, configurations.atom_index(chosen)],
        options=AuditOptions(n_subsets=2, n_bootstrap=5),
    )
    for draw, choices in DRAWN:
        one = {'domain': LIQUID} if 'domain' in choices else {}
        save(draw(result, figures.new_axes(), **one))


def test_points_of_an_audit_are_those_of_its_configurations(ensemble, audited):
    points = of_audit(audited)
    raw = of_energies(*ensemble[:2])
    np.testing.assert_allclose(points.spread, raw.spread, rtol=1e-12)
    np.testing.assert_allclose(points.error, raw.error, atol=1e-12)
    assert points.domain.tolist() == raw.domain.tolist()
    assert points.width == 'σ (ddof 0)'
    with pytest.raises(ValueError, match='not aligned'):
        of_audit(audit(*ensemble, options=AuditOptions(n_subsets=2, n_bootstrap=5)), aligned=True)


def test_points_without_place_on_a_logarithmic_axis_are_counted(ensemble):
    configurations, _, forces = ensemble
    chosen = np.flatnonzero(configurations.domains == 'cubic diamond')
    few = configurations.select(chosen)
    # all members now have their minimum where the reference has it, where σ = ε = 0
    members = np.outer(np.linspace(0.9, 1.2, 8), few.energies)
    atoms = configurations.atom_index(chosen)
    offsets = reference_offset(few, members, 'cubic diamond')
    result = audit(few, members, forces[:, atoms], offsets=offsets)
    axes = figures.draw_scatter(of_audit(result, aligned=True), figures.new_axes(), log=True)
    assert '1 next to σ = 0 or ε = 0 not shown' in axes.get_title(loc='left')


def test_volume_scans_are_told_from_trajectories(ensemble):
    configurations, energies, _ = ensemble
    scans = {'cubic diamond', 'beta-tin (I4_1/amd)', 'simple hexagonal', 'face-centred cubic'}
    assert set(volume_scans(configurations)) == scans
    # without any phase they are the curves, and nothing is lost of them
    found = curves(configurations, energies)
    assert set(found) == scans
    assert all(one.domain == name for name, one in found.items())
    assert volume_scans(configurations.unlabelled()) == []


def test_what_cannot_be_drawn_is_refused(audited):
    with pytest.raises(ValueError, match="no domain 'glass'"):
        figures.draw_force_parity(audited, figures.new_axes(), domain='glass')
    with pytest.raises(ValueError, match='no training histories'):
        figures.draw_training({}, figures.new_axes())


def test_every_member_has_its_training_curve():
    epochs = np.arange(20)
    histories = {f'seed {seed}': (epochs, np.exp(-epochs / 5) + seed) for seed in (1, 2, 3)}
    axes = figures.draw_training(histories, figures.new_axes())
    assert [line.get_label() for line in axes.lines] == list(histories)
    assert axes.lines[1].get_ydata() == pytest.approx(histories['seed 2'][1])
