"""What the paper claims, and a computed verdict on every claim for the ensemble at hand."""

from aiida_enne.paper.claims.evidence import Evidence, Outcome, Verdict
from aiida_enne.paper.claims.judge import judge
from aiida_enne.paper.claims.paper import CLAIMS, Claim

__all__ = ['CLAIMS', 'Claim', 'Evidence', 'Outcome', 'Verdict', 'judge']
