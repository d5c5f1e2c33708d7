"""Scripts that jobs run, where this package and AiiDA are absent."""

import sys
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from types import ModuleType

#: Scripts that evaluate many members of an ensemble at once, and all that these need.
MEMBERS_SCRIPTS = (
    'nequip_predict_member.py',
    'nequip_frames.py',
    'nequip_groups.py',
    'nequip_weights.py',
    'nequip_parts.py',
    'nequip_curves.py',
    'nequip_ensemble.py',
    'nequip_ensemble.cpp',
    'nequip_harmonics.cpp',
    'nequip_product.py',
    'nequip_product.cpp',
    'nequip_faster.py',
    'nequip_fused.py',
    'nequip_codegen.py',
    'nequip_private.py',
    'nequip_trust.py',
)
#: Folders of scripts, one for each program.
PROGRAMS = ('nequip', 'ase')


def read_script(name: str) -> str:
    """Return the text of a script; those of one program lie in a folder of its name."""
    return files(__name__).joinpath(name.partition('_')[0], name).read_text()


def import_script(name: str) -> ModuleType:
    """Import a script in this process as jobs do: by its bare name, those it needs beside it.

    Args:
        name: Without suffix: 'ase_ensemble'.
    """
    for program in PROGRAMS:
        folder = str(Path(__file__).parent / program)
        if folder not in sys.path:
            sys.path.append(folder)
    return import_module(name)
