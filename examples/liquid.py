"""Liquid silicon: `verdi run examples/liquid.py --engine ase --code python@localhost`.

The engine and its code are all that changes: `--engine qe --code pw@localhost`,
`--engine aims --code aims@cluster`. See `docs/how-to/engines.md` for what each needs beforehand.
"""

import argparse

from aiida import orm
from aiida.engine import run_get_node, submit

from aiida_enne.workflows.reference.liquid import LiquidWorkChain

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('--engine', default='ase', help='ase, qe, aims or one of another package')
parser.add_argument('--code', required=True, help='label, PK or UUID of the code of the engine')
parser.add_argument('--protocol', default='test', help='test, laptop or paper')
parser.add_argument('--densities', nargs='+', type=float, help='g/cm³, instead of the protocol')
parser.add_argument('--temperatures', nargs='*', type=float, help='K, instead of the protocol')
parser.add_argument('--daemon', action='store_true', help='submit instead of running here')
chosen = parser.parse_args()

overrides = {}
if chosen.densities is not None:
    overrides |= {'densities': chosen.densities, 'temperature_density': chosen.densities[0]}
if chosen.temperatures is not None:
    overrides['temperatures'] = chosen.temperatures
builder = LiquidWorkChain.get_builder_from_protocol(
    orm.load_code(chosen.code), chosen.engine, protocol=chosen.protocol, overrides=overrides
)
if chosen.daemon:
    raise SystemExit(f'submitted <{submit(builder).pk}>')
node = run_get_node(builder).node
print(f'{node.process_label}<{node.pk}> [{node.exit_status}] {node.exit_message or ""}')
for label, told in node.outputs.analyses.items() if 'analyses' in node.outputs else ():
    melt = told['melt']
    print(
        f'{label}: displacement {melt["displacement"]:.2f} Å², first peak at '
        f'{melt["neighbor_distance"]:.2f} Å, smallest g(r) behind it {melt["gap"]:.2f}'
    )
if 'dataset' in node.outputs:
    print(f'dataset <{node.outputs.dataset.uuid}>: {node.outputs.dataset.domains}')
