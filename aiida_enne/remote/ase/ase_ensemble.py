"""An ensemble of NequIP models as one ASE calculator: mean, σ and every member."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import (
    Calculator,
    PropertyNotImplementedError,
    all_changes,
)
from nequip_frames import Geometry, example, to_input
from nequip_groups import left_alone, read
from nequip_predict_member import Member
from nequip_private import set_global_state

#: Of a full stress tensor, the six components in the order of ASE.
VOIGT = [0, 4, 8, 5, 2, 1]
#: Factors of recalibrated widths, by quantity, in the folder above that of the members.
CALIBRATION = 'calibration.json'
#: Where compiled code is kept; it is made once for a kind of processor and serves every model.
ARTEFACTS = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'aiida-enne'
#: What each quantity is called in the output of a model.
OUTPUTS = {
    'energy': 'total_energy',
    'forces': 'forces',
    'stress': 'stress',
    'energies': 'atomic_energy',
}
#: From predictions of the members (M, n), and their features of these samples where these are
#: asked for, each (n, f), to one width or score ≥ 0 for each sample (n,).
Width = Callable[..., Any]
#: Why a property is not there, where nobody said it.
UNFITTED = 'no width was given for it'


@dataclass(frozen=True)
class Judge:
    """What is said of the predictions of members.

    Attributes:
        widths: By quantity ('energy', per atom; 'forces' and 'stress', per component; 'energies'),
            what σ is; quantities that are not in it have no σ. None for the spread of all.
        scores: By quantity ('energy', 'forces'), what else is said of it.
        unfitted: By property, why it is not there.
        features: Whether both are asked with last-layer features.
    """

    widths: Mapping[str, Width] | None = None
    scores: Mapping[str, Width] = field(default_factory=dict)
    unfitted: Mapping[str, str] = field(default_factory=dict)
    features: bool = False


class Ensemble(Calculator):
    """Mean and σ of energy, forces and stress over all members in a folder.

    Beside ASE's own properties (`energy` in eV, `forces` in eV/Å, `stress` in eV/Å³ as xx, yy,
    zz, yz, xz, xy, `energies` of the atoms in eV) there are, by `get_property`, the σ of each
    (`energy_sigma`, `forces_sigma`, `stress_sigma`, `energies_sigma`, of the same shapes) and what
    every member says (`energy_members`, `forces_members`, `stress_members`, the member first).
    Where σ is not the spread of the members but a fitted width, what it was not fitted to has no σ.
    An estimator that only ranks has `energy_score` and `forces_score` beside σ.

    Members are evaluated at once where that says what NequIP says; `notes` has by member how far
    it is from NequIP's own model, or why it is evaluated alone.
    """

    implemented_properties = [
        'energy', 'free_energy', 'forces', 'stress', 'energies',
        'energy_sigma', 'forces_sigma', 'stress_sigma', 'energies_sigma',
        'energy_members', 'forces_members', 'stress_members',
    ]  # fmt: skip

    def __init__(
        self,
        folder: str | Path = 'members',
        device: str = 'cpu',
        *,
        ddof: int = 0,
        judge: Judge | None = None,
        calibrated: bool = False,
        vectorised: bool = True,
    ) -> None:
        """Load the members.

        Args:
            folder: Holds a checkpoint `<label>.ckpt` of every member.
            device: Of torch: 'cpu', 'cuda' …
            ddof: Divisor M - ddof of the variance over members; 0 is the paper's.
            judge: What σ is instead of the spread, and what else is said.
            calibrated: Take the widths of the file `calibration.json` beside the folder.
            vectorised: On a CPU, evaluate at once all members for which that says what NequIP
                says; the others are evaluated alone, with the fused tensor product on the same
                condition.

        Raises:
            FileNotFoundError: If there is no member, or no calibration where it is asked for.
        """
        super().__init__()
        set_global_state()
        paths = sorted(Path(folder).glob('*.ckpt'))
        if not paths:
            raise FileNotFoundError(f'no checkpoint of a member in {Path(folder).resolve()}')
        if calibrated:
            judge = read_calibration(Path(folder).parent / CALIBRATION)
        judge = judge or Judge()
        spread: dict[str, Width] = {name: Spread(1.0, ddof) for name in OUTPUTS}
        self.widths = spread if judge.widths is None else dict(judge.widths)
        self.scores, self.features = dict(judge.scores), judge.features
        lacking = {f'{name}_sigma': UNFITTED for name in OUTPUTS if name not in self.widths}
        self.unfitted = lacking | dict(judge.unfitted)
        self.implemented_properties = [
            name for name in self.implemented_properties if name not in self.unfitted
        ] + [f'{name}_score' for name in self.scores]
        self.members = [Member(path.stem, path, device, features='none') for path in paths]
        self.groups: list[Any] = []
        if vectorised and device == 'cpu':
            self._gather()
        together = {member.label for group in self.groups for member in group.members}
        self.alone = [member for member in self.members if member.label not in together]
        for member in self.alone:
            member.open()
            if vectorised and device == 'cpu':
                member.hasten(ARTEFACTS, [example(member.geometry)])

    @property
    def notes(self) -> dict[str, str]:
        """Return what is to be said of members, by label."""
        return {member.label: member.note for member in self.members}

    def get_property(self, name: str, atoms: Any = None, allow_calculation: bool = True) -> Any:
        """Return a property, see ASE.

        Raises:
            PropertyNotImplementedError: If there is none of the name; it says why.
        """
        if name in self.unfitted:
            raise PropertyNotImplementedError(f'there is no `{name}`: {self.unfitted[name]}')
        return super().get_property(name, atoms, allow_calculation)

    def _gather(self) -> None:
        for group in read(self.members, lambda geometry: [example(geometry)]):
            with left_alone(*group.members):
                group.prepare(ARTEFACTS)
                self.groups.append(group)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: tuple[str, ...] = ('energy',),
        system_changes: Any = all_changes,
    ) -> None:
        """Evaluate every member; neighbours are found once for all with equal cutoffs."""
        super().calculate(atoms, properties, system_changes)
        given: Any = self.atoms
        values = self.ask(given)
        features, n = values.pop('features'), len(given)
        self.results = {}
        for name, members in values.items():
            scale = n if name == 'energy' else 1  # widths are of energies per atom
            flat, shape = members.reshape(len(members), -1) / scale, members.shape[1:]
            beside = [of_samples(name, features)] if self.features else []
            self.results[name] = members.mean(axis=0)
            if name in self.widths:
                sigma = np.asarray(self.widths[name](flat, *beside))
                self.results[f'{name}_sigma'] = scale * sigma.reshape(shape)
            if name in self.scores:
                score = np.asarray(self.scores[name](flat, *beside))
                self.results[f'{name}_score'] = score.reshape(shape)
            if name != 'energies':
                self.results[f'{name}_members'] = members
        for name in self.results.keys() & {'energy', 'energy_sigma', 'energy_score'}:
            self.results[name] = float(self.results[name])
        self.results['free_energy'] = self.results['energy']

    def ask(self, atoms: Atoms) -> dict[str, Any]:
        """Return what every member says: energy (M,), forces (M, n, 3), energies (M, n).

        The stress (M, 6) is there where the structure repeats in all directions. `features` are
        the last-layer features of the atoms, each (n, f).
        """
        bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        said: dict[str, dict[str, Any]] = {}
        for group in self.groups:
            out = group.predict(bare)
            for row, member in enumerate(group.members):
                said[member.label] = {name: values[row] for name, values in out.items()}
        inputs: dict[Geometry, Any] = {}
        for member in self.alone:
            if member.geometry not in inputs:
                inputs[member.geometry] = to_input(bare, member.geometry)
            out = member.run([inputs[member.geometry]])
            said[member.label] = {name: value.double().numpy() for name, value in out.items()}
        m = len(self.members)
        stacked = {
            name: np.stack([np.ravel(said[member.label][output]) for member in self.members])
            for name, output in OUTPUTS.items()
            if name != 'stress' or atoms.pbc.all()
        }
        values: dict[str, Any] = {
            'features': [said[member.label]['node_features'] for member in self.members],
            'energy': stacked['energy'].reshape(m),
            'forces': stacked['forces'].reshape(m, -1, 3),
            'energies': stacked['energies'],
        }
        if atoms.pbc.all():
            values['stress'] = stacked['stress'][:, VOIGT]
        return values


class Spread:
    """The standard deviation over members times a factor."""

    def __init__(self, factor: float, ddof: int) -> None:
        self.factor, self.ddof = factor, ddof

    def __call__(self, members: Any, features: Any = None) -> Any:
        """Return the width of each sample (n,) from predictions (M, n), whatever its features."""
        return self.factor * np.std(members, axis=0, ddof=self.ddof)


class Constant:
    """One width for all samples."""

    def __init__(self, constant: float) -> None:
        self.constant = constant

    def __call__(self, members: Any, features: Any = None) -> Any:
        """Return the width of each sample (n,) from predictions (M, n), whatever its features."""
        return np.full(members.shape[1], self.constant)


def of_samples(name: str, features: list[Any]) -> list[Any]:
    """Return features by member of the samples of a quantity: means over atoms of all but two.

    Args:
        name: The quantity.
        features: Of the atoms, by member, each (n, f).
    """
    if name == 'forces':
        return [np.repeat(own, 3, axis=0) for own in features]
    return features if name == 'energies' else [own.mean(axis=0)[None] for own in features]


def read_calibration(path: Path) -> Judge:
    """Return the fitted widths of a file.

    Raises:
        FileNotFoundError: If it is not there.
    """
    if not path.exists():
        raise FileNotFoundError(f'{path} is not there: this ensemble was exported without one')
    content = json.loads(path.read_text())
    widths: dict[str, Width] = {
        name: Constant(**one) if 'constant' in one else Spread(**one)
        for name, one in content['widths'].items()
    }
    return Judge(widths, unfitted=content['unfitted'])
