"""Configuration of the documentation."""

from aiida import load_profile
from aiida.sphinxext.calcjob import AiidaCalcJobDirective
from aiida.sphinxext.process import AiidaProcessDirective
from aiida.sphinxext.workchain import AiidaWorkchainDirective
from aiida.storage.sqlite_temp import SqliteTempBackend
from docutils import nodes

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


def with_exit_codes(directive):
    """Return AiiDA's directive of a process, which shows ports alone, with the exit codes added."""

    class WithExitCodes(directive):
        def build_content(self):
            content, codes = super().build_content(), nodes.bullet_list(bullet='*')
            for code in sorted(self.process_spec.exit_codes.values(), key=lambda one: one.status):
                if code.status >= 200:  # those below are AiiDA's own
                    words = nodes.paragraph()
                    words += nodes.literal(text=f'{code.status}')
                    words += nodes.Text(f' {code.message}')
                    codes += nodes.list_item('', words)
            if len(codes):
                content += nodes.paragraph('', '', nodes.strong(text='Exit codes:'))
                content += codes
            return content

    return WithExitCodes


def setup(app):
    """Connect the hook and the directives."""
    app.connect('autodoc-process-docstring', escape_bars)
    for name, directive in (
        ('calcjob', AiidaCalcJobDirective),
        ('process', AiidaProcessDirective),
        ('workchain', AiidaWorkchainDirective),
    ):
        app.add_directive_to_domain(
            'py', f'aiida-{name}', with_exit_codes(directive), override=True
        )
