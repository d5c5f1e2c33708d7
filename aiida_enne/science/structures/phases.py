"""The eight crystal phases of the equation-of-state study, with their free parameters.

The default parameters and volumes are those of silicon at zero pressure in PBE (Quantum ESPRESSO
6.7, `Si.pbe-rrkj.UPF`, 22 Ry, 0.01 Ry cold smearing, cell relaxed to 1 kbar within the symmetry).
`Phase.note` sets measured or ideal values beside them where these are known.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ase import Atoms
from ase.spacegroup import crystal

from aiida_enne.science.structures.checks import positive
from aiida_enne.science.structures.lattice import check_symbol

Site = tuple[float | str, float | str, float | str]


@dataclass(frozen=True, slots=True)
class Phase:
    """What makes a crystal phase: symmetry, occupied sites and free parameters.

    Attributes:
        space_group: Number in the International Tables.
        n_atoms: Number of atoms in the primitive cell.
        sites: Occupied sites in the conventional cell; a coordinate is a number or the name of a
            free parameter.
        volume: Default volume per atom, Å³: the middle of a scan.
        parameters: Default values of the free parameters: `c_over_a` and internal coordinates.
        note: Values known from elsewhere.
    """

    space_group: int
    n_atoms: int
    sites: tuple[Site, ...]
    volume: float
    parameters: Mapping[str, float]
    note: str


_ORIGIN: Site = (0.0, 0.0, 0.0)

PHASE_TABLE: Mapping[str, Phase] = {
    'diamond': Phase(227, 2, (_ORIGIN,), 20.51, {}, 'measured a = 5.431 Å, 20.02 Å³'),
    'hexagonal-diamond': Phase(
        194,
        4,
        ((1 / 3, 2 / 3, 'z'),),
        20.51,
        {'c_over_a': 1.650, 'z': 0.0627},
        'bonds all equal at c/a = √(8/3) = 1.633 and z = 1/16',
    ),
    'beta-tin': Phase(
        141,
        2,
        (_ORIGIN,),
        15.53,
        {'c_over_a': 0.564},
        'measured c/a = 0.552 under pressure (Jamieson, Science 139, 762, 1963)',
    ),
    'bc8': Phase(
        206,
        8,
        (('x', 'x', 'x'),),
        18.54,
        {'x': 0.1014},
        'measured a = 6.64 Å, x = 0.1003 ± 0.0008 (Kasper and Richards, Acta Cryst. 17, 752, 1964)',
    ),
    'st12': Phase(
        96,
        12,
        (('x1', 'x1', 0.0), ('x2', 'y2', 'z2')),
        18.40,
        {'c_over_a': 1.208, 'x1': 0.0808, 'x2': 0.1656, 'y2': 0.3726, 'z2': 0.2425},
        'measured for germanium: c/a = 1.177, x1 = 0.0912, (0.1730, 0.3784, 0.2486) '
        '(Kasper and Richards, Acta Cryst. 17, 752, 1964)',
    ),
    'hcp': Phase(
        194,
        2,
        ((1 / 3, 2 / 3, 0.25),),
        14.62,
        {'c_over_a': 1.703},
        'measured c/a = 1.697 at 48 GPa (Anzellini et al., Sci. Rep. 9, 15537, 2019)',
    ),
    'bcc': Phase(229, 1, (_ORIGIN,), 14.95, {}, 'hypothetical for silicon'),
    'fcc': Phase(225, 1, (_ORIGIN,), 14.62, {}, 'observed above about 80 GPa'),
}
PHASES = tuple(PHASE_TABLE)


def phase(name: str, volume_per_atom: float, symbol: str = 'Si', **parameters: float) -> Atoms:
    """Build the primitive cell of a phase at a volume per atom.

    Args:
        name: One of `PHASES`.
        volume_per_atom: Å³.
        symbol: Chemical symbol.
        **parameters: Free parameters by name, in place of the defaults in `PHASE_TABLE`.

    Returns:
        A periodic primitive cell with `PHASE_TABLE[name].n_atoms` atoms.

    Raises:
        ValueError: If the name or a parameter is unknown, a number out of range, or sites
            coincide, so that the phase becomes another one.
    """
    kind = find_phase(name)
    if unknown := sorted(set(parameters) - set(kind.parameters)):
        known = ', '.join(kind.parameters) or 'none'
        raise ValueError(f'{name} has no free parameter {", ".join(unknown)}; it has: {known}')
    positive('the volume per atom', volume_per_atom, 'Å³')
    chosen = {**kind.parameters, **parameters}
    for key, value in chosen.items():
        if not math.isfinite(value):
            raise ValueError(f'the parameter {key} of {name} must be finite, got {value}')
    ratio = positive('c_over_a', chosen.get('c_over_a', 1.0), 'no unit')
    sites = [[chosen[x] if isinstance(x, str) else x for x in site] for site in kind.sites]
    built = crystal(
        [check_symbol(symbol)] * len(sites),
        sites,
        spacegroup=kind.space_group,
        cellpar=[1.0, 1.0, ratio, 90, 90, 120 if kind.space_group == 194 else 90],
        primitive_cell=True,
        onduplicates='replace',
    )
    if len(built) != kind.n_atoms:
        raise ValueError(f'with {chosen} sites of {name} coincide: {len(built)} atoms are left')
    scale = (volume_per_atom * len(built) / built.get_volume()) ** (1 / 3)
    return Atoms(
        built.symbols,
        scaled_positions=built.get_scaled_positions(),
        cell=built.cell * scale,
        pbc=True,
    )


def find_phase(name: str) -> Phase:
    """Return the entry of the table.

    Raises:
        ValueError: If there is none of this name.
    """
    if name not in PHASE_TABLE:
        raise ValueError(f'unknown phase {name!r}; known are {", ".join(PHASES)}')
    return PHASE_TABLE[name]
