"""The README of an exported ensemble: what it is, and examples that run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida_enne.science.structures.domains import in_order

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
`Ensemble('members', calibrated=True)` gives a σ that was recalibrated on the domain "{domain}"
(`calibration.json`): nothing says that the factor holds elsewhere.
"""

USES = {
    'package': """## Packages

```
nequip-compile --mode aotinductor --target ase --device cpu \\
    package/{label}.nequip.zip {label}.nequip.pt2
```

```python
from nequip.integrations.ase import NequIPCalculator

calculator = NequIPCalculator.from_compiled_model('{label}.nequip.pt2')
```
""",
    'ase': """## Compiled for ASE

```python
from nequip.integrations.ase import NequIPCalculator

calculator = NequIPCalculator.from_compiled_model('ase/{label}.nequip.pt2')
```
""",
    'lammps': """## LAMMPS, pair style of NequIP or Allegro

```
pair_style  {pair}
pair_coeff  * * lammps/{label}.nequip.pt2 {elements}
```
""",
    'mliap': """## LAMMPS, ML-IAP

```
pair_style  mliap unified mliap/{label}.nequip.lmp.pt 0
pair_coeff  * * {elements}
```
""",
    'torch-sim': """## torch-sim

```python
from nequip.integrations.torchsim import NequIPTorchSimCalc

model = NequIPTorchSimCalc.from_compiled_model('torch-sim/{label}.nequip.pt2', device='cpu')
```
""",
}


def write(record: Mapping[str, Any], targets: Sequence[str], calibration_domain: str) -> str:
    """Return the text.

    Args:
        record: See `deploy.export.describe`.
        targets: What the checkpoints were turned into.
        calibration_domain: Of the recalibrated σ; empty where there is none.
    """
    members = record['members']
    label, first = next(iter(members.items()))
    elements = first['elements']
    words = {
        'label': label,
        'elements': ' '.join(elements),
        'pair': 'allegro' if first['family'] == 'allegro' else 'nequip',
    }
    parts = [_title(record), CALCULATOR.format(symbol=elements[0], **record['versions'])]
    if calibration_domain:
        parts.append(CALIBRATED.format(domain=calibration_domain))
    parts += [USES[target].format(**words) for target in targets]
    parts.append(_audits(record['audits']))
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


def _audits(audits: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Return the table of what audits found, domain by domain."""
    if not audits:
        return '## How far σ can be trusted\n\nThis ensemble was not audited: it is unknown.\n'
    head = '| domain | n | RMSE of the energy (meV/atom) | σ (meV/atom) | RMSE/σ |'
    lines = ['## How far σ can be trusted', '', head, '|---|---|---|---|---|']
    for domains in audits.values():
        for name, one in domains.items():
            error, spread = one.get('energy_rmse'), one.get('energy_spread_rms')
            cells = [name.replace('|', '\\|'), str(one.get('n_configurations', ''))]
            cells += [milli(error), milli(spread), ratio(error, spread)]
            lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n'


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
