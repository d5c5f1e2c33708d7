"""An ensemble of NequIP models as one ASE calculator: mean, σ and every member."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
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
#: From predictions of the members (M, n) to one width ≥ 0 for each sample (n,).
Width = Callable[[Any], Any]


class Ensemble(Calculator):
    """Mean and σ of energy, forces and stress over all members in a folder.

    Beside ASE's own properties (`energy` in eV, `forces` in eV/Å, `stress` in eV/Å³ as xx, yy,
    zz, yz, xz, xy, `energies` of the atoms in eV) there are, by `get_property`, the σ of each
    (`energy_sigma`, `forces_sigma`, `stress_sigma`, `energies_sigma`, of the same shapes) and what
    every member says (`energy_members`, `forces_members`, `stress_members`, the member first).

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
        widths: Mapping[str, Width] | None = None,
        calibrated: bool = False,
        vectorised: bool = True,
    ) -> None:
        """Load the members.

        Args:
            folder: Holds a checkpoint `<label>.ckpt` of every member.
            device: Of torch: 'cpu', 'cuda' …
            ddof: Divisor M - ddof of the variance over members; 0 is the paper's.
            widths: By quantity ('energy', per atom; 'forces', per component), what σ is instead.
            calibrated: Take the factors of the file `calibration.json` beside the folder.
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
        self.widths: dict[str, Width] = {name: Spread(ddof) for name in OUTPUTS}
        self.widths |= read_calibration(Path(folder).parent / CALIBRATION) if calibrated else {}
        self.widths |= dict(widths or {})
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
        n = len(given)
        self.results = {}
        for name, members in values.items():
            scale = n if name == 'energy' else 1  # widths are of energies per atom
            flat = members.reshape(len(members), -1) / scale
            sigma = scale * np.asarray(self.widths[name](flat)).reshape(members.shape[1:])
            self.results |= {name: members.mean(axis=0), f'{name}_sigma': sigma}
            if name != 'energies':
                self.results[f'{name}_members'] = members
        for name in ('energy', 'energy_sigma'):
            self.results[name] = float(self.results[name])
        self.results['free_energy'] = self.results['energy']

    def ask(self, atoms: Atoms) -> dict[str, Any]:
        """Return what every member says: energy (M,), forces (M, n, 3), energies (M, n).

        The stress (M, 6) is there where the structure repeats in all directions.
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
        values = {
            'energy': stacked['energy'].reshape(m),
            'forces': stacked['forces'].reshape(m, -1, 3),
            'energies': stacked['energies'],
        }
        if atoms.pbc.all():
            values['stress'] = stacked['stress'][:, VOIGT]
        return values


class Spread:
    """The standard deviation over members times a factor."""

    def __init__(self, ddof: int, factor: float = 1.0) -> None:
        self.ddof, self.factor = ddof, factor

    def __call__(self, members: Any) -> Any:
        """Return the width of each sample (n,) from the predictions (M, n)."""
        return self.factor * np.std(members, axis=0, ddof=self.ddof)


def read_calibration(path: Path) -> dict[str, Width]:
    """Return the recalibrated widths of a file.

    Raises:
        FileNotFoundError: If it is not there.
    """
    if not path.exists():
        raise FileNotFoundError(f'{path} is not there: this ensemble was exported without one')
    content = json.loads(path.read_text())
    return {name: Spread(one['ddof'], one['factor']) for name, one in content['factors'].items()}
