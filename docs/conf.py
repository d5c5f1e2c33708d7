"""Configuration of the documentation."""

from aiida_enne import __version__

project = 'aiida-enne'
author = 'The aiida-enne developers'
release = __version__
extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon', 'sphinx.ext.mathjax']
html_theme = 'furo'
html_title = f'aiida-enne {release}'
exclude_patterns = ['_build']
myst_enable_extensions = ['dollarmath', 'colon_fence']
autodoc_member_order = 'bysource'
autodoc_typehints = 'description'
