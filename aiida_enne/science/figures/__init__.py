"""Figures: what an audit found, drawn on axes; nothing is computed and no file is written."""

from aiida_enne.science.figures.cone import draw_cone
from aiida_enne.science.figures.densities import draw_force_cone, draw_force_parity
from aiida_enne.science.figures.domains import draw_coverage, draw_error_and_spread
from aiida_enne.science.figures.errors import draw_force_errors
from aiida_enne.science.figures.members import (
    draw_correlation_matrix,
    draw_member_correlations,
    draw_spread_by_size,
)
from aiida_enne.science.figures.style import new_axes, save
from aiida_enne.science.figures.training import draw_training
from aiida_enne.science.figures.volumes import draw_energy_volume, volume_scans

__all__ = [
    'draw_cone',
    'draw_correlation_matrix',
    'draw_coverage',
    'draw_energy_volume',
    'draw_error_and_spread',
    'draw_force_cone',
    'draw_force_errors',
    'draw_force_parity',
    'draw_member_correlations',
    'draw_spread_by_size',
    'draw_training',
    'new_axes',
    'save',
    'volume_scans',
]
