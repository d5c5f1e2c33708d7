"""`CalcJob` that labels, moves or relaxes configurations with any ASE calculator."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common import CalcInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJobProcessSpec

from aiida_enne.calculations.following import FollowingCalcJob, write_files
from aiida_enne.calculations.ports import at_least, port, validator_of
from aiida_enne.codes import ase
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import CHECKPOINT, ModelData
from aiida_enne.science.plans.tasks import read_task


def validate_members(inputs: dict[str, Any], ports: Any) -> str | None:
    """Check that members are given where they are the calculator, and only there."""
    if not {'calculator', 'models'} <= set(ports):
        return None  # a workflow has excluded them and validates by submitting
    models = inputs.get('models', {})
    if ase.is_ensemble(inputs['calculator'].get_dict()) != bool(models):
        return f'`models` go with the preset {ase.ENSEMBLE}, got {sorted(models)}'
    if 'configurations' not in inputs:
        return None
    for label, model in models.items():
        known = model.base.attributes.get('elements')
        if unknown := sorted(set(inputs['configurations'].elements) - set(known)):
            return f'the model `{label}` knows only {sorted(known)}, not {unknown}'
    return None


def validate_inputs(inputs: dict[str, Any], ports: Any) -> str | None:
    """Check what concerns two inputs: members, the seed of dynamics, the fixed atoms."""
    if reason := validate_members(inputs, ports):
        return reason
    if not {'configurations', 'task', 'seed'} <= set(ports):
        return None  # a workflow has excluded them and validates by submitting
    task = read_task(inputs['task'].get_dict())
    if task.stages and 'seed' not in inputs:
        return 'molecular dynamics needs a `seed`'
    if task.sigma and not ase.is_ensemble(inputs['calculator'].get_dict()):
        return f'`sigma` of a task needs the calculator {ase.ENSEMBLE}: no other one has a σ'
    if 'seed' in inputs and inputs['seed'].value < 0:
        return f'`seed` must not be negative, got {inputs["seed"].value}'
    return task.misfit(inputs['configurations'].get_configurations().n_atoms.tolist())


class AseRunCalculation(FollowingCalcJob):
    """Run one task on many configurations with an ASE calculator; AiiDA is not needed there.

    The code is a Python interpreter with ASE and the calculator's package.
    """

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input('configurations', valid_type=ConfigurationsData, help='What to work on.')
        spec.input(
            'calculator',
            **port(orm.Dict, validator_of(ase.complete_calculator)),
            help='`preset`; or `import_path`, `keywords` and `level_of_theory`.',
        )
        spec.input(
            'task',
            **port(orm.Dict, validator_of(read_task)),
            help='`kind` (label, md, relax) and its options, see `science.plans.tasks`.',
        )
        spec.input_namespace(
            'models',
            valid_type=ModelData,
            dynamic=True,
            required=False,
            help=f'Members by label, where the calculator is {ase.ENSEMBLE}.',
        )
        spec.input(
            'seed',
            **port(orm.Int, required=False),
            help='Seed of dynamics; every trajectory has a random stream of its own.',
        )
        spec.input(
            'parent_folder',
            **port(orm.RemoteData, required=False),
            help='Work directory of a job with the same inputs, to continue.',
        )
        spec.input(
            'processes',
            **port(int, at_least(1), default=1),
            help='Configurations worked on at a time; the result does not depend on it.',
        )
        spec.input(
            'checkpoint_seconds',
            **port((int, float), at_least(0), default=10),
            help='Seconds between two checkpoints; the result does not depend on it.',
        )
        spec.inputs.validator = validate_inputs
        files = {'input_filename': ase.JOB, 'output_filename': 'aiida.out'}
        cls.set_defaults(spec, parser_name='enne.ase.run', **files)
        spec.output('dataset', valid_type=DatasetData, required=False, help='All labelled frames.')
        spec.output('results', valid_type=orm.Dict, help='What became of every configuration.')
        cls.define_exit_codes(spec)

    @classmethod
    def define_exit_codes(cls, spec: CalcJobProcessSpec) -> None:
        """Define the verdicts."""
        verdicts = {
            301: ('ERROR_NOT_STARTED', 'The script never began: {message}'),
            302: ('ERROR_OUTPUT_DAMAGED', 'Files are damaged: {damages}'),
            310: ('ERROR_IMPORT_FAILED', 'The module {name} cannot be imported there: {message}'),
            311: ('ERROR_CALCULATOR_FAILED', 'The calculator {name} was not built: {message}'),
            400: ('ERROR_OUT_OF_WALLTIME', 'Stopped in time; it can be continued: {message}'),
            401: ('ERROR_INTERRUPTED', 'Killed; it can be continued from its checkpoints.'),
            410: ('ERROR_SOME_FAILED', '{n} of {total} configurations failed, see `results`.'),
            500: ('ERROR_EXPLODED', '{n} of {total} trajectories left physics, see `results`.'),
            501: ('ERROR_NOT_CONVERGED', '{n} of {total} relaxations did not converge.'),
            510: ('ERROR_ALL_FAILED', 'All {total} configurations failed; the first: {message}'),
        }
        cls.define_verdicts(spec, verdicts, lasting=400)

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the job's file and the scripts; the configurations are copied as they are."""
        inputs = self.inputs
        files = ase.render(
            inputs.calculator.get_dict(),
            read_task(inputs.task.get_dict()),
            inputs.seed.value if 'seed' in inputs else None,
        )
        write_files(folder, files)
        seconds = inputs.metadata.options.get('max_wallclock_seconds')
        words = ase.arguments(inputs.processes, inputs.checkpoint_seconds, seconds)
        job = self.run_code(words, [ase.RESULTS])
        configurations = inputs.configurations
        job.local_copy_list = [(configurations.uuid, configurations.FILENAME, ase.CONFIGURATIONS)]
        if models := inputs.get('models', {}):
            folder.get_subfolder(ase.MEMBERS, create=True)
            job.local_copy_list += [
                (model.uuid, CHECKPOINT, f'{ase.MEMBERS}/{label}.ckpt')
                for label, model in models.items()
            ]
        job.retrieve_temporary_list = [ase.UNITS]
        self.copy_from_parent(job, {ase.UNITS: ase.UNITS})
        return job
