"""Which strategy costs least for a training: together or each member alone, fused or not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

#: CPU seconds that members trained together need once: compiling, building one model, tracing.
ONCE = 10.0
#: CPU seconds to build one more member, together and alone.
BUILD, BUILD_ALONE = 0.15, 0.6
#: A step together: seconds of its own, and how many times less a member takes of it than alone.
STEP, GAIN = 0.002, 18.0
#: Seconds that the fused tensor product needs once: compiling and comparing.
FUSED_ONCE = 5.0
#: A step alone: what of it is no tensor product, in the estimate of a family; and of a step with
#: the fused product the same part, dearer by what it has to turn, and what it gains of the rest.
OTHER, FUSED_OTHER, FUSED_GAIN = 0.0213, 0.03, 11.6
#: What is trained together: builders of models, losses, optimisers, modules.
MODELS = ('nequip.model.NequIPGNNModel',)
LOSSES = (
    'nequip.train.EnergyForceLoss',
    'nequip.train.EnergyForceStressLoss',
    'nequip.train.MetricsManager',
)
OPTIMISERS = ('torch.optim.Adam', 'torch.optim.AdamW')


class Choice(NamedTuple):
    """A strategy, and why it was chosen in one sentence."""

    strategy: str
    reason: str


def choose(
    parameters: Mapping[str, Any], step_seconds: float | None, *, members: int, frames: int
) -> Choice:
    """Return `vectorised` where that is possible and costs less CPU than `parallel`.

    Where members cannot be trained together, `fused` may still cost less. The constants are fitted
    to what `benchmarks/training.py` measures.

    Args:
        parameters: Sections of a NequIP configuration.
        step_seconds: Seconds of a step of one member alone; None where that is not known.
        members: Members of a job.
        frames: Training configurations.
    """
    if on_gpu(parameters):
        accelerator = parameters['trainer']['accelerator']
        untried = 'members are trained together only where `vectorised` is asked for: untried there'
        return Choice('parallel', f'on the accelerator {accelerator} {untried}')
    unfit = find_unfit(parameters)
    cannot = f'members cannot be trained together: {unfit}'
    if unfit and step_seconds is None:
        return Choice('parallel', cannot)
    if step_seconds is None:
        return Choice('parallel', 'the cost of this model is not known')
    epochs = parameters['trainer'].get('max_epochs') or math.inf
    loader = parameters['data'].get('train_dataloader') or {}
    steps = math.inf if epochs < 0 else epochs * math.ceil(frames / loader.get('batch_size', 1))
    fused_step = FUSED_OTHER + (step_seconds - OTHER) / FUSED_GAIN
    if unfit:
        gain = members * steps * (step_seconds - fused_step)
        return Choice('fused' if gain > FUSED_ONCE else 'parallel', cannot)
    if math.isinf(steps):
        return Choice('vectorised', 'the number of epochs has no limit')
    alone = members * (BUILD_ALONE + steps * step_seconds)
    together = ONCE + members * BUILD + steps * (STEP + members * step_seconds / GAIN)
    chosen = 'vectorised' if together < alone else 'parallel'
    return Choice(
        chosen,
        f'{members} members of {steps:g} steps need about {together:.0f} s of CPU together, '
        f'{alone:.0f} s each alone',
    )


def find_unfit(parameters: Mapping[str, Any]) -> str:
    """Return what the script that trains members together would refuse; empty where nothing is.

    Only what the configuration shows; the job finds the rest and says it.
    """
    module, trainer = parameters['training_module'], parameters['trainer']
    for section, known in (('model', MODELS), ('loss', LOSSES), ('optimizer', OPTIMISERS)):
        target = str((module.get(section) or {}).get('_target_', ''))
        if target not in known:
            return f'the {section} {target or "of no name"}'
    gaps = (module.get('loss') or {}).get('ignore_nan') or {}
    if named := [name for name, left in gaps.items() if left]:
        return f'a loss that leaves out missing labels of {named}'
    schedule = module.get('lr_scheduler') or {}
    if schedule.get('interval', 'epoch') != 'epoch' or schedule.get('frequency', 1) != 1:
        return 'a schedule of the learning rate other than once an epoch'
    if trainer.get('callbacks'):
        return 'callbacks of the trainer'
    return ''


def on_gpu(parameters: Mapping[str, Any]) -> bool:
    """Return whether members are trained on anything but CPUs, where nothing was measured."""
    return bool(parameters['trainer'].get('accelerator', 'cpu') != 'cpu')
