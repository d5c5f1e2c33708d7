"""Work chains of an improvement: the inputs of each, and what it gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import Process, WorkChain

from aiida_enne.calculations.trained import trained_domains
from aiida_enne.data.trainings import TrainedOn
from aiida_enne.families.nequip import prediction
from aiida_enne.science.plans.improving import Improving, seeds_of
from aiida_enne.workflows.audit import AuditWorkChain
from aiida_enne.workflows.base import returned
from aiida_enne.workflows.improve.ports import plan_exploration
from aiida_enne.workflows.prediction import PredictionWorkChain
from aiida_enne.workflows.reference.chosen import thaw
from aiida_enne.workflows.reference.label import LabelWorkChain
from aiida_enne.workflows.reference.samples import SampleWorkChain
from aiida_enne.workflows.training.ensemble import EnsembleWorkChain

#: Role of the one dataset of an audit or a prediction.
HELD_OUT, BOUGHT, CANDIDATES, TRAINING = 'held_out', 'bought', 'candidates', 'training'
Job = tuple[type[Process], dict[str, Any]]


def build(chain: WorkChain, kind: str, path: Mapping[str, Any]) -> Job:
    """Return a work chain and its inputs.

    Args:
        chain: The improvement.
        kind: `train`, `examine`, `explore`, `predict`, `know`, `label` or `prove`.
        path: What the path has; nothing for `label`, which all share.
    """
    if kind == 'label':
        inputs = chain.exposed_inputs(LabelWorkChain, 'label', agglomerate=False)
        return LabelWorkChain, thaw(inputs) | {'configurations': chain.ctx.unlabelled}
    if kind == 'train':
        inputs = thaw(chain.exposed_inputs(EnsembleWorkChain, 'ensemble', agglomerate=False))
        first = inputs['seeds'].get_list()
        seeds = seeds_of(first, path['repeat'])
        data = {'dataset': path['dataset'], 'split': path['split'], 'seeds': orm.List(seeds)}
        given = inputs.pop('initial_models', {})
        labels = {f'seed_{a}': f'seed_{b}' for a, b in zip(first, seeds, strict=True)}
        if begun := initial_of(chain, path, labels, given):
            data['initial_models'] = begun
        return EnsembleWorkChain, inputs | data
    if kind == 'explore':
        return _explore(chain, path)
    inputs = thaw(chain.exposed_inputs(PredictionWorkChain, 'prediction', agglomerate=False))
    inputs['models'] = dict(path['models'])
    if kind in ('examine', 'prove'):
        role, dataset = (HELD_OUT, chain.inputs.held_out)
        if kind == 'prove':
            role, dataset = BOUGHT, path['bought'][f'round_{chain.ctx.round}']
        domains = trained_domains(TrainedOn.of(path['models']), [dataset])
        options = {'training_domains': domains} | chain.inputs.audit.get_dict()
        # of each of many rounds, whose trainings the curve of the error judges
        inputs |= {'datasets': {role: dataset}, 'audit': orm.Dict(options), 'fit_frames': 0}
        return AuditWorkChain, inputs
    inputs['datasets'] = {CANDIDATES: path['candidates']}
    wanted = kind == 'know' or 'features' in path['needs']
    features = orm.Str(prediction.SUMMED if wanted else prediction.NO_FEATURES)
    if kind == 'know' or 'members' not in path['needs']:
        first = min(path['models'])
        inputs['models'] = {first: path['models'][first]}
    if kind == 'know':
        inputs['datasets'] = {TRAINING: path['dataset']}
    inputs['predict'] = inputs['predict'] | {'features': features}
    return PredictionWorkChain, inputs


def initial_of(
    chain: WorkChain, path: Mapping[str, Any], labels: Mapping[str, str], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the models that the members of this round begin with, by label.

    Args:
        chain: The improvement.
        path: What the path has.
        labels: Of the members of this repeat, by those of the first.
        given: Models for the first round, by labels of the first repeat.
    """
    if not chain.ctx.round:
        return {labels[label]: model for label, model in given.items()}
    improving = Improving.from_dict(chain.inputs.improving.get_dict(), '`improving`')
    return dict(path['models']) if improving.warm else {}


def _explore(chain: WorkChain, path: Mapping[str, Any]) -> Job:
    """Return dynamics on the mean of the ensemble of a path."""
    base = thaw(chain.inputs.own)
    base['ase'] = base['ase'] | {'models': dict(path['models'])}
    improving = Improving.from_dict(chain.inputs.improving.get_dict(), '`improving`')
    seed = improving.seed + 100 * path['repeat'] + 10_000 * chain.ctx.round
    samples = plan_exploration(chain.inputs.exploration.get_dict(), seed)
    return SampleWorkChain, {
        'engine': 'ase',
        'inputs': {'base': base},
        'samples': {label: orm.Dict(one) for label, one in samples.items()},
        'pool': chain.inputs.starts,
    }


def found(kind: str, node: orm.ProcessNode) -> Any:
    """Return what a work chain gave, or None where that cannot be used."""
    if kind == 'train':
        models = returned(node, 'models')
        return models if node.is_finished_ok else None
    if kind == 'explore':
        return node.outputs.dataset if 'dataset' in node.outputs else None
    if kind in ('examine', 'prove'):
        role = HELD_OUT if kind == 'examine' else BOUGHT
        return returned(node, 'statistics').get(role)
    role = CANDIDATES if kind == 'predict' else TRAINING
    return predictions(node, role) if node.is_finished_ok else None


def predictions(node: orm.ProcessNode, role: str) -> dict[str, Any]:
    """Return the predictions of a dataset by member."""
    return dict(returned(node, 'predictions').get(role, {}))
