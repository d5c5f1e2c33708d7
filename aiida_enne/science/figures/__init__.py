"""Figures: what an audit found, drawn on axes; nothing is computed and no file is written."""

from aiida_enne.science.figures.applicability import draw_applicability as draw_applicability
from aiida_enne.science.figures.densities import draw_force_cone as draw_force_cone
from aiida_enne.science.figures.densities import draw_force_parity as draw_force_parity
from aiida_enne.science.figures.domains import draw_coverage as draw_coverage
from aiida_enne.science.figures.domains import draw_error_and_spread as draw_error_and_spread
from aiida_enne.science.figures.equations import draw_equations_of_state as draw_equations_of_state
from aiida_enne.science.figures.errors import draw_force_errors as draw_force_errors
from aiida_enne.science.figures.exploration import Explored as Explored
from aiida_enne.science.figures.exploration import draw_exploration as draw_exploration
from aiida_enne.science.figures.formation import draw_formation as draw_formation
from aiida_enne.science.figures.formation import draw_size_series as draw_size_series
from aiida_enne.science.figures.growth import draw_spread_growth as draw_spread_growth
from aiida_enne.science.figures.pairs import draw_pair_correlations as draw_pair_correlations
from aiida_enne.science.figures.palette import Palette as Palette
from aiida_enne.science.figures.paths import draw_volume_path as draw_volume_path
from aiida_enne.science.figures.radial import draw_radial_distributions as draw_radial_distributions
from aiida_enne.science.figures.scans import draw_comparisons as draw_comparisons
from aiida_enne.science.figures.scatter import draw_flags as draw_flags
from aiida_enne.science.figures.scatter import draw_scatter as draw_scatter
from aiida_enne.science.figures.scatter import draw_scatter_panels as draw_scatter_panels
from aiida_enne.science.figures.style import new_axes as new_axes
from aiida_enne.science.figures.style import save as save
from aiida_enne.science.figures.training import draw_training as draw_training
from aiida_enne.science.figures.transfer import draw_transfer as draw_transfer
from aiida_enne.science.figures.transition import draw_transition as draw_transition
