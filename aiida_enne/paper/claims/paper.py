"""The paper's claims and its numbers, as data."""

from __future__ import annotations

from dataclasses import dataclass

SOURCE = 'Lu, Ghiringhelli, Carbogno, Wang, Scheffler (2023)'


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement of the paper.

    Attributes:
        name: Short and unique.
        figure: Where it is shown: 'F1' to 'F7' in the paper, 'S1' to 'S10' in its supplement,
            'Disc' in its discussion.
        text: What is claimed.
        value: The paper's number, None where there is none.
        uncertainty: What the paper gives after ±, None where it gives nothing.
        unit: Unit of the number; empty where it has none.
        general: The claim for other data than silicon trained on liquids; empty where it is as
            it stands.
    """

    name: str
    figure: str
    text: str
    value: float | None = None
    uncertainty: float | None = None
    unit: str = ''
    general: str = ''

    @property
    def source(self) -> str:
        """Where the claim is from."""
        kinds = {'F': 'figure ', 'S': 'figure S', 'D': 'discussion'}
        return f'{SOURCE}, {kinds[self.figure[0]]}{self.figure[1:].removeprefix("isc")}'


_ALL = (
    Claim(
        'accuracy',
        'F2',
        'Forces of held-out liquid are accurate.',
        0.063,
        None,
        'eV/Å',
        'Forces of held-out frames of what was trained on are accurate.',
    ),
    Claim(
        'temperature',
        'F3',
        'Force errors of the liquid do not depend on temperature.',
        general='Force errors at one density do not depend on temperature.',
    ),
    Claim(
        'shift',
        'F4',
        'At the minimum of cubic diamond the mean energy is off by far more than σ.',
        0.115,
        None,
        'eV/atom',
    ),
    Claim('order', 'F4', 'Members put crystal phases into the wrong order.'),
    Claim('path', 'F5', 'With the volume of cubic diamond |ε| does not rise with σ.'),
    Claim('interval', 'F5', '|ε| < σ only in a small interval of the volume of cubic diamond.'),
    Claim(
        'defects',
        'F6',
        'Formation energies of defects are off by about 1 eV and the reference is never inside σ.',
        1.0,
        None,
        'eV',
        'Formation energies of defects are off by far more than σ.',
    ),
    Claim('surface', 'F6', 'The surface energy is far too low.', -0.5, None, 'eV per surface atom'),
    Claim(
        'liquid',
        'F7',
        'σ of the liquid is small.',
        2.0,
        None,
        'meV/atom',
        'σ of what was trained on is small.',
    ),
    Claim('ratio', 'F7', 'Errors of crystal phases reach several σ.', 5.0, None, 'σ'),
    Claim('overconfident', 'F7', 'Outside the training domains σ is overconfident.'),
    Claim('related', 'F7', 'Outside the training domains σ says little about the size of ε.'),
    Claim(
        'scale',
        'F7',
        'One scale factor of σ, from the liquid, does not save it elsewhere.',
        general='One scale factor of σ, from what was trained on, does not save it elsewhere.',
    ),
    Claim('densities', 'S1', 'The force error has converged with the densities trained on.', 5.0),
    Claim('degree', 'S2', 'The largest degree l_max has the least force error.', 3.0),
    Claim('flat', 'S2', 'The force error hardly depends on the number of training frames.'),
    Claim(
        'growth', 'S3', 'σ grows far more with the members than independent ones would.', 2.25, 0.25
    ),
    Claim('features', 'S4', 'This many features have the least force error.', 16.0),
    Claim('cutoff', 'S4', 'This cutoff has the least force error.', 5.0, None, 'Å'),
    Claim(
        'transition',
        'S5',
        "The transition pressure of diamond to β-tin agrees with the reference's within σ.",
        12.0,
        3.1,
        'GPa',
    ),
    Claim('cells', 'S6', 'The size of supercell and slab has little effect on the errors.'),
    Claim('sizes', 'S9', 'σ says little about ε at any number of training frames.'),
    Claim(
        'within', 'S10', "Members' errors are strongly correlated within an ensemble.", 0.85, 0.04
    ),
    Claim('across', 'S10', 'So they are across training sets.', 0.88, 0.05),
    Claim('flags', 'Disc', 'The threshold rule flags all solids.', 100.0, None, '%'),
    Claim('accurate', 'Disc', 'Accurate ones are among the solids that the rule flags.'),
)

#: All claims by name, in the order of the figures.
CLAIMS = {claim.name: claim for claim in _ALL}
