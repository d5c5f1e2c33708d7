"""All claims judged: each by its judge, undecided where a study does not have what it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from aiida_enne.paper.claims import properties, spread, training, volumes
from aiida_enne.paper.claims.evidence import Evidence, Found, Outcome, Verdict
from aiida_enne.paper.claims.paper import CLAIMS, Claim
from aiida_enne.science.guard import guarded

#: Which analysis each claim is judged by, as `Evidence.absent` names it.
NEEDS = dict.fromkeys(CLAIMS, 'energies') | {
    'accuracy': 'audit',
    'temperature': 'audit',
    **dict.fromkeys(('shift', 'order', 'path', 'interval', 'transition'), 'phases'),
    **dict.fromkeys(('defects', 'surface', 'cells'), 'formations'),
    'sizes': 'sizes',
    'densities': 'densities',
    'degree': 'grid',
    'flat': 'grid',
    'features': 'features',
    'cutoff': 'cutoffs',
    'growth': 'growth',
    'within': 'correlations',
    'across': 'correlations',
}
#: Whose gates cap each claim, as `Evidence.gates` names them. Those of own zeros cap what is judged
#: with them, see `spread`.
GATES: dict[str, tuple[str, ...]] = dict.fromkeys(CLAIMS, ('energy',)) | {
    **dict.fromkeys(('accuracy', 'temperature'), ('force',)),
    **dict.fromkeys(('degree', 'flat'), ('force', 'grid')),
    'densities': ('force', 'densities'),
    'features': ('force', 'features'),
    'cutoff': ('force', 'cutoffs'),
    'sizes': ('energy', 'sizes'),
    **dict.fromkeys(('within', 'across'), ('energy', 'subsets')),
}
#: `judge_<name of the claim>` of these modules.
JUDGES: dict[str, Callable[[Evidence], Found | None]] = {
    name.removeprefix('judge_'): function
    for module in (properties, volumes, spread, training)
    for name, function in vars(module).items()
    if name.startswith('judge_')
}


def judge(evidence: Evidence) -> list[Verdict]:
    """Return a verdict on every claim, in the order of `CLAIMS`."""
    return [_judge(claim, evidence) for claim in CLAIMS.values()]


def _judge(claim: Claim, evidence: Evidence) -> Verdict:
    text = claim.text if evidence.is_published else claim.general or claim.text
    found, reason = guarded(partial(JUDGES[claim.name], evidence))
    if found is None:
        why = reason or evidence.absent.get(NEEDS[claim.name], '')
        missing = f'This study does not have what it takes to judge this{": " * bool(why)}{why}.'
        return Verdict(claim, 'undecided', missing, text=text)
    outcomes: dict[bool | None, Outcome] = {
        True: 'holds',
        False: 'does not hold',
        None: 'undecided',
    }
    gates = [gate for name in GATES[claim.name] for gate in evidence.gates.get(name, ())]
    found = found.capped(gates)
    if unasked := evidence.absent.get('audit'):
        said = f'{found.sentence} It is not judged, since no gate could be asked: {unasked}.'
        found = replace(found, holds=None, sentence=said)
    outcome = outcomes[found.holds]
    return Verdict(
        claim, outcome, found.sentence, found.value, found.uncertainty, found.threshold, text
    )
