"""Reads checkpoints without unpickling, and lets them name classes of known packages only.

A checkpoint may come from an archive of somebody else. NequIP unpickles it and lets Hydra build
what its configuration names, of which younger versions of Hydra refuse only the worst. Whoever
knows better sets, in the job, `TORCH_FORCE_WEIGHTS_ONLY_LOAD=0` or `AIIDA_ENNE_TRUST=my_package`.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

#: Makes every `torch.load` of this process one of plain values and tensors, whoever calls it.
FORCED = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
TRUST = 'AIIDA_ENNE_TRUST'
#: What the configuration of a model is made of.
KNOWN = (
    'allegro',
    'e3nn',
    'lightning',
    'nequip.data',
    'nequip.model',
    'nequip.nn',
    'nequip.train',
    'torch.nn',
    'torch.optim',
    'torch.utils.data',
    'torchmetrics',
)


class UntrustedError(Exception):
    """A checkpoint holds or names what nobody has asked for."""


def force() -> bool:
    """Unpickle nothing from now on, unless the job allows it; return whether it is forbidden."""
    return os.environ.setdefault(FORCED, '1').lower() in ('1', 'y', 'yes', 'true')


def load(path: Path) -> Any:
    """Return the content of a checkpoint on the CPU.

    Raises:
        UntrustedError: If it holds Python objects, which only unpickling would bring back.
    """
    plain = force()
    if plain and (foreign := torch.serialization.get_unsafe_globals_in_checkpoint(path)):
        raise UntrustedError(f'{path.name} holds {foreign}; {FORCED}=0 in the job unpickles them')
    return torch.load(path, map_location='cpu', weights_only=plain)


def check(path: Path) -> Any:
    """Look at a checkpoint before NequIP builds a model from it; return its content.

    Raises:
        UntrustedError: If it holds Python objects or names classes of unknown packages.
    """
    known = (*KNOWN, *filter(None, os.environ.get(TRUST, '').split(',')))
    content = load(path)
    found = content['hyper_parameters']
    built = {name: value for name, value in found.items() if name != 'info_dict'}
    built['training_module'] = found['info_dict']['training_module']
    foreign = [
        name for name in targets(built) if not any(name.startswith(f'{root}.') for root in known)
    ]
    if foreign:
        raise UntrustedError(
            f'{path.name} names {sorted(set(foreign))}, none of them of {", ".join(known)}; '
            f'{TRUST}=PACKAGE in the job trusts another package'
        )
    return content


def targets(config: Any) -> Iterator[str]:
    """Yield what a configuration would have built or called, at any depth."""
    if isinstance(config, dict):
        for name, value in config.items():
            if name == '_target_':
                yield str(value)
            else:
                yield from targets(value)
    elif isinstance(config, (list, tuple)):
        for value in config:
            yield from targets(value)
