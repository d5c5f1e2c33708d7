"""`aiida-enne improvement`: error over labels, and whether a choice beat chance."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from aiida_enne.cli.common import table, with_profile


@click.command()
@click.argument('process')
@click.option(
    '--figure',
    'picture',
    type=click.Path(path_type=Path, dir_okay=False),
    help='Draw error over labels into this file, .png, .svg or .pdf.',
)
@click.option('--json', 'as_json', is_flag=True, help='Print all numbers as JSON.')
@with_profile
def improvement(process: str, picture: Path | None, *, as_json: bool) -> None:
    """Say what the improvement PROCESS made of its labels, and whether choosing beat chance."""
    from aiida_enne.provenance.improvements import find_improvement

    found = find_improvement(process)
    if as_json:
        click.echo(json.dumps(asdict(found), ensure_ascii=False, indent=1, allow_nan=False))
    else:
        for line in describe(found):
            click.echo(line)
    if picture is not None:
        from aiida_enne.science.figures import new_axes, save
        from aiida_enne.science.figures.improvement import draw_improvement

        words = {arm: str(one['verdict']) for arm, one in found.arms.items()}
        axes = draw_improvement(found.curves, axes=new_axes(7.0, 4.2), verdicts=words)
        save(axes, picture, picture.suffix[1:])
        click.echo(f'{picture}: error over labels', err=as_json)


def describe(found: Any) -> list[str]:
    """Return tables of errors and purchases, and a sentence on every arm."""
    from aiida_enne.provenance.improvements import BOUGHT, REFUSED, refusals
    from aiida_enne.science.selection.comparison import sentence

    rows = [
        (f'{curve.arm}_{curve.repeat}', labels, f'{error:.3g}')
        for curve in found.curves
        for labels, error in zip(curve.labels, curve.errors, strict=True)
    ]
    lines = [table(rows, ('Path', 'Labels', 'RMSE held out, eV/Å')), '']
    if found.bought:
        lines.append('Bought labels, predicted before any ensemble was trained on them:')
        lines += [table([one.cells for one in found.bought], BOUGHT), '']
    if refused := refusals(found.bought):
        lines += [table(refused, REFUSED), '']
    lines += [f'{path} ended: {why}' for path, why in sorted(found.ended.items())]
    lines += [sentence(arm, one, found.chance) for arm, one in found.arms.items()]
    return lines
