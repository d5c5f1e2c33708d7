"""Extended XYZ text read as ASE reads it, and so the trainer."""

import io

import ase.io

from aiida_enne.science.data.frames import from_atoms


def from_extxyz(text, info=()):
    """Return configurations; domain and block are taken from the comment lines."""
    return from_atoms(ase.io.read(io.StringIO(text), index=':', format='extxyz'), info=info)
