"""Configuration of the documentation."""

from aiida_enne import __version__

project = 'aiida-enne'
author = 'The aiida-enne developers'
release = __version__
extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon', 'sphinx.ext.mathjax']
html_theme = 'furo'
html_title = f'aiida-enne {release}'
html_static_path = ['_static']
html_css_files = ['tables.css']
exclude_patterns = ['_build']
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
