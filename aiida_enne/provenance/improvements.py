"""What an improvement found, read from its outputs, and which improvements knew an ensemble."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiida import orm
from aiida.common.exceptions import NotExistent
from aiida.common.links import LinkType

from aiida_enne.data.model import ModelData
from aiida_enne.provenance.ensembles import Ensemble, last_calls
from aiida_enne.science.selection.comparison import Curve

LABEL = 'ImproveWorkChain'
#: What its calls of audits on the held-out set begin with.
AUDITS = 'examine_'
#: Headers of the table of what was bought.
BOUGHT = (
    'path',
    'round',
    'labels',
    'RMSE of forces, eV/Å',
    'σ, eV/Å',
    'RMSE/σ',
    'recalibrated',
    'refused',
)
#: Headers of the table of what was refused.
REFUSED = ('candidates were refused because', 'so many in a round')


@dataclass(frozen=True, slots=True)
class Bought:
    """What one path bought in one round, predicted before it was trained on.

    Attributes:
        path: Label of the path: `ensemble_1`.
        round: Number of the round, 0 for the first.
        configurations: How many.
        force_rmse: RMSE of forces of the ensemble that chose them, in eV/Å; None where undefined.
        force_spread: Its σ, root mean square, in eV/Å; None where undefined.
        factor: What earlier rounds of the path say σ is to be multiplied by; None where they
            cannot.
        refused: Candidates that were refused by name.
        reasons: How many for which reason, without its numbers.
    """

    path: str
    round: int
    configurations: int
    force_rmse: float | None
    force_spread: float | None
    factor: float | None
    refused: int
    reasons: Mapping[str, int]

    @property
    def cells(self) -> list[str]:
        """A line of a table with the headers `BOUGHT`; what is undefined is a dash."""
        ratio = recalibrated = '–'
        if self.force_rmse is not None and self.force_spread:
            ratio = f'{self.force_rmse / self.force_spread:.2f}'
            if self.factor is not None:
                recalibrated = f'{self.force_rmse / (self.factor * self.force_spread):.2f}'
        error, spread = (
            '–' if value is None else f'{value:.3g}'
            for value in (self.force_rmse, self.force_spread)
        )
        counted = [str(self.round), str(self.configurations)]
        return [self.path, *counted, error, spread, ratio, recalibrated, str(self.refused)]


@dataclass(frozen=True, slots=True)
class Improvement:
    """An improvement that has ended.

    Attributes:
        process: UUID of the work chain.
        curves: Error over labels of every path.
        arms: Comparison with chance by arm, see `science.selection.comparison.compare`.
        chance: Name of the arm that chose by chance.
        ended: Why each path ended.
        audited: UUID of the last audit of each path on the held-out set.
        bought: By path and round.
    """

    process: str
    curves: tuple[Curve, ...]
    arms: Mapping[str, Mapping[str, Any]]
    chance: str
    ended: Mapping[str, str]
    audited: Mapping[str, str]
    bought: tuple[Bought, ...]


def find_improvement(identifier: str | int) -> Improvement:
    """Return what an improvement found.

    Args:
        identifier: PK or UUID of an `ImproveWorkChain`.

    Raises:
        NotExistent: If there is no such work chain, it is of another kind, or it has no summary.
    """
    node = orm.load_node(identifier)
    what = getattr(node, 'process_label', None) or type(node).__name__
    if not isinstance(node, orm.WorkChainNode) or what != LABEL:
        raise NotExistent(
            f'<{identifier}> is no improvement, its kind is {what}; `aiida-enne launch improve` '
            'makes one'
        )
    if 'summary' not in node.outputs:
        raise NotExistent(f'the improvement <{identifier}> has no summary: it has not ended yet')
    summary = node.outputs.summary.get_dict()
    paths = summary['paths']
    curves = [
        Curve(one['arm'], one['repeat'], one['labels'], one['force_rmse'])
        for one in paths.values()
        if one['labels']
    ]
    return Improvement(
        node.uuid,
        tuple(curves),
        summary['arms'],
        summary['chance'],
        {path: one['ended'] for path, one in paths.items()},
        {path: one.uuid for path, one in last_calls(node, AUDITS).items()},
        tuple(_bought(node)),
    )


def find_improvements(ensemble: Ensemble) -> list[str]:
    """Return the UUIDs of all improvements with a summary that trained these members, by age."""
    query = orm.QueryBuilder()
    weights = {'attributes.weights_sha256': {'in': ensemble.weights}}
    query.append(ModelData, filters=weights, tag='model')
    query.append(orm.WorkChainNode, with_outgoing='model', tag='training')
    kind = {'attributes.process_label': LABEL}
    query.append(orm.WorkChainNode, filters=kind, with_outgoing='training', tag='improvement')
    query.add_projection('improvement', ['uuid', 'id'])
    query.append(
        orm.Dict,
        with_incoming='improvement',
        edge_filters={'type': LinkType.RETURN.value, 'label': 'summary'},
    )
    query.distinct()
    return [uuid for uuid, _ in sorted(query.iterall(), key=lambda row: int(row[1]))]


def refusals(bought: Sequence[Bought]) -> list[tuple[str, str]]:
    """Return each reason to refuse candidates, with how many it was of in a round: '0 to 3'."""
    rows = []
    for reason in sorted({reason for one in bought for reason in one.reasons}):
        counts = [one.reasons.get(reason, 0) for one in bought]
        least, most = min(counts), max(counts)
        rows.append((reason, str(most) if least == most else f'{least} to {most}'))
    return rows


def best_audit(node: orm.Node) -> str | None:
    """Return the UUID of the last audit of the path that ended with the least error.

    Args:
        node: Any node; of what is no improvement with a summary there is none.
    """
    if getattr(node, 'process_label', None) != LABEL or 'summary' not in node.outputs:
        return None
    paths = node.outputs.summary.get_dict()['paths']
    known = {path: one['force_rmse'][-1] for path, one in paths.items() if one['force_rmse']}
    audits = last_calls(node, AUDITS)
    chosen = min(known.keys() & audits.keys(), key=lambda path: (known[path], path), default=None)
    return None if chosen is None else str(audits[chosen].uuid)


def _bought(node: orm.ProcessNode) -> list[Bought]:
    """Return what was bought by path and round; nothing where nothing was."""
    if 'prequential' not in node.outputs:
        return []
    found = []
    for path, rounds in sorted(node.outputs.prequential.items()):
        for name, audit in sorted(rounds.items()):
            domains = audit.domains.values()
            n = sum(one['n_configurations'] for one in domains)
            selection = node.outputs.selections[path][name].get_dict()
            rmse, spread = (_rms(domains, f'force_{key}') for key in ('rmse', 'spread_rms'))
            number = int(name.removeprefix('round_'))
            reasons = Counter(re.sub(r'\d+(\.\d+)?', '…', why) for _, why in selection['refused'])
            count = sum(reasons.values())
            factor = _factor(node, path, name)
            found.append(Bought(path, number, n, rmse, spread, factor, count, dict(reasons)))
    return found


def _factor(node: orm.ProcessNode, path: str, name: str) -> float | None:
    """Return what earlier rounds say σ of forces is multiplied by; None where they say nothing."""
    if 'calibrations' not in node.outputs or path not in node.outputs.calibrations:
        return None
    known = dict(node.outputs.calibrations[path])
    if name not in known:
        return None
    factor = known[name].get_dict()['force'].get('factor')
    return None if factor is None else float(factor)


def _rms(domains: Any, name: str) -> float | None:
    """Return the root mean square over components of a scalar of domains, None if undefined."""
    known = [(one['n_force_components'], one.get(name)) for one in domains]
    squares = [(n, value**2) for n, value in known if n and value is not None]
    total = sum(n for n, _ in squares)
    return (sum(n * square for n, square in squares) / total) ** 0.5 if total else None
