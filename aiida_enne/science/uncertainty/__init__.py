"""How far an ensemble's uncertainty can be trusted: estimators, scores, audits and findings."""
