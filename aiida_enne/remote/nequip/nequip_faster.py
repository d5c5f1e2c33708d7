"""Puts a faster tensor product into one model, where that says what e3nn's says.

On CPUs it is the compiled one of `nequip_fused`, on GPUs what NequIP's own modifiers bring where
it is installed. Weights, buffers and checkpoints of the model stay what they are.
"""

from collections.abc import Callable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from nequip.data import AtomicDataDict
from nequip_fused import fuse
from nequip_private import TensorProductScatter

#: The compiled product by name and version: part of the identity of what is trained with it.
KERNEL = 'fused 1'
#: NequIP's modifiers for GPUs and the packages that they need. Where l is 3 these have given wrong
#: forces (PASSIONLab/OpenEquivariance#211, mir-group/nequip#610): none is used unseen.
MODIFIERS = {
    'enable_OpenEquivariance': 'openequivariance',
    'enable_CuEquivariance': 'cuequivariance_torch',
}


#: By precision, the largest difference in training, relative to each tensor's largest value.
LIMITS = {torch.float32: 1e-4, torch.float64: 1e-9}


class Outcome(NamedTuple):
    """The product that is in a model by name and version, empty where it is e3nn's; and why."""

    kernel: str
    note: str


def hasten(
    model: torch.nn.Module,
    folder: Path,
    measure: Callable[[], list[torch.Tensor]],
    limits: dict[torch.dtype, float],
    least: float = 1e-20,
) -> Outcome:
    """Replace the tensor products of a model in place by the first kind that passes.

    Args:
        model: A NequIP model, where it will be used.
        folder: Where compiled code is kept.
        measure: Evaluates the model on data of the job.
        limits: By precision, the largest difference of what is measured that is rounding, relative
            to the largest value of each tensor.
        least: Largest values below count as this.
    """
    known: list[tuple[torch.nn.Module, str, Any]] = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if type(child) is TensorProductScatter
    ]
    if not known:
        return Outcome('', 'the model has no tensor product that is known')
    if any(getattr(part, 'is_compile_graph_model', False) for part in model.modules()):
        return Outcome('', 'the model is compiled by torch')
    expected, reasons = measure(), []
    limit = limits[known[0][2].model_dtype]
    for kernel, put in _kinds(model, folder):
        try:
            put(model)
            worst = _difference(measure(), expected, least)
            if worst <= limit:
                return Outcome(kernel, f'{worst:.1e} from e3nn’s, relative to the largest value')
            reasons.append(f'{kernel} is {worst:.1e} from e3nn’s, more than {limit:.0e}')
        except Exception as exception:  # compilers and libraries fail in many ways; e3nn works
            reasons.append(f'{kernel}: {exception}')
        for parent, name, product in known:
            setattr(parent, name, product)
    return Outcome('', '; '.join(reasons) or 'no faster tensor product is installed')


def hasten_training(module: Any, data: Any, folder: Path) -> Outcome:
    """Replace the tensor products of a model that is trained, if its first batch passes.

    Energies, forces and the gradients of the loss are compared.

    Args:
        module: NequIP's training module, on its device.
        data: NequIP's data module.
        folder: Where compiled code is kept.
    """
    dataset = data.train_dataset[0]
    size = min(int(data.train_dataloader_config.get('batch_size', 1)), len(dataset))
    batch = AtomicDataDict.batched_from_list([dataset[index] for index in range(size)])
    batch = AtomicDataDict.to_(batch, module.device)
    weights = list(module.model.parameters())

    def measure() -> list[torch.Tensor]:
        with torch.enable_grad():
            out = module(batch.copy())
            loss = module.loss(out, batch.copy(), prefix='')['weighted_sum']
            gradients = torch.autograd.grad(loss, weights, allow_unused=True)
        module.loss.reset()
        said = [out[name].detach() for name in ('total_energy', 'forces') if name in out]
        return [*said, *[one for one in gradients if one is not None]]

    return hasten(module.model, folder, measure, LIMITS)


def _kinds(
    model: torch.nn.Module, folder: Path
) -> Iterator[tuple[str, Callable[[torch.nn.Module], Any]]]:
    """Yield the products for the device of a model: name and version, and what puts it in."""
    device = next(model.parameters()).device
    if device.type == 'cpu':
        yield KERNEL, lambda one: fuse(one, folder)
    for name, package in MODIFIERS.items() if device.type == 'cuda' else ():
        if find_spec(package) is not None:
            modifier = getattr(TensorProductScatter, name)

            def put(one: torch.nn.Module, modifier: Any = modifier) -> None:
                modifier(one)
                one.to(device)

            yield f'{package} {version(package.partition("_torch")[0])}', put


def _difference(found: list[torch.Tensor], expected: list[torch.Tensor], least: float) -> float:
    """Return the largest difference relative to each tensor's largest value; NaN where one is."""
    worst = [
        (one - other).abs().max() / other.abs().max().clamp(min=least)
        for one, other in zip(found, expected, strict=True)
        if other.numel()
    ]
    return float(torch.stack(worst).max())
