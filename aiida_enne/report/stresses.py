"""Table of stresses: error and σ of every component by domain, in GPa."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aiida_enne.provenance import Material, Missing, gather_stresses
from aiida_enne.report.tables import Table, shown
from aiida_enne.science.properties.stresses import COMPONENTS, judge_stresses
from aiida_enne.science.structures.domains import in_order
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF


def of_stresses(material: Material) -> Iterator[Table]:
    """Yield error and σ of stresses, wherever labels and predictions have them.

    Raises:
        Missing: If labels have them and predictions have not.
    """
    rows = material.rows
    configurations = rows.configurations
    if configurations.stresses is None:
        return
    known = np.flatnonzero(np.isfinite(configurations.stresses).all(axis=(1, 2)))
    if not len(known):
        return
    try:
        members = gather_stresses(material.record.ensemble, rows.select(known))
    except ValueError as exception:
        raise Missing(f'some predictions have no stress: {exception}') from None
    domains, truth = configurations.domains[known], configurations.stresses[known]
    table = []
    for name in in_order(domains.tolist()):
        mine = domains == name
        found = judge_stresses(truth[mine], members[:, mine], ddof=PAPER_DDOF)
        if found is not None:
            pairs = zip(found.rmse.tolist(), found.spread.tolist(), strict=True)
            cells = [f'{shown(error)} / {shown(spread)}' for error, spread in pairs]
            ratio = '–' if np.isinf(found.ratio) else f'{found.ratio:.2g}'
            table.append([name, str(found.n), *cells, shown(found.pressure_error), ratio])
    headers = ['domain', 'n', *[f'{name}: RMSE / σ (GPa)' for name in COMPONENTS]]
    headers += ['ε of the pressure (GPa)', 'RMSE/σ']
    yield Table(f'Stresses: error of the mean and σ (ddof {PAPER_DDOF})', headers, table)
