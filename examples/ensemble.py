"""Train and audit on a stored dataset: `verdi run examples/ensemble.py --help`."""

import argparse

from aiida import orm
from aiida.engine import run_get_node

from aiida_enne.calculations.functions import split_dataset
from aiida_enne.workflows.audit import AuditWorkChain
from aiida_enne.workflows.training.ensemble import EnsembleWorkChain

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('--code', required=True, help='label, PK or UUID of a Python with NequIP')
parser.add_argument('--dataset', required=True, help='label, PK or UUID of a dataset')
parser.add_argument('--train-on', nargs='+', required=True, help='domains')
parser.add_argument('--sizes', nargs=3, type=int, required=True, help='train, validation, test')
parser.add_argument('--seed', type=int, default=1, help='of the split')
parser.add_argument('--protocol', default='laptop')
chosen = parser.parse_args()

code, dataset = orm.load_code(chosen.code), orm.load_node(chosen.dataset)
split = split_dataset(
    dataset,
    orm.Dict(
        {
            'method': 'random',
            'within': chosen.train_on,
            'sizes': chosen.sizes,
            'seed': chosen.seed,
            'rest_to_test': True,
            'shared_blocks': True,
        }
    ),
)
builder = EnsembleWorkChain.get_builder_from_protocol(
    code, dataset, split, protocol=chosen.protocol
)
training = run_get_node(builder).node
if not training.is_finished_ok:
    raise SystemExit(f'training <{training.pk}>: {training.exit_message}')

builder = AuditWorkChain.get_builder_from_protocol(
    code,
    dict(training.outputs.models),
    {'dataset': dataset},
    protocol=chosen.protocol,
    overrides={'audit': {'training_domains': chosen.train_on}},
    splits={'dataset': split},
)
audit = run_get_node(builder).node
print(f'audit <{audit.pk}> [{audit.exit_status}]; `aiida-enne report {audit.pk}` shows it')
