"""Ensembles of equivariant neural-network potentials, trained and audited with AiiDA."""

__version__ = '0.1.0'
