"""The README of an exported ensemble: what it is, and examples that run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida_enne.science.structures.domains import in_order
from aiida_enne.science.uncertainty.gates import Gate
from aiida_enne.science.uncertainty.options import describe
from aiida_enne.science.uncertainty.rule import Row
from aiida_enne.science.uncertainty.table import HEADERS, cells, gate_lines, reasons

CALCULATOR = """## Use it with ASE

Everything below runs in this folder, with NequIP {nequip} and ASE {ase} installed.

```python
from ase.build import bulk
from ase_ensemble import Ensemble

atoms = bulk('{symbol}', cubic=True, crystalstructure='fcc', a=4.5)
atoms.calc = Ensemble('members')
print(atoms.get_potential_energy(), 'eV')
print(atoms.calc.get_property('energy_sigma', atoms), 'eV: σ of the energy')
print(abs(atoms.calc.get_property('forces_sigma', atoms)).max(), 'eV/Å: largest σ of a force')
```

`energy_members`, `forces_members` and `stress_members` are what each member says.
σ is the standard deviation over the members (ddof 0; `Ensemble('members', ddof=1)` for the other).
"""

CALIBRATED = """
`Ensemble('members', calibrated=True)` gives another σ, that of `calibration.json`:
{label}{learnt}.
"""
#: Of what learns from labels.
LEARNT = ', fitted to the domain "{domain}": nothing says that it holds elsewhere'

#: How a cell of a table writes what else would end it.
_BAR = r'\|'

#: Said of what nobody could run here.
NOT_RUN = """Not run by the tests of aiida-enne, {why}: see that its first energy is that of
`Ensemble('members')`.
"""
STRUCTURE = """from ase.build import bulk

atoms = bulk('{symbol}', cubic=True, crystalstructure='fcc', a=4.5)"""
_OF_ASE = """```python
from nequip.integrations.ase import NequIPCalculator
{structure}
atoms.calc = NequIPCalculator.from_compiled_model('{path}', device='cpu')
print(atoms.get_potential_energy(), 'eV')
```
"""
_OF_LAMMPS = """A structure, and `in.lammps` for `lmp -in in.lammps`:

```python
from ase.io import write
{structure}
kinds = '{elements}'.split()
write('structure.data', atoms, format='lammps-data', specorder=kinds, masses=True)
```

```lammps
units       metal
atom_style  atomic
newton      {newton}
boundary    p p p
read_data   structure.data
pair_style  {style}
pair_coeff  * * {coefficients}
timestep    0.001
velocity    all create 300 1
fix         1 all nve
thermo      10
run         100
```
"""

USES = {
    'package': """## Packages

```shell
nequip-compile --mode aotinductor --target ase --device cpu \\
    package/{label}.nequip.zip {label}.nequip.pt2
```

"""
    + _OF_ASE.replace('{path}', '{label}.nequip.pt2'),
    'ase': '## Compiled for ASE\n\n' + _OF_ASE.replace('{path}', 'ase/{label}.nequip.pt2'),
    'lammps': '## LAMMPS, pair style of NequIP or Allegro\n\n'
    + NOT_RUN.replace('{why}', 'whose LAMMPS has no `pair_nequip_allegro`')
    + _OF_LAMMPS.replace('{newton}', '{newton_of_pair}')
    .replace('{style}', '{pair}')
    .replace('{coefficients}', 'lammps/{label}.nequip.pt2 {elements}'),
    'mliap': '## LAMMPS, ML-IAP\n\n'
    + NOT_RUN.replace('{why}', 'whose LAMMPS has ML-IAP without Python')
    + _OF_LAMMPS.replace('{newton}', 'on')
    .replace('{style}', 'mliap unified mliap/{label}.nequip.lmp.pt 0')
    .replace('{coefficients}', '{elements}'),
    'torch-sim': '## torch-sim\n\n'
    + NOT_RUN.replace('{why}', 'which have no torch-sim')
    + """
```python
import torch_sim
from nequip.integrations.torchsim import NequIPTorchSimCalc
{structure}
model = NequIPTorchSimCalc.from_compiled_model('torch-sim/{label}.nequip.pt2', device='cpu')
state = torch_sim.io.atoms_to_state([atoms], model.device, model.dtype)
print(model(state)['energy'], 'eV')
```
""",
}
#: Whether LAMMPS shares forces of pairs between processes, as the pair styles ask for it.
NEWTON = {'nequip': 'off', 'allegro': 'on'}


def write(record: Mapping[str, Any], targets: Sequence[str], fitted: Mapping[str, Any]) -> str:
    """Return the text.

    Args:
        record: See `deploy.export.describe` and `judge`.
        targets: What the checkpoints were turned into.
        fitted: See `deploy.widths.fit_portable`; empty where σ is the spread only.
    """
    members = record['members']
    label, first = next(iter(members.items()))
    elements = first['elements']
    pair = 'allegro' if first['family'] == 'allegro' else 'nequip'
    words = {
        'label': label,
        'elements': ' '.join(elements),
        'pair': pair,
        'newton_of_pair': NEWTON[pair],
        'structure': STRUCTURE.format(symbol=elements[0]),
    }
    parts = [_title(record), CALCULATOR.format(symbol=elements[0], **record['versions'])]
    if fitted:
        learnt = LEARNT.format(domain=fitted['domain']) if fitted['domain'] else ''
        parts.append(CALIBRATED.format(label=fitted['label'], learnt=learnt))
        lacking = fitted['unfitted'].items()
        parts += [f'There is no `{name}` then: {why}.\n' for name, why in lacking]
    parts += [USES[target].format(**words) for target in targets]
    parts.append(_verdicts(record))
    return '\n'.join(part for part in parts if part)


def name_counts(domains: Mapping[str, int]) -> str:
    """Return domains in natural order with the number of configurations of each."""
    return ', '.join(f'{domains[name]} of {name!r}' for name in in_order(domains))


def _title(record: Mapping[str, Any]) -> str:
    members = record['members'].values()
    seeds = ', '.join(str(one['seed']) for one in members)
    trained = '; '.join(
        f'{name_counts(one["domains"])}, labels {one["level_of_theory"]}'
        for one in record['trained_on']
    )
    process = record['process']
    return (
        f'# Ensemble {record["ensemble_sha256"][:12]}\n\n'
        f'{len(members)} members (seeds {seeds}), trained on: {trained or "not recorded"}. They '
        f'come from the process {process}. `ensemble.json` holds the identities of all nodes and '
        'what the audits found; `sha256sum -c SHA256SUMS` checks the files.\n'
    )


def _verdicts(record: Mapping[str, Any]) -> str:
    """Return the table of verdicts, a line a quantity of a domain, and all that they stand on."""
    lines = ['## How far σ can be trusted', '']
    rows = [Row.from_dict(one) for one in record['verdicts']]
    if not rows:
        why = record['unjudged']
        return '\n'.join([*lines, f'This ensemble was not audited ({why}): it is unknown.', ''])
    said = (
        f'σ is the standard deviation over the members (ddof 0); {describe(record["tolerated"])}.'
    )
    lines += [said, '']
    lines += [_line(HEADERS), _line(len(HEADERS) * ['---']), *(_line(cells(row)) for row in rows)]
    gates = {name: [Gate(**one) for one in some] for name, some in record['gates'].items()}
    sentences = [*gate_lines(gates), *reasons(rows)]
    return '\n'.join([*lines, '', *(f'- {sentence}' for sentence in sentences), ''])


def _line(words: Sequence[str]) -> str:
    return f'| {" | ".join(word.replace("|", _BAR) for word in words)} |'


def milli(value: float | None) -> str:
    """Return a thousandfold value in three digits, or that it is not defined."""
    return 'not defined' if value is None else f'{1e3 * value:.3g}'


def ratio(error: float | None, spread: float | None) -> str:
    """Return RMSE over σ, or why there is none."""
    if error is None or spread is None:
        return 'not defined'
    if spread == 0:
        return 'σ is 0' if error else 'both are 0'
    return f'{error / spread:.2f}'
