"""Stand-ins for a code, pseudopotentials or species that are not here: for plans alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from io import BytesIO
from typing import Any

from aiida import orm
from ase.data import atomic_numbers

from aiida_enne.data.species import SpeciesData

#: Cutoffs of wave functions and density, in Ry, where no family recommends any.
CUTOFFS = (30.0, 120.0)
#: Electrons of closed shells.
NOBLE = (0, 2, 10, 18, 36, 54, 86)
_PLANNING: ContextVar[bool] = ContextVar('planning', default=False)
_UPF = '<UPF version="2.0.1">\n<PP_HEADER\n element="{}"\n z_valence="{}"\n/>\n</UPF>\n'


@contextmanager
def planning() -> Iterator[None]:
    """Let builders take stand-ins for what is not installed; nothing built here may be run."""
    token = _PLANNING.set(True)
    try:
        yield
    finally:
        _PLANNING.reset(token)


def is_planning() -> bool:
    """Return whether what is built is a plan alone."""
    return _PLANNING.get()


def any_code() -> orm.InstalledCode:
    """Return an unstored code, of any computer that is there.

    Raises:
        ValueError: If there is no computer, which plugins of AiiDA ask for.
    """
    computer = orm.QueryBuilder().append(orm.Computer).first(flat=True)
    if computer is None:
        raise ValueError(
            'a plan needs a computer, any will do: `verdi presto` makes `localhost` with a '
            'profile, `verdi computer setup` makes one in a profile that has none'
        )
    return orm.InstalledCode(label='any', computer=computer, filepath_executable='/any')


def any_pseudos(elements: list[str]) -> dict[str, Any]:
    """Return unstored pseudopotentials that know their valence and nothing else."""
    from aiida_pseudo.data.pseudo import UpfData

    texts = {one: _UPF.format(one, float(valence(one))) for one in elements}
    return {one: UpfData(BytesIO(text.encode()), f'{one}.UPF') for one, text in texts.items()}


def any_species(elements: list[str]) -> dict[str, SpeciesData]:
    """Return unstored species that hold nothing."""
    nothing: Any = SpeciesData
    return {one: nothing() for one in elements}


def valence(symbol: str) -> int:
    """Return the electrons outside the last closed shell of a noble gas."""
    number = atomic_numbers[symbol]
    return number - max(shell for shell in NOBLE if shell < number)
