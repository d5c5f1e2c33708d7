"""Radial networks of all members in compiled code: perceptrons with SiLU, twice differentiable."""

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from nequip_fused import NEEDS
from nequip_private import ScalarMLPFunction
from nequip_product import REALS, UnfitError, library, structure

SOURCE = Path(__file__).with_suffix('.cpp')
#: Networks by number: operations of torch take numbers, not objects.
_networks: list['_Network'] = []
_library = torch.library.Library('aiida_enne_radial', 'DEF')
_library.define('out(int number, Tensor x, Tensor w) -> Tensor')
_library.define('first(int number, int need, Tensor x, Tensor w, Tensor g) -> Tensor[]')
_library.define(
    'second(int number, int need, Tensor x, Tensor w, Tensor g, Tensor b, Tensor? c) -> Tensor[]'
)
_library.impl('out', lambda number, *given: _networks[number].out(*given), 'CPU')
_library.impl('first', lambda number, *given: _networks[number].first(*given), 'CPU')
_library.impl('second', lambda number, *given: _networks[number].second(*given), 'CPU')
NEEDS[torch.ops.aiida_enne_radial.first.default] = 1
NEEDS[torch.ops.aiida_enne_radial.second.default] = 1


class _Arguments(ctypes.Structure):
    _fields_ = [
        *structure(ctypes.c_int64, 'n_members n_rows n_layers w_size'),
        *structure(ctypes.c_void_p, 'sizes x w g b c out dx dw dg'),
    ]


class _Network:
    """A network of known sizes; rows are (M, n, size), weights of all layers (M, w)."""

    def __init__(self, sizes: Sequence[int], dtype: torch.dtype, folder: Path) -> None:
        self.n_out, self._n_layers = sizes[-1], len(sizes) - 1
        self._sizes = (ctypes.c_int64 * len(sizes))(*sizes)
        self._code = library(dtype, sizes, folder, (SOURCE,))

    def out(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Return what the network makes of x."""
        made = x.new_empty(*x.shape[:2], self.n_out)
        self._run(0, x=x, w=w, out=made)
        return made

    def first(self, need: int, x: Any, w: Any, g: Any) -> list[torch.Tensor]:
        """Return the derivatives of ⟨out, g⟩ with respect to x and w; empty where not needed."""
        made = _wanted(need, dx=x, dw=w)
        self._run(1, x=x, w=w, g=g, **made)
        return [made.get(name, x.new_empty(0)) for name in ('dx', 'dw')]

    def second(self, need: int, x: Any, w: Any, g: Any, b: Any, c: Any) -> list[torch.Tensor]:
        """Return the derivatives of ⟨dx, b⟩ + ⟨dw, c⟩ with respect to x, w and g."""
        made = _wanted(need, dx=x, dw=w, dg=g)
        self._run(2, x=x, w=w, g=g, b=b, **({} if c is None else {'c': c}), **made)
        return [made.get(name, x.new_empty(0)) for name in ('dx', 'dw', 'dg')]

    def _run(self, order: int, **given: torch.Tensor) -> None:
        tensors = {name: tensor.contiguous() for name, tensor in given.items()}
        x, w = tensors['x'], tensors['w']
        arguments = _Arguments(*x.shape[:2], self._n_layers, w.shape[1])
        arguments.sizes = ctypes.addressof(self._sizes)
        for name, tensor in tensors.items():
            setattr(arguments, name, tensor.data_ptr())
        self._code.radial(order, ctypes.byref(arguments))


def _wanted(need: int, **like: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return room for what is needed, by the bits of a number."""
    return {
        name: torch.zeros_like(tensor, memory_format=torch.contiguous_format)
        for bit, (name, tensor) in enumerate(like.items())
        if need >> bit & 1
    }


def _mask(need: Sequence[bool]) -> int:
    return sum(wanted << bit for bit, wanted in enumerate(need))


def _pick(found: Any, need: Sequence[bool]) -> list[Any]:
    return [one if wanted else None for one, wanted in zip(found, need, strict=True)]


class _Out(torch.autograd.Function):
    @staticmethod
    def forward(x: Any, w: Any, number: int) -> Any:
        return torch.ops.aiida_enne_radial.out(number, x, w)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        x, w, ctx.number = inputs
        ctx.save_for_backward(x, w)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        need = ctx.needs_input_grad[:2]
        found = _apply(_First, *ctx.saved_tensors, g, ctx.number, need)
        return *_pick(found, need), None

    @staticmethod
    def vmap(info: Any, dims: Any, *inputs: Any) -> Any:
        """Take members, each with an axis of one member, as members of one call."""
        *tensors, number = inputs
        x, w = (
            tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
            for tensor, dim in zip(tensors, dims, strict=False)
        )
        return _apply(_Out, x.squeeze(1), w.squeeze(1), number).unsqueeze(1), 0


class _First(torch.autograd.Function):
    @staticmethod
    def forward(*inputs: Any) -> Any:
        *tensors, number, need = inputs
        return tuple(torch.ops.aiida_enne_radial.first(number, _mask(need), *tensors))

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        *tensors, ctx.number, _ = inputs
        ctx.save_for_backward(*tensors)
        ctx.set_materialize_grads(False)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, b: Any, c: Any) -> Any:
        tensors, need = ctx.saved_tensors, ctx.needs_input_grad[:3]
        b = torch.zeros_like(tensors[0]) if b is None else b
        call = torch.ops.aiida_enne_radial.second
        return *_pick(call(ctx.number, _mask(need), *tensors, b, c), need), None, None


def _apply(function: Any, *inputs: Any) -> Any:
    """Call a function of torch's automatic differentiation, which has no types."""
    return function.apply(*inputs)


class CompiledRadial(torch.nn.Module):
    """Stands in for a `ScalarMLPFunction`, with its layers for the sake of their weights."""

    def __init__(self, old: ScalarMLPFunction, folder: Path) -> None:
        super().__init__()
        self.mlp, self._number = old.mlp, len(_networks)
        layers, between = [*self.mlp.children()][::2], [*self.mlp.children()][1::2]
        if not between or any(type(one) is not torch.nn.SiLU for one in between):
            raise UnfitError('a radial network without SiLU between its layers')
        dtype = layers[0].weight.dtype
        if (
            old.bias
            or dtype not in REALS
            or any(hasattr(one, 'parametrizations') for one in layers)
        ):
            raise UnfitError(f'a radial network of {dtype}, with biases or other weights')
        _networks.append(_Network(old.dims, dtype, folder))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the weights of edges (n, out)."""
        weights = torch.cat(
            [(one.weight * one.alpha).flatten() for one in [*self.mlp.children()][::2]]
        )
        made: torch.Tensor = _apply(_Out, x[None], weights[None], self._number).squeeze(0)
        return made


def compile_radial(model: torch.nn.Module, folder: Path) -> None:
    """Replace the radial networks of a model on the CPU in place.

    Args:
        model: A NequIP model, or a part of one.
        folder: Where compiled code is kept.

    Raises:
        UnfitError: If one is of another kind, or cannot be compiled; nothing is replaced.
    """
    found = [module for module in model.modules() if hasattr(module, 'edge_mlp')]
    made = [CompiledRadial(module.edge_mlp, folder) for module in found]
    for parent, module in zip(found, made, strict=True):
        parent.edge_mlp = module
