"""Label structures on any engine: `verdi run examples/label.py --code python@localhost`.

Structures are read from FILE by ASE; without one, a few crystals of silicon are taken.
"""

import argparse

import ase.io
from aiida import orm
from aiida.engine import run_get_node, submit

from aiida_enne.calculations.functions import build_configurations
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.workflows.reference.label import LabelWorkChain

CRYSTALS = [
    {'kind': 'phase', 'phase': 'diamond', 'volumes': [18.0, 20.0, 22.0]},
    {'kind': 'phase', 'phase': 'fcc', 'volumes': [14.0, 15.0]},
]

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('file', nargs='?', help='anything that ASE reads')
parser.add_argument('--engine', default='ase', help='ase, qe, aims or one of another package')
parser.add_argument('--code', required=True, help='label, PK or UUID of the code of the engine')
parser.add_argument('--protocol', default='test', help='test, laptop or paper')
parser.add_argument('--min-labelled', type=int, help='labels that suffice, all by default')
parser.add_argument('--daemon', action='store_true', help='submit instead of running here')
chosen = parser.parse_args()

if chosen.file is None:
    configurations = build_configurations(orm.List(CRYSTALS))
else:
    configurations = ConfigurationsData.from_atoms(ase.io.read(chosen.file, ':'))
overrides = {} if chosen.min_labelled is None else {'min_labelled': chosen.min_labelled}
builder = LabelWorkChain.get_builder_from_protocol(
    orm.load_code(chosen.code),
    configurations,
    chosen.engine,
    protocol=chosen.protocol,
    overrides=overrides,
)
if chosen.daemon:
    raise SystemExit(f'submitted <{submit(builder).pk}>')
node = run_get_node(builder).node
print(f'{node.process_label}<{node.pk}> [{node.exit_status}] {node.exit_message or ""}')
for failure in node.outputs.failures['failures'] if 'failures' in node.outputs else ():
    print(f'no label of configuration {failure["configuration"]}: {failure["message"]}')
if 'dataset' in node.outputs:
    dataset = node.outputs.dataset
    print(f'dataset <{dataset.uuid}>: {dataset.n_frames} labels, {dataset.level_of_theory}')
