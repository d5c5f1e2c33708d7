"""What limits every sentence about a domain: one configuration, atoms without neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_enne.science.uncertainty.exchange import LEVEL, attainable_level, members_needed
from aiida_enne.science.uncertainty.scores import Scalars
from aiida_enne.science.uncertainty.scores.bootstrap import MIN_BLOCKS
from aiida_enne.science.uncertainty.wording import QUANTITIES, plural


def limits(scalars: Scalars) -> str:
    """Return what must be said wherever a domain is named; empty where there is nothing.

    Args:
        scalars: Of the domain.
    """
    count, alone = int(scalars.get('n_configurations') or 0), int(scalars.get('n_lone') or 0)
    said = ['n = 1'] if count == 1 else []
    if alone:
        said.append(f'atoms without a neighbour in {alone} of {count}')
    return ', '.join(said)


def named(name: str, scalars: Scalars) -> str:
    """Return the name of a domain with its limits in brackets: 'vapour (n = 1)'."""
    said = limits(scalars)
    return f'{name} ({said})' if said else name


def cautions(domains: Mapping[str, Scalars], parameters: Mapping[str, Any]) -> list[str]:
    """Return sentences on what an audit cannot show.

    Args:
        domains: Scalars by name, by domain.
        parameters: Of the audit; `unfitted` holds quantities of which the estimator has no values.
    """
    found = [
        f'The estimator says nothing of {QUANTITIES[kind][2]}: {why}.'
        for kind, why in parameters.get('unfitted', {}).items()
    ]
    if few := [name for name, s in domains.items() if s.get('energy_rmse_low') is None]:
        text = f'No interval in {len(few)} of {plural(len(domains), "domain")}: fewer than '
        text += f'{MIN_BLOCKS} independent blocks ({", ".join(few)}).'
        found.append(text)
    if lone := [name for name, s in domains.items() if s.get('n_lone')]:
        text = 'Of an atom without a neighbour within the cutoff a model learns one energy for its '
        found.append(text + f'element, and no force: {", ".join(lone)}.')
    members = max((int(s.get('n_members') or 0) for s in domains.values()), default=0)
    if domains and attainable_level(members) is None:
        text = f'{members} members can never show anything at {LEVEL:.0%}: the exact test ranks '
        text += f'the truth among {members + 1}, so p is at least {1 / (members + 1):.2g}; '
        text += f'{members_needed()} members can.'
        found.append(text)
    masked = sum(int(s.get('force_n_masked') or 0) for s in domains.values())
    if masked:
        text = (
            f'{plural(masked, "force component")} that symmetry makes zero, or a constraint hides, '
        )
        found.append(text + f'{"is" if masked == 1 else "are"} left out.')
    return found
