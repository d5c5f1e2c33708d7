"""The whole study: `verdi run examples/study.py --engine ase --code python@localhost`.

The engine and its code are all that changes: `--engine qe --code pw@localhost --python
python@localhost`, `--engine aims --code aims@cluster --python python@gpu`. Run it again with other
`--phases`, `--temperatures` or `--members`: what is known is not computed again, where AiiDA
caches (`verdi config set caching.enabled_for aiida.calculations:enne.*`).
"""

import argparse

from aiida import orm
from aiida.engine import run_get_node, submit

from aiida_enne.workflows.study.study import StudyWorkChain

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('--engine', default='ase', help='ase, qe, aims or one of another package')
parser.add_argument('--code', required=True, help='label, PK or UUID of the code of the engine')
parser.add_argument('--python', help='code of a Python with NequIP, where --code is none')
parser.add_argument('--protocol', default='test', help='test, laptop or paper')
parser.add_argument('--phases', nargs='+', help='instead of the protocol')
parser.add_argument('--temperatures', nargs='*', type=float, help='K, instead of the protocol')
parser.add_argument('--members', type=int, help='seeds 1 to this, instead of the protocol')
parser.add_argument('--no-scans', action='store_true', help='leave the scans out')
parser.add_argument('--daemon', action='store_true', help='submit instead of running here')
chosen = parser.parse_args()

overrides = {}
if chosen.phases is not None:
    overrides['eos'] = {'phases': chosen.phases}
if chosen.temperatures is not None:
    overrides['liquid'] = {'temperatures': chosen.temperatures}
if chosen.members is not None:
    overrides['ensemble'] = {'seeds': list(range(1, chosen.members + 1))}
if chosen.no_scans:
    overrides['scans'] = None
builder = StudyWorkChain.get_builder_from_protocol(
    orm.load_code(chosen.code),
    chosen.engine,
    python=orm.load_code(chosen.python) if chosen.python else None,
    protocol=chosen.protocol,
    overrides=overrides,
)
if chosen.daemon:
    raise SystemExit(f'submitted <{submit(builder).pk}>')
node = run_get_node(builder).node
print(f'{node.process_label}<{node.pk}> [{node.exit_status}] {node.exit_message or ""}')
for role, dataset in sorted(node.outputs.datasets.items()) if 'datasets' in node.outputs else ():
    print(f'{role} <{dataset.uuid}>: {dataset.n_frames} frames, {dataset.level_of_theory}')
for phase, fit in node.outputs.equilibrium.items() if 'equilibrium' in node.outputs else ():
    if 'refused' in fit:
        print(f'{phase}: no fit, {fit["refused"]}')
    else:
        print(
            f'{phase}: {fit["volume"]:.3f} Å³/atom, {fit["energy"]:.4f} eV/atom, '
            f'{fit["bulk_modulus"]:.1f} GPa'
        )
