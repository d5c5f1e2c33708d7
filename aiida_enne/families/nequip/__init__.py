"""NequIP: its parameters, and what its jobs read and write."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from aiida_enne.families.nequip import choice, prediction, training
from aiida_enne.remote import read_script

Model = Mapping[str, Any]


class NequipFamily:
    """Models of NequIP, trained by its own trainer or together."""

    name, extra = 'nequip', ''
    kernels: Mapping[str, str] = {'vectorised': 'vectorised 5', 'fused': 'fused 1'}
    gain = choice.GAIN
    strategies = {
        'sequential': training.SCRIPTS,
        'parallel': training.SCRIPTS,
        'fused': training.SCRIPTS + training.FUSED_SCRIPTS,
        'vectorised': training.SCRIPTS + training.VECTORISED_SCRIPTS,
    }
    prediction_scripts = prediction.SCRIPTS
    #: What the estimate of the cost needs to know of a model.
    sizes: Sequence[str] = ('num_layers', 'num_features', 'l_max', 'r_max')

    check = staticmethod(training.check_parameters)
    render = staticmethod(training.render)
    identity = staticmethod(training.identity)
    script = staticmethod(read_script)

    def owns(self, target: str) -> bool:
        """Return whether a model is NequIP's own, or one that it has packaged or saved."""
        return target.startswith('nequip.')

    def model(self, protocol: str) -> dict[str, Any]:
        """Return nothing: the protocols are those of NequIP."""
        return {}

    def misspelt(self, parameters: Model) -> str:
        """Return which keys are taken by nothing, asked of NequIP in a process of its own."""
        if importlib.util.find_spec('nequip') is None:
            return ''
        return _ask(json.dumps(parameters, sort_keys=True))

    def choose(self, parameters: Model, *, members: int, frames: int) -> choice.Choice:
        """Return `vectorised` where it can be and costs least, else `fused` where it pays."""
        if not self.kernels:
            return choice.Choice('parallel', f'members of {self.name} are trained each alone')
        try:
            seconds = self.step_seconds(parameters['training_module']['model'])
        except ValueError:
            seconds = None
        return choice.choose(parameters, seconds, members=members, frames=frames)

    def describe(self, model: Model) -> str:
        """Return the size of a model in a few words."""
        known = [f'{name} {model[name]}' for name in self.sizes if name in model]
        return f'{self.name} ({", ".join(known) or model.get("_target_")})'

    def step_seconds(self, model: Model) -> float:
        """Return the seconds of a training step of 64 atoms on one core.

        Through three measurements of liquid silicon, batch 1: 26 ms (2 layers, 8 features, l_max 1,
        cutoff 4 Å), 45 ms (l_max 2) and 1.82 s (4 layers, 16 features, l_max 3, both parities,
        5 Å).
        """
        self.check_size(model)
        size = model['num_layers'] * widest(model['num_features']) * model['r_max'] ** 3
        size *= (model['l_max'] + 1) ** 4 * (3.0 if model.get('parity', True) else 1.0)
        return 0.0213 + 2.85e-7 * float(size)

    def inference_seconds(self, model: Model) -> float:
        """Return the seconds of energy and forces on one core: 0.4 of a step (measured)."""
        return 0.4 * self.step_seconds(model)

    def check_size(self, model: Model) -> None:
        """Refuse a model whose cost is not known.

        Raises:
            ValueError: If it does not say how large it is.
        """
        if missing := [name for name in self.sizes if name not in model]:
            raise ValueError(
                f'the cost of {model.get("_target_")!r} is not known: its model lacks {missing}'
            )


def widest(features: int | Sequence[int]) -> int:
    """Return the number of features, of the l that has most where each l has its own."""
    return features if isinstance(features, int) else max(features)


@cache
def _ask(text: str) -> str:
    command = [sys.executable, '-c', read_script('nequip_signatures.py')]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        return f'the configuration cannot be read: {"".join(last)}'
    return done.stdout.strip()


FAMILY = NequipFamily()
