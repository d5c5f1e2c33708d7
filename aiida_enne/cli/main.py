"""The command `aiida-enne`: its groups are imported when they are called."""

import click

from aiida_enne import __version__
from aiida_enne.cli.common import LazyGroup, remember_profile

#: Command: where it is, and its line in the help, so that `--help` need not import it.
COMMANDS = {
    'dataset': ('aiida_enne.cli.dataset:dataset', 'Import, list, show and export datasets.'),
    'demo': ('aiida_enne.cli.demo:demo', 'Run the main job on liquid silicon, in its own profile.'),
    'doctor': ('aiida_enne.cli.doctor:doctor', 'Check a profile, its computers and its codes.'),
    'ensemble': (
        'aiida_enne.cli.ensemble:ensemble',
        'List, show, compare and export trained ensembles.',
    ),
    'figure': ('aiida_enne.cli.figure:figure', 'Draw one figure of the paper.'),
    'improvement': (
        'aiida_enne.cli.improvement:improvement',
        'Say whether an improvement beat chance.',
    ),
    'launch': ('aiida_enne.cli.launch:launch', 'Plan or run a study, or a part of one.'),
    'pseudo': ('aiida_enne.cli.pseudo:pseudo', 'Make families of pseudopotentials.'),
    'report': ('aiida_enne.cli.report:report', 'Write the figures and the page of an audit.'),
    'setup': ('aiida_enne.cli.setup:setup', 'Make a computer and its codes, and check them.'),
    'share': ('aiida_enne.cli.share:share', 'Write an archive with all that a report needs.'),
    'species': ('aiida_enne.cli.species:species', 'Register species defaults of FHI-aims.'),
    'status': ('aiida_enne.cli.status:status', 'Show how far a study is.'),
    'stop': ('aiida_enne.cli.stop:stop', 'End the jobs of an interrupted study, and give it up.'),
    'verdict': ('aiida_enne.cli.verdict:verdict', 'Say where σ may be believed, and where not.'),
}


@click.group(
    cls=LazyGroup, commands_at=COMMANDS, context_settings={'help_option_names': ['-h', '--help']}
)
@click.option('-p', '--profile', help='Use this AiiDA profile instead of the default one.')
@click.option('--verbose', is_flag=True, help='Show the traceback where something fails.')
@click.version_option(__version__, package_name='aiida-enne')
@click.pass_context
def main(ctx: click.Context, profile: str | None, verbose: bool) -> None:
    """Train ensembles of NequIP potentials and audit how far their uncertainty can be trusted."""
    remember_profile(ctx, profile, verbose=verbose)
