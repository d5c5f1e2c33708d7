"""Inputs of an improvement: its ports, their checks, and how a protocol fills them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ProcessSpec

from aiida_enne.aiida_private import inputs_of
from aiida_enne.calculations import trained
from aiida_enne.calculations.ports import at_least, port, validator_of
from aiida_enne.data.base_model import BaseModelData
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData
from aiida_enne.data.split import SplitData
from aiida_enne.data.trainings import TrainedOn
from aiida_enne.science.plans.improving import Improving, read_arms, too_few_members
from aiida_enne.workflows import exploration, protocols
from aiida_enne.workflows.audit_inputs import validate_parameters
from aiida_enne.workflows.prediction import PredictionWorkChain
from aiida_enne.workflows.protocols import machine
from aiida_enne.workflows.reference.ase_base import AseBaseWorkChain
from aiida_enne.workflows.reference.chosen import refusal
from aiida_enne.workflows.reference.engine import load_engine
from aiida_enne.workflows.reference.label import TASK, LabelWorkChain
from aiida_enne.workflows.study.ports import OWNED_OF_ASE, own_engine
from aiida_enne.workflows.training.energies import why_no_energies
from aiida_enne.workflows.training.ensemble import EnsembleWorkChain

#: Keywords of `exploration.plan_samples` that `exploration` takes beside its temperatures.
EXPLORATION = ('temperatures', 'start', 'stage', 'sigma')


def define(spec: ProcessSpec) -> None:
    """Define the inputs."""
    spec.input('dataset', valid_type=DatasetData, help='What the first ensemble is trained on.')
    spec.input('split', valid_type=SplitData, help='Of the dataset.')
    spec.input('held_out', valid_type=DatasetData, help='Judges every round; never trained on.')
    optional = port(ConfigurationsData, required=False)
    spec.input('pool', **optional, help='Candidates of every round.')
    spec.input(
        'starts',
        **optional,
        help='Where dynamics of the ensemble begin, whose frames are candidates, too.',
    )
    spec.input(
        'exploration',
        **port(orm.Dict, validate_exploration, required=False),
        help=f'Of these dynamics: {", ".join(EXPLORATION)}; see `workflows.exploration`.',
    )
    spec.input('arms', **port(orm.Dict, validator_of(read_arms)), help='By name.')
    spec.input(
        'improving',
        **port(orm.Dict, validator_of(partial(Improving.from_dict, what='`improving`'))),
        help='Rounds, batch, budget, target, repeats; see `science.plans.improving.Improving`.',
    )
    spec.input('audit', **port(orm.Dict, validate_parameters), help='Options of the audits.')
    owned: tuple[str, ...] = ('dataset', 'split', 'splits')
    spec.expose_inputs(EnsembleWorkChain, namespace='ensemble', exclude=owned)
    spec.expose_inputs(LabelWorkChain, namespace='label', exclude=('configurations',))
    owned = ('models', 'datasets', 'splits', 'part')
    spec.expose_inputs(PredictionWorkChain, namespace='prediction', exclude=owned)
    spec.expose_inputs(
        AseBaseWorkChain,
        namespace='own',
        exclude=OWNED_OF_ASE,
        namespace_options={'required': False, 'populate_defaults': False},
    )
    spec.input(
        'max_concurrent',
        **port(int, at_least(1), required=False),
        help='Work chains at a time, all by default.',
    )
    spec.inputs.validator = validate


def validate_exploration(node: orm.Dict | None, _: Any) -> str | None:
    """Check that dynamics can be planned."""
    if node is None:
        return None
    try:
        plan_exploration(node.get_dict(), 1)
    except (TypeError, ValueError) as exception:
        return f'`exploration`: {exception}'
    return None


def plan_exploration(given: Mapping[str, Any], seed: int) -> dict[str, dict[str, Any]]:
    """Return the samples of dynamics; see `workflows.exploration.plan_samples`.

    Raises:
        ValueError: If a key is missing or unknown, or a value cannot be used.
    """
    if set(given) != set(EXPLORATION):
        raise ValueError(f'expected {", ".join(EXPLORATION)}; got {", ".join(sorted(given))}')
    rest = {name: given[name] for name in EXPLORATION[1:]}
    return exploration.plan_samples(given['temperatures'], seed=seed, **rest)


def validate(inputs: Mapping[str, Any], ports: Any) -> str | None:
    """Check what concerns two inputs: candidates, levels of theory, what must not be trained on."""
    if not {'dataset', 'held_out', 'pool', 'exploration'} <= set(ports):
        return None  # a workflow has excluded them and validates by submitting
    if reason := _unfit(inputs['dataset'], inputs['split'], inputs['held_out']):
        return reason
    if 'pool' not in inputs and 'exploration' not in inputs:
        return 'there are no candidates: give a `pool`, an `exploration`, or both'
    together = {'starts', 'exploration', 'own'} & set(inputs)
    if together and len(together) < 3:
        return f'`starts`, `exploration` and `own` belong together; got {sorted(together)} only'
    for name in {'pool', 'starts'} & set(inputs):
        if unknown := sorted(set(inputs[name].elements) - set(inputs['dataset'].elements)):
            return f'`{name}` holds {unknown}, the training set only {inputs["dataset"].elements}'
    asked = inputs['pool'] if 'pool' in inputs else inputs['starts']
    reason = _unlike(inputs['label'], asked, inputs['dataset'].level_of_theory)
    seeds = inputs['ensemble']['seeds'].get_list()
    reason = reason or too_few_members(inputs['arms'].get_dict(), len(seeds))
    if reason := reason or why_no_energies(
        inputs['ensemble'], inputs['dataset'], [inputs['split']]
    ):
        return reason
    improving = Improving.from_dict(inputs['improving'].get_dict(), '`improving`')
    if 'exploration' not in inputs and inputs['pool'].n_frames < improving.batch:
        return (
            f'a batch has {improving.batch} labels, the `pool` only {inputs["pool"].n_frames} '
            'configurations: give more, or lower `improving.batch`'
        )
    return None


def _unfit(dataset: DatasetData, split: SplitData, held_out: DatasetData) -> str | None:
    """Return why the held-out set cannot judge what is trained on the dataset."""
    if reason := split.mismatch(dataset):
        return reason
    if dataset.level_of_theory != held_out.level_of_theory:
        return (
            f'`dataset` is of {dataset.level_of_theory!r}, `held_out` of '
            f'{held_out.level_of_theory!r}: errors would compare two levels of theory'
        )
    indices = np.arange(held_out.n_frames)
    overlap = TrainedOn(((dataset, split),), ()).find_overlap(held_out, indices)
    if len(overlap.indices):
        counted = trained.describe('held_out', held_out.n_frames, overlap)
        return (
            f'{counted} A held-out set must not hold what is trained on: give a dataset without '
            'these configurations'
        )
    return None


def _unlike(label: Mapping[str, Any], asked: ConfigurationsData, needed: str) -> str | None:
    """Return why labels of such configurations could not be had at the level that is needed."""
    name, given = label['engine'].value, label.get('inputs', {})
    if reason := refusal(name, given, configurations=asked, task=orm.Dict(TASK)):
        return reason
    level = load_engine(name).level_of(given, asked.elements)
    if level in (None, needed):
        return None
    return (
        f'the engine `{name}` labels at {level!r}, `dataset` is of {needed!r}: '
        'choose the engine and the inputs that labelled the training set (`label.inputs`)'
    )


def from_protocol(
    codes: tuple[orm.AbstractCode, orm.AbstractCode],
    dataset: DatasetData,
    engine: str,
    protocol: str | None,
    overrides: Mapping[str, Any] | None,
    base_model: BaseModelData | ModelData | None = None,
) -> dict[str, Any]:
    """Return the inputs of an improvement but for its data.

    Args:
        codes: Of the engine that labels, and Python with NequIP.
        dataset: What is trained on; the engine must take such configurations.
        engine: Name of the engine.
        protocol: One of the protocols of an improvement.
        overrides: Values that win over the protocol's.
        base_model: What members are fine-tuned from, where the protocol of the ensemble says so.

    Raises:
        ValueError: If there is no such protocol, a value cannot be used, or the base model is
            missing.
        EntryPointError: If there is no such engine.
    """
    code, python = codes
    chosen = protocols.load('improve', protocol, overrides)
    names = chosen.pop('protocols')
    labelling = LabelWorkChain.get_builder_from_protocol(
        code, dataset, engine, protocol=names['label'], overrides=chosen.pop('label')
    )
    label = {key: one for key, one in inputs_of(labelling).items() if key != 'configurations'}
    training = protocols.ensemble_inputs(
        python, names['ensemble'], chosen.pop('ensemble'), base_model
    )
    given = chosen.pop('prediction')
    predict = machine.place_prediction(
        protocols.load('predict', names['prediction'], given), python, given
    )
    inputs: dict[str, Any] = {
        'label': label,
        'ensemble': protocols.with_code(EnsembleWorkChain.spec().inputs, training, python),
        'prediction': protocols.with_code(PredictionWorkChain.spec().inputs, predict, python),
    }
    own = chosen.pop('own')
    if chosen['exploration'] is not None:
        inputs['own'] = own_engine(python, names['own'], own)
    arms = {name: one for name, one in chosen.pop('arms').items() if one is not None}
    chosen['arms'] = arms
    for name in ('arms', 'improving', 'audit', 'exploration'):
        if (value := chosen.pop(name)) is not None:
            inputs[name] = orm.Dict(value)
    return inputs | {key: value for key, value in chosen.items() if value is not None}
