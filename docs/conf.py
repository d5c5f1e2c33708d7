"""Configuration of the documentation."""

from aiida import load_profile
from aiida.storage.sqlite_temp import SqliteTempBackend

from aiida_enne import __version__

# the specification of a process is read in a profile, which lives in memory
load_profile(SqliteTempBackend.create_profile('docs'), allow_switch=True)

project = 'aiida-enne'
author = 'The aiida-enne developers'
release = __version__
extensions = [
    'aiida.sphinxext',
    'myst_nb',
    'sphinx.ext.autodoc',
    'sphinx.ext.mathjax',
    'sphinx.ext.napoleon',
    'sphinx_click',
]
html_theme = 'furo'
html_title = f'aiida-enne {release}'
html_static_path = ['_static']
html_css_files = ['tables.css']
exclude_patterns = ['_build']
nb_execution_mode = 'off'
myst_enable_extensions = ['dollarmath', 'colon_fence']
autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
napoleon_attr_annotations = False


def escape_bars(app, what, name, obj, options, lines):
    """Keep |ε| a modulus: reStructuredText takes bars for substitutions."""
    lines[:] = [line.replace('|', r'\|') for line in lines]


def setup(app):
    """Connect the hook."""
    app.connect('autodoc-process-docstring', escape_bars)
