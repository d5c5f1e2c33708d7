"""Builders of structures: liquids, crystal phases, point defects and surfaces."""
