"""What the inputs of an ensemble must fulfil, each refusal naming the value."""

from collections.abc import Mapping
from typing import Any

from aiida import orm

from aiida_enne.calculations.nequip_train import untrainable
from aiida_enne.calculations.starting import unfit, unfit_base
from aiida_enne.science.data.left_out import leave_out_densities
from aiida_enne.workflows.training.energies import why_no_energies


def validate_seeds(node: orm.List, _: Any) -> str | None:
    """Require one or more distinct seeds that torch accepts."""
    seeds = node.get_list()
    integers = all(type(seed) is int and 0 <= seed < 2**32 for seed in seeds)
    if not seeds or not integers or len(set(seeds)) < len(seeds):
        return f'`seeds` must be distinct integers from 0 to 2^32 - 1, got {seeds}'
    return None


def validate_inputs(inputs: Mapping[str, Any], ports: Any) -> str | None:
    """Check that every member has one split of the dataset."""
    if not {'dataset', 'seeds', 'split'}.issubset(ports):
        return None  # a workflow has excluded them and validates by submitting
    labels = [f'seed_{seed}' for seed in inputs['seeds']]
    splits = dict(inputs.get('splits') or {})
    if ('split' in inputs) == bool(splits):
        return 'give either `split` or `splits`, one of them'
    if 'leave_out_densities' in inputs and (why := cannot_leave_out(inputs, bool(splits))):
        return why
    if splits and set(splits) != set(labels):
        return f'`splits` must hold {sorted(labels)}, got {sorted(splits)}'
    parameters = inputs['training']['train']['parameters']
    for split in {one.uuid: one for one in splits.values() or [inputs['split']]}.values():
        why = split.mismatch(inputs['dataset'])
        why = why or untrainable(inputs['dataset'], split, parameters)
        if why := why or why_no_energies(inputs, inputs['dataset'], [split]):
            return why
    base = inputs['training']['train'].get('base_model')
    initial = inputs.get('initial_models') or {}
    why = unfit_base(base, parameters, inputs['dataset'])
    if why := why or unfit(initial, labels, parameters, inputs['dataset']):
        return why
    if 'min_members' in inputs and inputs['min_members'].value > len(labels):
        return f'`min_members` is {inputs["min_members"].value}, but there are {len(labels)} seeds'
    return None


def cannot_leave_out(inputs: Mapping[str, Any], has_several: bool) -> str | None:
    """Return why no density can be left out of the training of each member, or None."""
    if not inputs['leave_out_densities'].value:
        return None
    if has_several:
        return '`leave_out_densities` takes one `split`, got one a member'
    if why := inputs['split'].mismatch(inputs['dataset']):
        return str(why)
    try:
        leave_out_densities(inputs['dataset'].get_configurations(), inputs['split'].get_split())
    except ValueError as exception:
        return str(exception)
    return None
