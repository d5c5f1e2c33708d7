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
        click.echo('\nIt was not audited by this process: `aiida-enne launch audit` does')
    for label, domains in record['audits'].items():
        click.echo(f'\nAudit of {label}:\n' + table(_audit_rows(domains), AUDIT))


@ensemble.command()
@click.argument('processes', nargs=-1, required=True)
@click.option('--quantity', type=click.Choice(['energy', 'force']), default='energy')
@with_profile
def compare(processes: tuple[str, ...], quantity: str) -> None:
    """Compare the audits of two or more PROCESSES, domain by domain: RMSE and RMSE/σ of each.

    Energies in meV/atom, forces in meV/Å. A domain that a process was not asked about is left open.
    """
    from aiida_enne import provenance

    if len(processes) < 2:
        raise click.UsageError('name two or more processes')
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for number, process in enumerate(processes):
        for one in provenance.find_statistics(process):
            for domain, scalars in one.domains.items():
                found.setdefault(domain, {})[str(number)] = scalars
    rows = []
    for domain, by_process in sorted(found.items()):
        row = [domain]
        for number in range(len(processes)):
            asked = by_process.get(str(number))
            row += ['not asked'] * 2 if asked is None else _errors(asked, quantity)
        rows.append(row)
    headers = ['domain', *(f'{name} {one}' for one in processes for name in ('RMSE', 'RMSE/σ'))]
    click.echo(table(rows, headers))


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
@click.option('--calibrate', metavar='DOMAIN', default='', help='Recalibrate σ on this domain.')
@click.option('--device', default='cpu', show_default=True, help='What compiled files run on.')
@with_profile
def export(
    process: str, folder: Path, targets: tuple[str, ...], calibrate: str, device: str
) -> None:
    """Write the ensemble of PROCESS into FOLDER, with a README whose examples run there.

    The folder holds checkpoints and configurations of all members, an ASE calculator with σ, where
    everything comes from, and digests. It needs NequIP and ASE alone.
    """
    from aiida_enne.deploy.export import export as write

    done = write(
        process,
        folder,
        targets=targets,
        calibration_domain=calibrate,
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


def _errors(scalars: dict[str, Any], quantity: str) -> list[str]:
    from aiida_enne.deploy.readme import milli, ratio

    error, spread = scalars.get(f'{quantity}_rmse'), scalars.get(f'{quantity}_spread_rms')
    return [milli(error), ratio(error, spread)]


def _shown(value: Any) -> Any:
    return 'not recorded' if value is None else value
