"""Puts the weights of a checkpoint into a model of its architecture, which is built once for all.

To build a model takes half a second, to read its weights a hundredth.
"""

from math import sqrt
from typing import Any

import torch
from nequip_product import UnfitError

#: Trainers of NequIP whose checkpoints are understood: where the weights are that predict.
PLAIN, AVERAGED = 'nequip.train.NequIPLightningModule', 'nequip.train.EMALightningModule'
#: Settings of a model that are numbers in it, so that members of one architecture may differ.
NUMBERS = ('seed', 'per_type_energy_scales', 'per_type_energy_shifts', 'avg_num_neighbors')
PREFIX = 'model.sole_model.'


def architecture(content: Any) -> str:
    """Return a text that members have in common whose models differ in numbers only."""
    found = content['hyper_parameters']
    model = {name: value for name, value in found['model'].items() if name not in NUMBERS}
    return repr((trainer(content), sorted(model.items(), key=repr)))


def trainer(content: Any) -> str:
    """Return the class that trained a checkpoint."""
    return str(content['hyper_parameters']['info_dict']['training_module']['_target_'])


def weights(content: Any, model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the parameters and buffers of a checkpoint that predict, by their names in the model.

    Raises:
        UnfitError: If the checkpoint is of an unknown kind.
    """
    state = content['state_dict']
    found = {
        name.removeprefix(PREFIX): value for name, value in state.items() if name.startswith(PREFIX)
    }
    names = [name for name, _ in model.named_parameters()]
    if trainer(content) == AVERAGED:
        if not state['ema._extra_state']['is_holding_ema_weights']:
            raise UnfitError('the checkpoint was written in the middle of a validation')
        if sum(name.startswith('ema.ema_weight_') for name in state) != len(names):
            raise UnfitError('the checkpoint has other trainable parts')
        found |= {name: state[f'ema.ema_weight_{number}'] for number, name in enumerate(names)}
    elif trainer(content) != PLAIN:
        raise UnfitError(f'weights of {trainer(content)} are read by NequIP alone')
    given = content['hyper_parameters']['model'].get('avg_num_neighbors')
    if given is not None:
        kinds = content['hyper_parameters']['model']['type_names']
        counts = [given[kind] for kind in kinds] if isinstance(given, dict) else [given]
        for name, buffer in model.named_buffers():
            if name.endswith('.norm_const'):
                found[name] = torch.tensor([[1 / sqrt(count)] for count in counts]).to(buffer.dtype)
    return found


def put(content: Any, model: torch.nn.Module) -> None:
    """Put the weights of a checkpoint into a model.

    Raises:
        UnfitError: If they are not those of such a model.
    """
    given = weights(content, model)
    own = dict((*model.named_parameters(), *model.named_buffers()))
    learnt = {name for name, _ in model.named_parameters()} | set(model.state_dict())
    if missing := sorted(learnt - given.keys()):
        raise UnfitError(f'the checkpoint lacks {missing}')
    with torch.no_grad():
        for name, value in given.items():
            if name not in own or own[name].shape != value.shape:
                raise UnfitError(f'the checkpoint has {name} of {tuple(value.shape)}')
            own[name].copy_(value)
