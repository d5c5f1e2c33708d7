"""`aiida-enne dataset gather`: finished calculations of the profile become a dataset."""

from datetime import datetime
from typing import Any

import click

from aiida_enne.cli.common import WHERE_NODES_ARE, plain, with_profile
from aiida_enne.cli.dataset_options import as_flags, label_options, read_choices, say, say_stored


@click.command('gather')
@click.argument('nodes', nargs=-1)
@click.option('--group', 'groups', multiple=True, help='All of this group (repeatable).')
@click.option('--process-label', help='All processes of this class, such as PwBaseWorkChain.')
@click.option('--entry-point', help='All processes of this entry point, such as quantumespresso.pw')
@click.option('--label-like', metavar='PATTERN', help="Of the node's label; % stands for any text.")
@click.option('--since', type=click.DateTime(), help='Only what was made since then (2026-05-31).')
@label_options
@with_profile
def gather(
    nodes: tuple[str, ...],
    *,
    groups: tuple[str, ...],
    process_label: str | None,
    entry_point: str | None,
    label_like: str | None,
    since: datetime | None,
    level_of_theory: str | None,
    label: str,
    dry_run: bool,
    **options: Any,
) -> None:
    """Gather the labels of finished calculations: NODES by PK, UUID or label, a group, or a query.

    The dataset is linked to their outputs. Units are known of the outputs of Quantum ESPRESSO,
    VASP, CP2K, common workflows and this package; keys and units are those of a TrajectoryData
    that no such calculation made. One calculation is one trajectory block; single frames that are
    copies of one structure share one. For --domain-key each node has the keys label, process, pk
    and group.
    """
    from aiida import orm

    from aiida_enne.calculations.gather import gather as check
    from aiida_enne.calculations.gather import gather_labels, plain_choices, read_runs
    from aiida_enne.science.importing.problems import ImportRefusedError

    choices = read_choices(options)
    filters = (process_label, entry_point, label_like, since)
    chosen = _chosen(nodes, groups, filters)
    facts = [one.facts() for one in chosen]
    try:
        runs = read_runs(facts, [one.source.nodes for one in chosen], choices)
        imported, level = check(runs, choices, level_of_theory)
    except ImportRefusedError as exception:
        raise click.ClickException(f'nothing was stored:\n{as_flags(exception)}') from exception
    say(imported, level)
    click.echo(f'level of theory: {level}')
    if dry_run:
        n = len(imported.configurations)
        click.echo(f'{n} configurations pass; nothing was stored (--dry-run)')
        return
    used = [one for one in chosen if one.name in imported.sources]
    labels = [f'source_{number:06}' for number in range(len(used))]
    parameters = {
        'choices': plain_choices(choices),
        'sources': {name: one.facts() for name, one in zip(labels, used, strict=True)},
        'level_of_theory': level_of_theory,
    }
    sources = {name: dict(one.source.nodes) for name, one in zip(labels, used, strict=True)}
    node: Any = gather_labels(parameters=orm.Dict(parameters), sources=sources)
    node.label = label
    say_stored(node)


def _chosen(
    nodes: tuple[str, ...], groups: tuple[str, ...], filters: tuple[Any, Any, Any, Any]
) -> list[Any]:
    """Return what was named, then what groups and filters give; nothing twice.

    Raises:
        click.ClickException: If a name is not known, a group is empty or nothing matches.
    """
    from aiida_enne.calculations.gather import choose

    found: dict[str, tuple[Any, str | None]] = {
        node.uuid: (node, None) for node in map(_load, nodes)
    }
    if groups or any(filters):
        found = _queried(groups, filters) | found
    if not found:
        raise click.UsageError(
            'nothing to gather: give PKs or UUIDs, --group, --process-label, --entry-point, '
            '--label-like or --since'
        )
    chosen: dict[str, Any] = {}
    for node, group in found.values():
        if not _within(node, set(found)):
            one = choose(node, group)
            chosen.setdefault(one.uuid, one)
    return list(chosen.values())


def _within(node: Any, uuids: set[str]) -> bool:
    """Return whether a process was called by another one that is gathered too."""
    caller = getattr(node, 'caller', None)
    return caller is not None and (caller.uuid in uuids or _within(caller, uuids))


def _load(value: str) -> Any:
    from aiida.common.exceptions import MultipleObjectsError, NotExistent
    from aiida.orm import NodeEntityLoader

    try:
        return NodeEntityLoader.load_entity(value)
    except (NotExistent, MultipleObjectsError, ValueError) as exception:
        raise click.ClickException(
            f'{value!r} must be the PK, UUID or label of one node: {plain(str(exception))}; '
            f'{WHERE_NODES_ARE}'
        ) from exception


def _queried(
    groups: tuple[str, ...], filters: tuple[Any, Any, Any, Any]
) -> dict[str, tuple[Any, str | None]]:
    """Return nodes that are in a group and match all filters, by their UUID, with the group."""
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    process_label, entry_point, label_like, since = filters
    wanted: dict[str, Any] = {}
    if process_label:
        wanted['attributes.process_label'] = process_label
    if entry_point:
        wanted['process_type'] = {'like': f'%:{entry_point}'}
    if label_like:
        wanted['label'] = {'like': label_like}
    if since:
        wanted['ctime'] = {'>=': since.astimezone()}
    found: dict[str, tuple[Any, str | None]] = {}
    for label in groups or (None,):
        # a group may hold trajectories too; a query without one is for processes
        query = orm.QueryBuilder()
        if label is not None:
            try:
                group = orm.load_group(label)
            except (NotExistent, MultipleObjectsError, ValueError) as exception:
                raise click.ClickException(
                    f'{label!r} must be the label of one group: {plain(str(exception))}; '
                    '`verdi group list` shows them'
                ) from exception
            query.append(orm.Group, filters={'id': group.pk}, tag='group')
            query.append(orm.Node, with_group='group', filters=wanted, tag='node')
        else:
            query.append(orm.ProcessNode, filters=wanted, tag='node')
        query.order_by({'node': 'id'})
        found = {node.uuid: (node, label) for node in query.all(flat=True)} | found
    if not found:
        where = f'in group {", ".join(map(repr, groups))}' if groups else 'in this profile'
        asked = ', '.join(f'{name} {value!r}' for name, value in wanted.items()) or 'no filter'
        raise click.ClickException(
            f'there is nothing to gather {where} with {asked}: expected at least one finished '
            'calculation; `verdi group show` and `verdi process list -a` show what there is'
        )
    return found
