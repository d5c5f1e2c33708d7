"""What claims are judged by: results of the analyses; and what a judgement is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from aiida_enne.paper.claims.paper import Claim
from aiida_enne.science.properties.curves import Curve, GroundShift, Shift
from aiida_enne.science.properties.formation import Formation
from aiida_enne.science.properties.paths import VolumePath
from aiida_enne.science.properties.ranking import Ranking
from aiida_enne.science.properties.scatter import Scatter
from aiida_enne.science.properties.transition import Transition
from aiida_enne.science.structures.domains import Domain, parse
from aiida_enne.science.uncertainty.cross import Cross
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF
from aiida_enne.science.uncertainty.gates import Gate, failed
from aiida_enne.science.uncertainty.growth import Growth
from aiida_enne.science.uncertainty.scans import Row
from aiida_enne.science.uncertainty.scores import Scalars

Outcome = Literal['holds', 'does not hold', 'undecided']


@dataclass(frozen=True, slots=True)
class Evidence:
    """Results on one ensemble; whatever a study does not have is left at None or empty.

    Attributes:
        ddof: See `ensemble.spread`: that of all results.
        training_domains: Domains that the ensemble was trained on.
        domains: Scalars of the audits by domain, of all datasets together; of the domains trained
            on, those of held-out frames.
        scatter: Energies per atom of all datasets together, raw; of the domains trained on, those
            of held-out frames.
        aligned: The same with each one's own zero: what claims say of them stands beside.
        shift: Where the reference has its minimum of cubic diamond.
        ranking: Order of the phases.
        ground: Shift between the own ground states of ensemble and reference.
        curve: E(V) of cubic diamond.
        path: Of cubic diamond.
        gates: What must be passed before a claim is judged: by quantity ('energy', 'aligned',
            'force') and, of the members of scans, by the kind of scan.
        is_published: Whether the data are of the paper's kind, silicon trained on liquids: only
            then the paper's numbers are limits.
        formations: Of defects and surfaces in the geometries of the reference.
        transition: From diamond to β-tin.
        growth: σ over the number of members.
        cross: Correlations of errors of the liquid.
        scans: Points of the scans by kind: 'grid' (`l_max`, `n_train`), 'densities', 'features',
            'cutoffs'; errors are force components of held-out liquid.
        scatters_by_size: Energies per atom as `scatter`, by the number of training frames.
        aligned_by_size: The same as `aligned`.
        kinds: What each domain is, by its label.
        absent: Why an analysis has no result, by the name that `judge.NEEDS` has for it.
    """

    ddof: int = PAPER_DDOF
    training_domains: Sequence[str] = ()
    domains: Mapping[str, Scalars] = field(default_factory=dict)
    scatter: Scatter | None = None
    aligned: Scatter | None = None
    shift: Shift | None = None
    ranking: Ranking | None = None
    path: VolumePath | None = None
    ground: GroundShift | None = None
    curve: Curve | None = None
    gates: Mapping[str, Sequence[Gate]] = field(default_factory=dict)
    is_published: bool = True
    formations: Sequence[Formation] = ()
    transition: Transition | None = None
    growth: Growth | None = None
    cross: Cross | None = None
    scans: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    scatters_by_size: Mapping[int, Scatter] = field(default_factory=dict)
    aligned_by_size: Mapping[int, Scatter] = field(default_factory=dict)
    kinds: Mapping[str, Domain] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)

    def kind(self, name: str) -> Domain:
        """Return what a domain is; a label that nobody gave a role is read as our own."""
        return self.kinds.get(name) or parse(name)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Judgement of one claim.

    Attributes:
        claim: The claim.
        outcome: 'holds', 'does not hold' or 'undecided', for the ensemble at hand.
        sentence: What was found, with numbers.
        value: The number found, in the unit of the claim; None where there is none.
        uncertainty: Its uncertainty; None where there is none.
        threshold: By which rule it was judged.
        text: What is claimed, in the words that fit these data.
    """

    claim: Claim
    outcome: Outcome
    sentence: str
    value: float | None = None
    uncertainty: float | None = None
    threshold: str = ''
    text: str = ''


@dataclass(frozen=True, slots=True)
class Found:
    """What a judge finds; `holds` is None where it cannot tell."""

    holds: bool | None
    sentence: str
    threshold: str
    value: float | None = None
    uncertainty: float | None = None

    def capped(self, gates: Sequence[Gate]) -> Found:
        """Return the same, open where a gate failed, with that reason."""
        if not (red := failed(gates)):
            return self
        said = f'{self.sentence} It is not judged, since {red[0].reason}: {red[0].remedy}.'
        return replace(self, holds=None, sentence=said)
