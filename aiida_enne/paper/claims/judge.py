"""All claims judged: each by its judge, undecided where a study does not have what it takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from aiida_enne.paper.claims import properties, spread, training, volumes
from aiida_enne.paper.claims.evidence import Evidence, Found, Outcome, Verdict
from aiida_enne.paper.claims.paper import CLAIMS, Claim
from aiida_enne.science.guard import guarded
from aiida_enne.science.uncertainty.gates import failed

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
    outcome, sentence = outcomes[found.holds], found.sentence
    if red := failed(evidence.gates):
        outcome = 'undecided'
        sentence += f' It is not judged, since {red[0].reason}: {red[0].remedy}.'
    return Verdict(claim, outcome, sentence, found.value, found.uncertainty, found.threshold, text)
