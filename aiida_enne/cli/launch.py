"""`aiida-enne launch`: build inputs from a protocol and run or submit them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from aiida_enne.cli.common import (
    LazyGroup,
    NodeParam,
    add_to_group,
    mapping_at,
    named,
    plain,
    with_profile,
)


class CodeParam(NodeParam):
    """A code by its PK, UUID or label, as `python@localhost`."""

    name = 'code'
    where = '`verdi code list` shows all, `aiida-enne setup` makes one'

    def load(self, value: str) -> Any:
        """Load the code."""
        from aiida import orm

        return orm.load_code(value)


#: Command: where it is, and its line in the help, so that `--help` need not import it.
COMMANDS = {
    'audit': ('aiida_enne.cli.launch:audit', 'Audit an ensemble on a dataset.'),
    'defect': ('aiida_enne.cli.launch_study:defect', 'Relax point defects by any engine.'),
    'ensemble': ('aiida_enne.cli.launch_ensemble:ensemble', 'Train an ensemble on a dataset.'),
    'eos': ('aiida_enne.cli.launch_study:eos', 'Relax phases over their volumes by any engine.'),
    'explore': ('aiida_enne.cli.launch_explore:explore', 'Run dynamics with σ on an ensemble.'),
    'improve': ('aiida_enne.cli.launch_improve:improve', 'Choose, label and train, in rounds.'),
    'scan': ('aiida_enne.cli.launch_scan:scan', 'Train an ensemble at every point of a scan.'),
    'stiffness': ('aiida_enne.cli.launch_stiffness:stiffness', 'Elastic constants and phonons.'),
    'study': ('aiida_enne.cli.launch_study:study', 'Run the whole study; --dry-run plans it.'),
    'surface': ('aiida_enne.cli.launch_study:surface', 'Relax (100) slabs by any engine.'),
}


FEATURES = click.Choice(['none', 'per_atom', 'summed'])
#: Choices of an audit, as messages of work chains name them, and the option of each.
FLAGS = {
    'trained_frames: exclude': '--exclude-trained',
    'trained_frames: include': '--include-trained',
    'training_domains': '--training-domain',
    'calibration_domain': '--calibration-domain',
    'fit_frames': '--fit-frames',
    'role': '--role',
}


@click.group(cls=LazyGroup, commands_at=COMMANDS)
def launch() -> None:
    """Run or plan a study, or a part of one: training, audit, relaxations by the reference."""


def common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every launch has."""
    return _with_options(function, CODE)


def study_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every launch has; a plan needs no code."""
    return _with_options(function, PLANNED_CODE)


CODE = click.option('--code', type=CodeParam(), required=True, help='Python where the jobs run.')
PLANNED_CODE = click.option(
    '--code', type=CodeParam(), help='Code of the engine; --dry-run does without.'
)


def _with_options(function: Callable[..., Any], code: Any) -> Callable[..., Any]:
    for option in (
        click.option('--dry-run', is_flag=True, help='Show all inputs; run nothing.'),
        click.option('--group', callback=named, help='Group of the process, made if need be.'),
        click.option('--label', default='', help='Label of the process.'),
        click.option(
            '--keep-jobs', is_flag=True, help='Where Ctrl-C ends this, let its jobs run on.'
        ),
        click.option('--daemon', is_flag=True, help='Submit to the daemon instead of running.'),
        click.option(
            '--overrides',
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help='YAML file of inputs that replace those of the protocol.',
        ),
        click.option('--protocol', default='laptop', show_default=True),
        code,
    ):
        function = option(function)
    return with_profile(function)


@click.command()
@click.option(
    '--ensemble',
    'trainings',
    required=True,
    multiple=True,
    help='PK or UUID of a training or a study; repeated, the members of all are one ensemble.',
)
@click.option('--dataset', type=NodeParam('enne.dataset'), required=True)
@click.option(
    '--split',
    type=NodeParam('enne.split'),
    help='Audit only its test part; default: the split of the training, if DATASET was trained on.',
)
@click.option('--align-domain', help='Take the zero of energy from this domain, too.')
@click.option(
    '--align-by', type=click.Choice(['minimum', 'mean']), default='minimum', show_default=True
)
@click.option(
    '--training-domain',
    multiple=True,
    help='A domain that was trained on; default: those of the training.',
)
@click.option(
    '--exclude-trained',
    is_flag=True,
    help='Leave out configurations that were trained on or validated with.',
)
@click.option(
    '--include-trained',
    is_flag=True,
    help='Audit configurations that were trained on, too; without --split, all of DATASET.',
)
@click.option('--estimator', help='Estimator of uncertainty; default: σ of the ensemble.')
@click.option('--calibration-domain', help='What an estimator learns from; it is not judged.')
@click.option('--snapshots', metavar='MEMBER', help='Let its last epochs predict, too: seed_1.')
@click.option('--features', type=FEATURES, help='Of the last layer; default: what is needed.')
@click.option(
    '--fit-frames',
    type=click.IntRange(min=0),
    help='Training frames of a domain, at most, that members predict, too, to see whether they fit '
    'them; 0 for none. Default: 100; with features, all.',
)
@click.option('--role', default='dataset', show_default=True, help='Name of the dataset.')
@common_options
def audit(
    trainings: tuple[str, ...],
    dataset: Any,
    split: Any,
    align_domain: str | None,
    align_by: str,
    training_domain: tuple[str, ...],
    role: str,
    **options: Any,
) -> None:
    """Predict a dataset with every member, and audit the uncertainty.

    Configurations that a member was trained on or validated with are found by content: they are
    refused, unless a flag leaves them out or takes them.
    """
    from aiida_enne import provenance
    from aiida_enne.workflows.audit import AuditWorkChain

    overrides = read_overrides(options['overrides'])
    chosen = mapping_at(overrides, 'audit')
    if align_domain is not None:
        chosen['alignment'] = {'domain': align_domain, 'by': align_by}
    if training_domain:
        chosen['training_domains'] = list(training_domain)
    if options['features'] is not None:
        mapping_at(overrides, 'predict', 'predict')['features'] = options['features']
    named = {name: options[name] for name in ('estimator', 'calibration_domain')}
    chosen |= {name: value for name, value in named.items() if value is not None}
    given: dict[str, Any] = {'splits': {} if split is None else {role: split}}
    if options['fit_frames'] is not None:
        given['fit_frames'] = options['fit_frames']
    if options['snapshots'] is not None:
        given['snapshots'] = provenance.find_snapshots(trainings[0], options['snapshots'])
    if ways := [way for way in ('exclude', 'include') if options[f'{way}_trained']]:
        given['trained_frames'] = ways[0]
    if len(ways) > 1:
        raise click.UsageError('choose one of --exclude-trained and --include-trained')
    try:
        builder = AuditWorkChain.get_builder_from_protocol(
            options['code'],
            provenance.join_members(trainings),
            {role: dataset},
            protocol=options['protocol'],
            overrides=overrides,
            **given,
        )
    except ValueError as exception:  # an option that a validator refuses
        raise click.ClickException(in_flags(plain(str(exception)))) from exception
    start(builder, options)


def read_overrides(path: Path | None) -> dict[str, Any]:
    """Read overrides from a YAML file.

    Raises:
        click.ClickException: If the file holds anything but a mapping.
    """
    import yaml

    if path is None:
        return {}
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as exception:
        raise click.ClickException(f'{path} is not valid YAML: {exception}') from None
    if not isinstance(content, dict):
        raise click.ClickException(f'{path} must hold a mapping, got {content!r}')
    if wrong := [key for key in content if not isinstance(key, str)]:
        raise click.ClickException(f'a key of {path} must be text, got {wrong[0]!r}')
    return content


def start(builder: Any, options: Mapping[str, Any]) -> None:
    """Say what will run, then run or submit it, or list all inputs.

    Args:
        builder: Of the process.
        options: Values of `common_options`.

    Raises:
        click.ClickException: If an input cannot be used, the process fails, or there is no daemon
            to submit to.
    """
    from aiida_enne.cli import foreground, journal, outcome
    from aiida_enne.cli.plan import describe
    from aiida_enne.cli.summary import summarise
    from aiida_enne.workflows import protocols

    if (why := protocols.complaint(builder)) or (why := protocols.misspelt(builder)):
        raise click.ClickException(in_flags(plain(why)))
    for line in summarise(builder):
        click.echo(in_flags(line))
    if options['dry_run']:
        click.echo(describe(builder))
        return
    if options['label']:
        builder.metadata.label = options['label']
    if options['daemon']:
        check_daemon()
        journal.is_shareable()
        from aiida.engine import submit

        node = submit(builder)
        add_to_group(node, options['group'])
        click.echo(f'Submitted <{node.pk}> {node.uuid}; `aiida-enne status {node.pk}` follows it')
        return
    node = foreground.run(builder, options['code'], keep_jobs=options['keep_jobs'])
    add_to_group(node, options['group'])
    click.echo(f'{node.process_label} <{node.pk}> {node.uuid}')
    if not node.is_finished_ok:
        raise click.ClickException(foreground.why_ended(node))
    for line in outcome.lines(node):
        click.echo(line)


def in_flags(text: str) -> str:
    """Write choices of an audit as the options that they are in a terminal."""
    for word, flag in FLAGS.items():
        text = text.replace(f'`{word}`', flag)
    return text


def check_daemon() -> None:
    """Refuse to submit while no daemon runs.

    Raises:
        click.ClickException: If the profile has no broker or its daemon does not run.
    """
    from aiida.engine import get_daemon_client
    from aiida.manage import get_manager

    if get_manager().get_broker() is None:
        raise click.ClickException(
            'this profile has no broker, so nothing can be submitted: leave out --daemon, or see '
            '`verdi profile configure-broker`'
        )
    if not get_daemon_client().is_daemon_running:
        raise click.ClickException('the daemon does not run: `verdi daemon start`')
