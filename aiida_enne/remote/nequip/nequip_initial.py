"""Lets a member begin with the weights of a model that was trained before."""

from pathlib import Path
from typing import Any

import nequip_trust
import nequip_weights
import torch
from omegaconf import open_dict

#: Checkpoint in the folder of a member that it begins with.
INITIAL = 'initial.ckpt'


def adopt(config: Any, folder: Path) -> None:
    """Give the model of a configuration the numbers that the weights were trained with.

    Shifts, scales and the number of neighbours are those of the older training, so that the model
    begins as the function which that one ended with.

    Args:
        config: Of the member; changed.
        folder: Of the member.
    """
    if not (folder / INITIAL).exists():
        return
    found = nequip_trust.check(folder / INITIAL)['hyper_parameters']['model']
    model = config.training_module.model
    with open_dict(model):
        for name in nequip_weights.NUMBERS:
            if name != 'seed' and name in found:
                model[name] = found[name]


def begin(folder: Path, module: Any) -> None:
    """Put the weights into NequIP's module of a member, averaged ones too.

    Args:
        folder: Of the member; without `initial.ckpt`, nothing is changed.
        module: As it was built, before any step.

    Raises:
        UnfitError: If they are not those of such a model.
    """
    path = folder / INITIAL
    if not path.exists():
        return
    nequip_weights.put(nequip_trust.check(path), module.model['sole_model'])
    averaged = getattr(module, 'ema', None)
    if averaged is not None:
        with torch.no_grad():
            for own, weight in zip(averaged.ema_weights, module.model.parameters(), strict=True):
                own.copy_(weight)
