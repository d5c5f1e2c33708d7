"""An ensemble of NequIP models as one ASE calculator: the mean over its members."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from nequip.utils.global_state import set_global_state
from nequip_frames import Geometry, to_input
from nequip_predict_member import Member


class Ensemble(Calculator):
    """Mean energy, forces and stress of all members whose checkpoints lie in a folder."""

    implemented_properties = ['energy', 'forces', 'stress']

    def __init__(self, folder: str = 'members', device: str = 'cpu') -> None:
        """Load the members; raises `FileNotFoundError` if there is none."""
        super().__init__()
        set_global_state()
        paths = sorted(Path(folder).glob('*.ckpt'))
        if not paths:
            raise FileNotFoundError(f'no checkpoint of a member in {Path(folder).resolve()}')
        self.members = [Member(path.stem, path, device, features=False) for path in paths]
        for member in self.members:
            member.open()

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: tuple[str, ...] = ('energy',),
        system_changes: Any = all_changes,
    ) -> None:
        """Evaluate every member; neighbours are found once for all with equal cutoffs."""
        super().calculate(atoms, properties, system_changes)
        given: Any = self.atoms
        bare = Atoms(given.numbers, given.positions, cell=given.cell, pbc=given.pbc)
        inputs: dict[Geometry, Any] = {}
        results: dict[str, list[Any]] = {'total_energy': [], 'forces': [], 'stress': []}
        for member in self.members:
            if member.geometry not in inputs:
                inputs[member.geometry] = to_input(bare, member.geometry)
            out = member.run([inputs[member.geometry]])
            for name, values in results.items():
                values.append(out[name].double().numpy())
        mean = {name: np.mean(values, axis=0) for name, values in results.items()}
        self.results = {'energy': float(mean['total_energy'].item()), 'forces': mean['forces']}
        if given.pbc.all():
            stress = mean['stress'].reshape(3, 3)
            self.results['stress'] = stress.flat[[0, 4, 8, 5, 2, 1]]
