"""`CalcJob` that evaluates one or more members of an ensemble on a dataset."""

from typing import Any

import numpy as np
from aiida import orm
from aiida.common import CalcInfo, LinkType
from aiida.common.folders import Folder
from aiida.engine import CalcJobProcessSpec

from aiida_enne import families
from aiida_enne.calculations.following import FollowingCalcJob, write_files
from aiida_enne.calculations.ports import at_least, one_of, port
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.model import CHECKPOINT, ModelData
from aiida_enne.data.prediction import PredictionData
from aiida_enne.data.split import SplitData
from aiida_enne.families.nequip import prediction as codec
from aiida_enne.families.nequip.needs import find_needs
from aiida_enne.families.nequip.training import ARTEFACTS
from aiida_enne.science.data.splits import PARTS
from aiida_enne.science.data.trainable import untrained_elements
from aiida_enne.science.fields import Integers


def validate_models(models: dict[str, ModelData], _: Any) -> str | None:
    """Require at least one member."""
    return None if models else '`models` must hold at least one member'


def members() -> dict[str, Any]:
    """Return what describes the namespace of the members, by label."""
    words = {'valid_type': ModelData, 'dynamic': True, 'required': True}
    return words | {'validator': validate_models, 'help': 'Members by label.'}


def validate_inputs(inputs: dict[str, Any], ports: Any) -> str | None:
    """Check that split and members fit the dataset."""
    if 'dataset' not in ports or 'models' not in ports:
        return None  # a workflow has excluded them and validates them itself
    return unsuitable(inputs['dataset'], inputs['models'], inputs.get('split'), inputs.get('part'))


def unsuitable(
    dataset: ConfigurationsData,
    models: dict[str, ModelData],
    split: SplitData | None = None,
    part: orm.Str | None = None,
) -> str | None:
    """Return why these models cannot predict this part of the dataset, or None if they can."""
    if part is not None and split is None:
        return f'`part` is {part.value!r}, but there is no `split`'
    if split is not None:
        if reason := split.mismatch(dataset):
            return reason
        if not len(chosen_indices(dataset, split, part)):
            return f'the part `{chosen_part(split, part)}` of the split is empty'
    for label, model in models.items():
        known = model.base.attributes.get('elements')
        if unknown := sorted(set(dataset.elements) - set(known)):
            return f'the dataset holds {unknown}, the model `{label}` knows only {sorted(known)}'
    return unseen(dataset, models, chosen_indices(dataset, split, part))


def unseen(
    dataset: ConfigurationsData, models: dict[str, ModelData], indices: Integers
) -> str | None:
    """Return which element of these configurations no training configuration of a model has.

    Models that come without their training, or began from a finished model, are not asked.
    """
    jobs: dict[int, frozenset[str] | None] = {}
    known: dict[tuple[str, str], frozenset[str]] = {}
    for label, model in models.items():
        job = model.creator
        if job is None:
            continue
        if job.pk not in jobs:
            jobs[job.pk] = trained_elements(job, known)
        elements = jobs[job.pk]
        if elements is None or not set(dataset.elements) - elements:
            continue
        asked = dataset.get_configurations().select(indices)
        for element, count in untrained_elements(asked, elements).items():
            frames = f'{count} configuration{"" if count == 1 else "s"}'
            return (
                f'{frames} hold {element}, which the model `{label}` was never trained on '
                f'(only {sorted(elements)}): its weights of {element} are as they were drawn. '
                f'Train with configurations that hold {element}, or leave them out of the dataset'
            )
    return None


def trained_elements(
    job: orm.ProcessNode, known: dict[tuple[str, str], frozenset[str]]
) -> frozenset[str] | None:
    """Return the elements of the configurations that a job trained on; None if it began elsewhere.

    Args:
        job: Creator of a model.
        known: What was found by data set and split, which is added to.
    """
    links = job.base.links.get_incoming(link_type=LinkType.INPUT_CALC)
    inputs = {link.link_label: link.node for link in links}
    if not {'dataset', 'split', 'parameters'} <= inputs.keys():
        return None
    is_tuned = 'base_model' in inputs  # it knows what its base model knew
    if is_tuned or find_needs(inputs['parameters'].get_dict()).elements_known:
        return None
    dataset, split = inputs['dataset'], inputs['split']
    key = dataset.uuid, split.uuid
    if key not in known:
        known[key] = frozenset(dataset.elements)
        if len(known[key]) > 1:  # else there is nothing that a part of it could lack
            used = dataset.get_configurations().select(split.get_split().train)
            known[key] = frozenset(used.elements)
    return known[key]


def chosen_part(split: SplitData | None, part: orm.Str | None) -> str:
    """Return the name of what is predicted: a part of the split, or 'all'."""
    if split is None:
        return 'all'
    return codec.DEFAULT_PART if part is None else str(part.value)


def chosen_indices(
    dataset: ConfigurationsData, split: SplitData | None, part: orm.Str | None
) -> Integers:
    """Return the configurations to predict."""
    if split is None:
        return np.arange(dataset.n_frames, dtype=np.int64)
    indices: Integers = getattr(split.get_split(), chosen_part(split, part))
    return indices


class NequipPredictCalculation(FollowingCalcJob):
    """Predict energies and forces with k members; neighbour lists are computed once."""

    CACHE_VERSION = codec.VERSION

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input('dataset', valid_type=ConfigurationsData, help='Labelled or not.')
        spec.input('split', valid_type=SplitData, required=False, help='Predict a part only.')
        spec.input(
            'part',
            **port(orm.Str, one_of('part', PARTS), required=False),
            help=f'Part of the split, `{codec.DEFAULT_PART}` by default.',
        )
        spec.input_namespace('models', **members())
        spec.input(
            'features',
            **port(orm.Str, one_of('features', codec.FEATURES), default=codec.NO_FEATURES),
            help='Also the scalar features of the last layer: `per_atom` (and the energies of the '
            'atoms) or `summed` over each configuration.',
        )
        cls.define_settings(spec)
        spec.inputs.validator = validate_inputs
        files = {'parser_name': 'enne.nequip.predict', 'output_filename': 'nequip_predict.out'}
        cls.set_defaults(spec, **files)

        spec.output_namespace(
            'predictions', valid_type=PredictionData, dynamic=True, help='By label.'
        )
        spec.output('results', valid_type=orm.Dict, help='Members, modes, seconds, versions.')
        for status, label, message in (
            (301, 'ERROR_NOTHING_LEFT', 'The scripts left no result. The output ends: {tail}'),
            (302, 'ERROR_OUTPUT_UNREADABLE', 'The output cannot be read: {reason}'),
            (310, 'ERROR_MEMBERS_FAILED', 'Members failed: {reason}'),
            (400, 'ERROR_OUT_OF_WALLTIME', 'Out of time: put fewer members in a job.'),
            (401, 'ERROR_OUT_OF_MEMORY', 'Out of memory: put fewer atoms in a batch.'),
            (510, 'ERROR_PREDICTION_NOT_FINITE', 'Predictions are not finite: {reason}'),
        ):
            spec.exit_code(status, label, message=message, invalidates_cache=status < 500)

    @classmethod
    def define_settings(cls, spec: CalcJobProcessSpec) -> None:
        """Define settings that change results by rounding only: not nodes, not in the hash."""
        settings = (
            ('mode', str, 'auto', one_of('mode', codec.MODES), f'One of {codec.MODES}.'),
            ('device', str, 'cpu', None, 'Where torch computes, e.g. `cuda`.'),
            ('threads', int, None, at_least(1), 'Threads; by default one.'),
            ('batch_atoms', int, None, at_least(1), 'Atoms in a batch; by default by model.'),
            ('artefacts', str, ARTEFACTS, None, 'Folder of compiled artefacts.'),
        )
        for name, kind, default, validator, text in settings:
            valid = kind if default is not None else (kind, type(None))
            spec.input(
                name,
                valid_type=valid,
                is_metadata=True,
                default=default,
                validator=validator,
                help=text,
            )

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write scripts, settings and configurations; the checkpoints come from their nodes."""
        inputs = self.inputs
        used = [families.load(name) for name in sorted({m.family for m in inputs.models.values()})]
        files = {name: one.script(name) for one in used for name in one.prediction_scripts}
        names = ('mode', 'device', 'threads', 'batch_atoms', 'artefacts')
        files[codec.SETTINGS] = codec.render_settings(
            list(inputs.models),
            features=inputs.features.value,
            **{name: inputs.get(name) for name in names},
        )
        write_files(folder, files)
        indices = chosen_indices(inputs.dataset, inputs.get('split'), inputs.get('part'))
        with folder.open(codec.CONFIGURATIONS, 'wb') as handle:
            handle.write(codec.render_configurations(inputs.dataset.get_configurations(), indices))
        folder.get_subfolder(codec.MEMBERS, create=True)

        job = self.run_code([used[0].prediction_scripts[0]], [codec.RESULT])
        job.local_copy_list = [
            (model.uuid, CHECKPOINT, f'{codec.MEMBERS}/{label}.ckpt')
            for label, model in inputs.models.items()
        ]
        job.provenance_exclude_list = [codec.CONFIGURATIONS]
        # kept by the prediction nodes, so not a second time
        job.retrieve_temporary_list = [
            (f'{codec.PREDICTIONS}/{label}.npz', '.', 2) for label in inputs.models
        ]
        return job
