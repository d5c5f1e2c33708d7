"""Figures: what an audit found, drawn on axes; nothing is computed and no file is written."""

from aiida_enne.science.figures.applicability import draw_applicability
from aiida_enne.science.figures.densities import draw_force_cone, draw_force_parity
from aiida_enne.science.figures.domains import draw_coverage, draw_error_and_spread
from aiida_enne.science.figures.equations import draw_equations_of_state
from aiida_enne.science.figures.errors import draw_force_errors
from aiida_enne.science.figures.exploration import Explored, draw_exploration
from aiida_enne.science.figures.formation import draw_formation, draw_size_series
from aiida_enne.science.figures.growth import draw_spread_growth
from aiida_enne.science.figures.pairs import draw_pair_correlations
from aiida_enne.science.figures.palette import Palette
from aiida_enne.science.figures.paths import draw_volume_path
from aiida_enne.science.figures.radial import draw_radial_distributions
from aiida_enne.science.figures.scans import draw_comparisons
from aiida_enne.science.figures.scatter import draw_flags, draw_scatter, draw_scatter_panels
from aiida_enne.science.figures.style import new_axes, save
from aiida_enne.science.figures.training import draw_training
from aiida_enne.science.figures.transfer import draw_transfer
from aiida_enne.science.figures.transition import draw_transition

__all__ = [
    'Explored',
    'Palette',
    'draw_applicability',
    'draw_comparisons',
    'draw_coverage',
    'draw_equations_of_state',
    'draw_error_and_spread',
    'draw_exploration',
    'draw_flags',
    'draw_force_cone',
    'draw_force_errors',
    'draw_force_parity',
    'draw_formation',
    'draw_pair_correlations',
    'draw_radial_distributions',
    'draw_scatter',
    'draw_scatter_panels',
    'draw_size_series',
    'draw_spread_growth',
    'draw_training',
    'draw_transfer',
    'draw_transition',
    'draw_volume_path',
    'new_axes',
    'save',
]
