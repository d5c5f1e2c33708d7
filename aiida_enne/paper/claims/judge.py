"""All claims judged: each by its judge, undecided where a study does not have what it takes."""

from __future__ import annotations

from aiida_enne.paper.claims import properties, spread, training
from aiida_enne.paper.claims.evidence import Evidence, Outcome, Verdict
from aiida_enne.paper.claims.paper import CLAIMS, Claim

JUDGES = properties.JUDGES | spread.JUDGES | training.JUDGES


def judge(evidence: Evidence) -> list[Verdict]:
    """Return a verdict on every claim, in the order of `CLAIMS`."""
    return [_judge(claim, evidence) for claim in CLAIMS.values()]


def _judge(claim: Claim, evidence: Evidence) -> Verdict:
    found = JUDGES[claim.name](evidence)
    if found is None:
        return Verdict(claim, 'undecided', 'This study does not have what it takes to judge this.')
    outcomes: dict[bool | None, Outcome] = {
        True: 'holds',
        False: 'does not hold',
        None: 'undecided',
    }
    return Verdict(
        claim,
        outcomes[found.holds],
        found.sentence,
        found.value,
        found.uncertainty,
        found.threshold,
    )
