"""Lets a member begin with the weights of a model that was trained before."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nequip_trust
import nequip_weights
import torch
from omegaconf import OmegaConf, open_dict

#: Checkpoint in the folder of a member that it begins with.
INITIAL = 'initial.ckpt'
#: Files of a model that all members begin with, in the folder of the job, and what is made of them.
BASES, BEGIN = ('base.nequip.zip', 'base.ckpt'), 'begin.ckpt'
#: Stands in a configuration for the shifts that fit the training data best.
FITTED = '${base_model:fitted_shifts}'
#: Settings of a model by the names of the tensors that they become.
SETTINGS = {'shifts': 'per_type_energy_shifts', 'scales': 'per_type_energy_scales'}


def unpack(job: Path) -> str:
    """Make a checkpoint of the model that all members begin with; return why that is impossible.

    Args:
        job: Its folder; nothing is done where it holds no such model.
    """
    sources = [name for name in BASES if (job / name).exists()]
    if not sources or (job / BEGIN).exists():
        return ''
    # a package is code that is run: nothing of it reaches the process that trains
    environment = os.environ | ({nequip_trust.FORCED: '0'} if sources[0].endswith('.zip') else {})
    command = [sys.executable, 'nequip_base.py', sources[0], f'{BEGIN}.part']
    done = subprocess.run(
        command, cwd=job, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        return f'the base model cannot be begun with: {"".join(last)}'
    (job / f'{BEGIN}.part').replace(job / BEGIN)
    return ''


def find(folder: Path) -> Path | None:
    """Return the checkpoint that a member begins with, if there is one."""
    places = (folder / INITIAL, folder.parent.parent / BEGIN)
    return next((path for path in places if path.exists()), None)


def adopt(config: Any, folder: Path) -> None:
    """Give the model of a configuration the numbers that the weights were trained with.

    The number of neighbours is that of the older training; shifts and scales, too, unless the
    configuration has its own numbers: the model begins as the function which that one ended with.

    Args:
        config: Of the member; changed.
        folder: Of the member.
    """
    path = find(folder)
    if path is None:
        return
    content = nequip_trust.check(path)
    found, model = content['hyper_parameters']['model'], config.training_module.model
    own: Any = OmegaConf.to_container(model, resolve=False)
    with open_dict(model):
        if 'avg_num_neighbors' in found:
            model.avg_num_neighbors = found['avg_num_neighbors']
        for name in SETTINGS.values():
            if own.get(name) == FITTED and 'fitted_shifts' in content:
                model[name] = content['fitted_shifts']
            elif isinstance(own.get(name), str) and name in found:
                model[name] = found[name]


def begin(folder: Path, module: Any) -> None:
    """Put the weights into NequIP's module of a member, averaged ones too.

    Args:
        folder: Of the member; without a checkpoint to begin with, nothing is changed.
        module: As it was built, before any step.

    Raises:
        UnfitError: If they are not those of such a model.
    """
    path = find(folder)
    if path is None:
        return
    content, model = nequip_trust.check(path), module.model['sole_model']
    own, other = dict(module.hparams['model']), content['hyper_parameters']['model']
    for name, tensor in model.state_dict().items():  # what the configuration has of its own
        setting = SETTINGS.get(name.rpartition('.')[2])
        names = (setting, f'{setting}_trainable') if setting else ()
        if any(own.get(one) != other.get(one) for one in names):
            content['state_dict'][f'{nequip_weights.PREFIX}{name}'] = tensor.clone()
    nequip_weights.put(content, model)
    averaged = getattr(module, 'ema', None)
    if averaged is not None:
        with torch.no_grad():
            for mean, weight in zip(averaged.ema_weights, module.model.parameters(), strict=True):
                mean.copy_(weight)
