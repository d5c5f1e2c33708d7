"""The σ of an ensemble along a trajectory: looked at, held against thresholds, recorded."""

from __future__ import annotations

from typing import Any

from ase import Atoms


class Watch:
    """Looks at σ every so many steps.

    σ of the energy is per atom (eV/atom), that of the forces the largest of all components (eV/Å).
    """

    def __init__(self, options: dict[str, Any] | None) -> None:
        """Take the option `sigma` of a task, or None to look at nothing."""
        self.options = options
        self.above = ''

    def look(self, atoms: Atoms, step: int, recorded: bool) -> dict[str, float]:
        """Return σ by name where this step is looked at or recorded; nothing at other steps.

        `above` then says which threshold is passed; it is empty where none is.
        """
        self.above = ''
        if self.options is None or not (recorded or step % self.options['every'] == 0):
            return {}
        calculator: Any = atoms.calc
        energy = calculator.get_property('energy_sigma', atoms) / len(atoms)
        force = calculator.get_property('forces_sigma', atoms).max()
        units = {'energy': 'eV/atom', 'force': 'eV/Å'}
        found = {'energy': float(energy), 'force': float(force)}
        passed = [
            f'σ of the {name} is {value:.3g} {units[name]}, above {self.options[name]:.3g}'
            for name, value in found.items()
            if self.options[name] and value > self.options[name]
        ]
        self.above = '; '.join(passed)
        return {f'sigma_{name}': value for name, value in found.items()}

    @property
    def stops(self) -> bool:
        """Whether the trajectory ends here."""
        return bool(self.above) and self.options is not None and self.options['then'] == 'stop'
