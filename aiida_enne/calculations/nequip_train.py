"""`CalcJob` that trains one or more members of an ensemble."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from aiida import orm
from aiida.common import CalcInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJobProcessSpec

from aiida_enne import families
from aiida_enne.calculations.following import FollowingCalcJob, write_files
from aiida_enne.calculations.ports import at_least, port
from aiida_enne.calculations.starting import initial_models, unfit, unfit_base
from aiida_enne.data.base_model import BaseModelData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData
from aiida_enne.data.split import SplitData
from aiida_enne.families.nequip import training
from aiida_enne.families.nequip.gaps import leave_out
from aiida_enne.families.nequip.needs import find_needs
from aiida_enne.families.nequip.starting import CHECKPOINT, INITIAL, PACKAGE
from aiida_enne.science.data import frames, trainable
from aiida_enne.science.options import nearest

#: The strategy that an ensemble chooses for each training.
AUTO = 'auto'


def validate_parameters(node: orm.Dict, _: Any) -> str | None:
    """Accept every option of the trainer except those that the job owns."""
    parameters = node.get_dict()
    try:
        return families.family_of(parameters).check(parameters)
    except ValueError as exception:
        return str(exception)


def validate_seeds(seeds: dict[str, orm.Int], _: Any) -> str | None:
    """Require distinct seeds that torch accepts."""
    values = [node.value for node in seeds.values()]
    if any(not 0 <= value < 2**32 for value in values) or len(set(values)) < len(values):
        return f'`seeds` must be distinct integers from 0 to 2^32 - 1, got {values}'
    return None


def validate_inputs(inputs: dict[str, Any], ports: Any) -> str | None:
    """Check that the split is one of the dataset, and that the strategy is one of the family."""
    if 'parameters' in ports and 'strategy' in ports:
        family = families.family_of(inputs['parameters'].get_dict())
        strategy, kernel = inputs['strategy'], inputs.get('kernel')
        if strategy == AUTO and 'dataset' not in ports and kernel is None:
            return None  # the ensemble decides
        if strategy not in (known := families.strategies_of(family)):
            return (
                f'`strategy` of {family.name} must be one of {list(known)}, got '
                f'{strategy!r}{nearest(strategy, known)}'
            )
        needed = family.kernels.get(strategy)
        if (None if kernel is None else kernel.value) != needed:
            return f'`kernel` must be {needed!r} where `strategy` is {strategy!r}, got {kernel}'
    if 'dataset' not in ports or 'split' not in ports:
        return None  # a workflow has excluded them and validates by submitting
    split, dataset = inputs['split'], inputs['dataset']
    reason = split.mismatch(dataset) or untrainable(dataset, split, inputs['parameters'])
    reason = reason or unfit_base(inputs.get('base_model'), inputs['parameters'], dataset)
    if reason is None and inputs.get('initial_models'):
        labels = list(inputs['seeds'])
        return unfit(inputs['initial_models'], labels, inputs['parameters'], dataset)
    return reason


def untrainable(dataset: DatasetData, split: SplitData, parameters: orm.Dict) -> str | None:
    """Return why nothing can be learnt from this part of the dataset, or None if it can."""
    needs = find_needs(parameters.get_dict())
    return trainable.untrainable(dataset.get_configurations(), split.get_split(), needs)


class NequipTrainCalculation(FollowingCalcJob):
    """Train NequIP models: one dataset, one split, one member per seed."""

    CACHE_VERSION = training.VERSION

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input('dataset', valid_type=DatasetData, help='Labelled configurations.')
        spec.input('split', valid_type=SplitData, help='Indices: training and validation.')
        spec.input(
            'parameters',
            **port(orm.Dict, validate_parameters),
            help='NequIP configuration, less what the job owns.',
        )
        spec.input_namespace(
            'seeds',
            valid_type=orm.Int,
            dynamic=True,
            required=True,
            validator=validate_seeds,
            help='Seed of weights and batches of each member, by its label: `seed_7`.',
        )
        spec.input_namespace('initial_models', **initial_models())
        spec.input(
            'base_model',
            valid_type=(BaseModelData, ModelData),
            required=False,
            help='What all members without an initial model begin with: they are fine-tuned.',
        )
        spec.input(
            'parent_folder',
            **port(orm.RemoteData, required=False),
            help='Work directory with the checkpoints of members to continue.',
        )
        spec.input(
            'kernel',
            **port(orm.Str, required=False),
            help='What `vectorised` or `fused` trains with, by name and version: it changes the '
            'last digits.',
        )
        spec.input(
            'snapshots',
            **port(orm.Int, at_least(1), required=False),
            help='How many of the last epochs hand out their models, too.',
        )
        # how else members share the job changes no model: neither a node nor in the job's hash
        spec.input(
            'strategy',
            **port(str, default='sequential'),
            help='`sequential`; `parallel`: processes forked after one import; `fused`: the same, '
            'with a faster tensor product; `vectorised`: the members of a process together; each '
            'of the two with its `kernel` of the family; others of the family; `auto`: an ensemble '
            'chooses what costs least.',
        )
        spec.input(
            'processes',
            **port(int, at_least(1), default=2),
            help='Processes, unless `strategy` is `sequential`.',
        )
        spec.input(
            'group',
            **port(int, at_least(1), default=training.GROUP),
            help='Members of a process that `vectorised` trains at once, at most.',
        )
        spec.input(
            'gpus',
            **port(int, at_least(0), default=0),
            help='GPUs of the job that the processes are dealt out to; 0 leaves them alone.',
        )
        spec.inputs.validator = validate_inputs
        files = {'parser_name': 'enne.nequip.train', 'output_filename': 'nequip_train.out'}
        cls.set_defaults(spec, **files)

        spec.output_namespace('models', valid_type=ModelData, dynamic=True, help='By label.')
        spec.output_namespace(
            'snapshots',
            valid_type=ModelData,
            dynamic=True,
            help='Models of the last epochs by label of a complete member: `seed_7.epoch_35`.',
        )
        spec.output_namespace('histories', valid_type=orm.ArrayData, dynamic=True, help='By label.')
        spec.output_namespace('results', valid_type=orm.Dict, dynamic=True, help='By label.')
        cls.define_exit_codes(spec)

    @classmethod
    def define_exit_codes(cls, spec: CalcJobProcessSpec) -> None:
        """Define what a job or a member may end with."""
        for status, label, message in (
            (301, 'ERROR_NOTHING_LEFT', 'No member left a trace. The output ends: {tail}'),
            (302, 'ERROR_HISTORY_UNREADABLE', '{labels}: the history could not be read'),
            (303, 'ERROR_MODEL_MISSING', '{labels}: training ended but left no model'),
            (304, 'ERROR_RESULT_UNREADABLE', '{labels}: the result could not be read'),
            (400, 'ERROR_OUT_OF_WALLTIME', '{labels}: stopped by the clock, to be continued'),
            (401, 'ERROR_OUT_OF_MEMORY', '{labels}: out of memory, to be continued with fewer'),
            (402, 'ERROR_MEMBERS_KILLED', '{labels}: killed, to be continued'),
            (410, 'ERROR_MEMBERS_FAILED', '{labels}: the trainer failed: {reason}'),
        ):
            spec.exit_code(status, label, message=message, invalidates_cache=True)
        spec.exit_code(500, 'ERROR_MEMBERS_DIVERGED', message='{labels}: the loss diverged')

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the scripts, the data and one complete NequIP configuration per member."""
        inputs, options = self.inputs, self.inputs.metadata.options
        parameters = inputs.parameters.get_dict()
        family = families.family_of(parameters)
        parameters = self._write_data(folder, parameters)
        for label, seed in inputs.seeds.items():
            member = folder.get_subfolder(f'{training.MEMBERS}/{label}', create=True)
            config = family.render(parameters, seed=seed.value, elements=inputs.dataset.elements)
            if 'snapshots' in inputs:  # what is kept beside a model is no part of its identity
                config['trainer']['callbacks'][-1]['snapshots'] = inputs.snapshots.value
            with member.open(training.CONFIG, 'w') as handle:
                yaml.safe_dump(config, handle, sort_keys=False)
        self._write_initial(folder)

        script = self._write_scripts(folder, parameters)

        shared = inputs.strategy != 'sequential'
        words = [script, '--processes', str(inputs.processes * shared or 1)]
        if inputs.strategy in training.OPTIONS:
            words += [training.OPTIONS[inputs.strategy], '--artefacts', training.ARTEFACTS]
        if inputs.strategy == 'vectorised':
            words += ['--group', str(inputs.group)]
        if inputs.gpus:
            words += ['--gpus', str(inputs.gpus)]
        if 'max_wallclock_seconds' in options:
            words += ['--seconds', str(int(0.95 * options.max_wallclock_seconds))]
        kept = {f'{training.MEMBERS}/{k}/{training.CHECKPOINTS}': k for k in inputs.seeds}
        left = []
        for checkpoints, label in kept.items():
            names = ('log', training.HISTORY, training.PROGRESS, training.RESULT)
            left += [(f'{training.MEMBERS}/{label}/{name}', '.', 3) for name in names]
            left.append((f'{checkpoints}/{training.BEST}', '.', 4))
            if 'snapshots' in inputs:
                left.append((f'{checkpoints}/{training.SNAPSHOT.format("*")}', '.', 4))
        job = self.run_code(words, left)
        job.provenance_exclude_list = [training.TRAIN, training.VALIDATION, PACKAGE, CHECKPOINT]
        for label in inputs.get('initial_models', {}):
            job.provenance_exclude_list.append(f'{training.MEMBERS}/{label}/{INITIAL}')
        self.copy_from_parent(job, {k: f'{training.MEMBERS}/{label}' for k, label in kept.items()})
        return job

    def _write_initial(self, folder: Folder) -> None:
        """Write the checkpoints that members begin with, and the model that all begin with."""
        for label, model in self.inputs.get('initial_models', {}).items():
            place = folder.get_abs_path(f'{training.MEMBERS}/{label}/{INITIAL}')
            model.write_checkpoint(Path(place))
        base = self.inputs.get('base_model')
        if isinstance(base, ModelData):
            base.write_checkpoint(Path(folder.get_abs_path(CHECKPOINT)))
        elif base is not None:
            content = base.base.repository.get_object_content(base.FILENAME, 'rb')
            Path(folder.get_abs_path(PACKAGE)).write_bytes(content)

    def _write_scripts(self, folder: Folder, parameters: dict[str, Any]) -> str:
        """Write the scripts, and why members share the job so; return the script that is run."""
        inputs, family = self.inputs, families.family_of(parameters)
        scripts = families.scripts_of(family, inputs.strategy)
        chosen, why = family.choose(
            parameters, members=len(inputs.seeds), frames=len(inputs.split.get_split().train)
        )
        reason = why if chosen == inputs.strategy else 'as asked for'
        note = {training.STRATEGY: f'strategy {inputs.strategy}: {reason}\n'}
        write_files(folder, scripts | note)
        return next(iter(scripts))

    def _write_data(self, folder: Folder, parameters: dict[str, Any]) -> dict[str, Any]:
        """Write both parts; return the parameters, in which what is missing is left out.

        Where some configurations lack a stress, the others' are of use only to a loss or metric
        that asks for them; else none is written. Forces that a constraint hides are NaN.
        """
        configurations = self.inputs.dataset.get_configurations()
        split = self.inputs.split.get_split()
        used = np.concatenate([split.train, split.validation])
        missing = [] if configurations.select(used).known_forces.all() else ['forces']
        if trainable.lacks_stress(configurations)[used].any():
            if find_needs(parameters).stress:
                missing.append('stress')
            else:
                configurations = dataclasses.replace(configurations, stresses=None)
        if missing:
            parameters = leave_out(parameters, missing)
        for name, part in ((training.TRAIN, split.train), (training.VALIDATION, split.validation)):
            chosen = dataclasses.replace(configurations.select(part), info={})
            write_files(folder, {name: frames.to_extxyz(chosen)})
        return parameters
