"""Ensembles in use: as an ASE calculator, and as a folder that needs nothing of this package."""
