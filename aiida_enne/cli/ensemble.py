"""`aiida-enne ensemble`: list, show, compare and export trained ensembles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aiida_enne.cli.common import table, with_profile

#: What an ensemble can be turned into; `deploy.tools` knows how, which takes AiiDA to import.
TARGETS = ('package', 'ase', 'lammps', 'mliap', 'torch-sim')


@click.group()
def ensemble() -> None:
    """List, show, compare and export trained ensembles."""


@ensemble.command(name='list')
@with_profile
def list_ensembles() -> None:
    """List every work chain that trained an ensemble, the most recent one last."""
    from aiida_enne.provenance.overview import list_ensembles as find

    rows = [
        (one.pk, one.process, one.label, one.n_members, one.level_of_theory, one.created, one.state)
        for one in find()
    ]
    if not rows:
        raise click.ClickException(
            'no ensemble has been trained in this profile: `aiida-enne launch ensemble` trains one'
        )
    headers = ['pk', 'process', 'label', 'members', 'level of theory', 'created', 'state']
    click.echo(table(rows, headers))


@ensemble.command()
@click.argument('file', type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option('--label', default='', help='Label of the node.')
@with_profile
def base(file: Path, label: str) -> None:
    """Store the NequIP package FILE, to fine-tune members from it.

    `nequip-package build` makes a package of a checkpoint. Its code runs where members are trained:
    take packages from those whom you would let run a program.
    """
    from aiida import orm

    from aiida_enne.data.base_model import BaseModelData

    try:
        node = BaseModelData.from_file(file)
    except (ValueError, OSError) as exception:
        raise click.ClickException(str(exception)) from None
    same = {'attributes.sha256': node.sha256}
    known: Any = orm.QueryBuilder().append(BaseModelData, filters=same).first(flat=True)
    node = known or node
    if label or known is None:
        node.label = label
    node.store()
    click.echo(f'BaseModelData <{node.pk}> {node.uuid}: {node.get_description()}')
    click.echo(
        'Next: aiida-enne launch ensemble --protocol fine-tune --base-model '
        f'{node.pk} --code CODE --dataset DATASET --split SPLIT'
    )


@ensemble.command()
@click.argument('process')
@with_profile
def show(process: str) -> None:
    """Show the members of PROCESS, what they were trained on, and what audits found."""
    from aiida_enne.deploy.calculator import find_models
    from aiida_enne.deploy.export import describe
    from aiida_enne.deploy.readme import name_counts

    record = describe(process, find_models(process))
    click.echo(f'{record["process_type"]} {record["process"]}')
    click.echo(f'Ensemble {record["ensemble_sha256"]}')
    names = ['seed', 'family', 'epochs', 'best_epoch', 'r_max', 'uuid']
    rows = [
        (label, *(_shown(one.get(name)) for name in names))
        for label, one in record['members'].items()
    ]
    click.echo('\n' + table(rows, ['member', *names]))
    for one in record['trained_on']:
        counts, level = name_counts(one['domains']), one['level_of_theory']
        click.echo(
            f'\nTrained on {counts}, {level}: dataset {one["dataset"]}, split {one["split"]}'
        )
    if not record['audits']:
        click.echo('\nIt was not audited: `aiida-enne launch audit` does')
    for one in record['audits']:
        said = f'Audit of {one["label"]} <{one["uuid"]}>, {one["estimator"]}'
        click.echo(f'\n{said}:\n' + table(_audit_rows(one['domains']), AUDIT))
    if record['audits']:
        click.echo(f'\nMay σ be believed? `aiida-enne verdict {process}`')


@ensemble.command()
@click.argument('processes', nargs=-1, required=True)
@click.option('--quantity', type=click.Choice(['energy', 'force']), default='energy')
@with_profile
def compare(processes: tuple[str, ...], quantity: str) -> None:
    """Compare the audits of two or more PROCESSES, domain by domain: RMSE and RMSE/σ of each.

    Energies in meV/atom, forces in meV/Å; σ is what the estimator of the audit says. A domain that
    a process was not asked about is left open; where a process has it in several datasets, each of
    these has a line.
    """
    from aiida_enne import provenance

    if len(processes) < 2:
        raise click.UsageError('name two or more processes')
    found = [provenance.find_statistics(process) for process in processes]
    for process, some in zip(processes, found, strict=True):
        click.echo(f'{process}: {_describe(some)}')
    rows = [
        [one.domain, ', '.join(one.datasets), *_cells(one, quantity)]
        for one in provenance.compare(found)
    ]
    names = ('n', 'RMSE', 'RMSE/σ')
    headers = ['domain', 'dataset', *(f'{name} {one}' for name in processes for one in names)]
    click.echo('\n' + table(rows, headers))


@ensemble.command()
@click.argument('process')
@click.argument('folder', type=click.Path(path_type=Path, file_okay=False))
@click.option(
    '--to',
    'targets',
    type=click.Choice(TARGETS),
    multiple=True,
    help='Also turn every checkpoint into this; may be repeated. Compiling takes a minute each.',
)
@click.option('--calibrate', metavar='DOMAIN', default='', help='Fit a width to this domain.')
@click.option(
    '--estimator',
    default='',
    help='Width to add: finite, conformal or recalibrated, the default where there is a DOMAIN.',
)
@click.option('--device', default='cpu', show_default=True, help='What compiled files run on.')
@with_profile
def export(
    process: str,
    folder: Path,
    targets: tuple[str, ...],
    calibrate: str,
    estimator: str,
    device: str,
) -> None:
    """Write the ensemble of PROCESS into FOLDER, with a README whose examples run there.

    The folder holds checkpoints and configurations of all members, an ASE calculator with σ, where
    everything comes from, and digests. It needs NequIP and ASE alone.
    """
    from aiida_enne.deploy.export import export as write
    from aiida_enne.deploy.widths import Choice

    chosen = estimator or 'recalibrated' * bool(calibrate)
    done = write(
        process,
        folder,
        targets=targets,
        width=Choice(chosen, calibrate) if chosen else None,
        device=device,
        progress=click.echo,
    )
    size = sum(done.files.values()) / 1e6
    click.echo(f'{len(done.files)} files, {size:.1f} MB: {done.folder}; begin with README.md')


AUDIT = ('domain', 'n', 'RMSE (meV/atom)', 'σ (meV/atom)', 'RMSE/σ')


def _audit_rows(domains: dict[str, dict[str, Any]]) -> list[tuple[Any, ...]]:
    from aiida_enne.deploy.readme import milli, ratio

    rows = []
    for name, one in domains.items():
        error, spread = one.get('energy_rmse'), one.get('energy_spread_rms')
        n = one.get('n_configurations')
        rows.append((name, n, milli(error), milli(spread), ratio(error, spread)))
    return rows


def _describe(found: list[Any]) -> str:
    """Say whose audits these are: ensemble, estimator, datasets."""
    from aiida_enne.science.uncertainty.options import width_label

    members = {(one.attributes['ensemble_sha256'], one.attributes['n_members']) for one in found}
    ensembles = {f'ensemble {sha256[:12]} of {number} members' for sha256, number in members}
    estimators = {width_label(one.attributes['parameters']) for one in found}
    datasets = [f'{one.label} ({one.attributes["level_of_theory"]})' for one in found]
    return '; '.join(map(', '.join, (sorted(ensembles), sorted(estimators), datasets)))


def _cells(row: Any, quantity: str) -> list[str]:
    """Return the number of configurations, RMSE and RMSE/σ of every process."""
    from aiida_enne.deploy.readme import milli, ratio

    cells: list[str] = []
    for one in row.found:
        if one is None:
            cells += ['not asked'] * 3
            continue
        scalars = one.domains[row.domain]
        n = str(scalars['n_configurations'])
        if row.domain == one.attributes['parameters'].get('calibration_domain'):
            cells += [n, 'learnt from', 'learnt from']
            continue
        error, spread = (scalars.get(f'{quantity}_{name}') for name in ('rmse', 'spread_rms'))
        cells += [n, milli(error), ratio(error, spread)]
    return cells


def _shown(value: Any) -> Any:
    return 'not recorded' if value is None else value
