"""e3nn's linear layers of all members in compiled code, differentiable any number of times."""

import ctypes
from pathlib import Path
from typing import Any

import torch
from e3nn.o3 import Linear
from nequip_product import L_MAX, REALS, UnfitError, library, structure

SOURCE = Path(__file__).with_suffix('.cpp')
#: What is made of which two: out of (x, w), x of (out, w), w of (x, out).
OUT, X, W = range(3)
NAMES = ('out', 'x', 'w')
GIVEN = {OUT: ('x', 'w'), X: ('out', 'w'), W: ('x', 'out')}
#: Layers by number: operations of torch take numbers, not objects.
_layers: list['_Maps'] = []
_library = torch.library.Library('aiida_enne_linear', 'DEF')
_library.define('make(int layer, int kind, Tensor one, Tensor other) -> Tensor')
_library.impl('make', lambda layer, *given: _layers[layer].make(*given), 'CPU')


class _Map(ctypes.Structure):
    _fields_ = [
        *structure(ctypes.c_int32, 'x out mul_in mul_out dim weight'),
        ('factor', ctypes.c_double),
    ]


class _Arguments(ctypes.Structure):
    _fields_ = [
        *structure(ctypes.c_int64, 'n_members n_rows x_size out_size w_size n_maps'),
        *structure(ctypes.c_void_p, 'maps x w out'),
    ]


class _Maps:
    """The maps of one layer.

    Raises:
        UnfitError: If it has biases, weights from elsewhere, or cannot be compiled.
    """

    def __init__(self, old: Linear, folder: Path) -> None:
        dtype, ends = old.weight.dtype, (old.irreps_in, old.irreps_out)
        if old.bias_numel or not old.internal_weights or dtype not in REALS:
            raise UnfitError(f'a linear layer of {dtype}, with biases or weights from elsewhere')
        if max(irreps.lmax for irreps in ends) > L_MAX:
            raise UnfitError(f'a linear layer of l above {L_MAX}')
        self.sizes = {'x': ends[0].dim, 'out': ends[1].dim, 'w': old.weight_numel}
        maps: list[Any] = []
        muls: list[int] = []
        offset = 0
        for step in old.instructions:
            (mul_in, ir), mul_out = ends[0][step.i_in], ends[1][step.i_out].mul
            starts = (ends[0].slices()[step.i_in].start, ends[1].slices()[step.i_out].start)
            maps.append((*starts, mul_in, mul_out, ir.dim, offset, step.path_weight))
            muls += [mul_in, mul_out]
            offset += mul_in * mul_out
        self._maps = (_Map * len(maps))(*maps)
        self._code = library(dtype, muls, folder, (SOURCE,))

    def make(self, kind: int, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return one of the three from the two others, see `GIVEN`; rows are (M, n, size)."""
        given = (one.contiguous(), other.contiguous())
        tensors = dict(zip(GIVEN[kind], given, strict=True))
        rows = len(one), one.shape[1]
        shape = (rows[0], self.sizes['w']) if kind == W else (*rows, self.sizes[NAMES[kind]])
        made = one.new_zeros(shape)
        tensors[NAMES[kind]] = made
        arguments = _Arguments(*rows, *[self.sizes[n] for n in ('x', 'out', 'w')], len(self._maps))
        arguments.maps = ctypes.addressof(self._maps)
        for name, tensor in tensors.items():
            setattr(arguments, name, tensor.data_ptr())
        self._code.linear(kind, ctypes.byref(arguments))
        return made


class _Make(torch.autograd.Function):
    """One of x, w and out from the two others; so are its derivatives."""

    @staticmethod
    def forward(one: Any, other: Any, layer: int, kind: int) -> Any:
        return torch.ops.aiida_enne_linear.make(layer, kind, one, other)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        *tensors, ctx.layer, ctx.kind = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, given: Any) -> Any:
        known = dict(zip(GIVEN[ctx.kind], ctx.saved_tensors, strict=True))
        known[NAMES[ctx.kind]] = given
        found = []
        for name, needed in zip(GIVEN[ctx.kind], ctx.needs_input_grad, strict=False):
            kind = NAMES.index(name)
            two = [known[other] for other in GIVEN[kind]]
            found.append(_make(*two, ctx.layer, kind) if needed else None)
        return *found, None, None

    @staticmethod
    def vmap(info: Any, dims: Any, *inputs: Any) -> Any:
        """Take members, each with an axis of one member, as members of one call."""
        *tensors, layer, kind = inputs
        one, other = (
            tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
            for tensor, dim in zip(tensors, dims, strict=False)
        )
        return _make(one.squeeze(1), other.squeeze(1), layer, kind).unsqueeze(1), 0


def _make(*inputs: Any) -> Any:
    """Call a function of torch's automatic differentiation, which has no types."""
    function: Any = _Make
    return function.apply(*inputs)


class CompiledLinear(torch.nn.Module):
    """Stands in for e3nn's `Linear`, with its weights."""

    def __init__(self, old: Linear, folder: Path) -> None:
        super().__init__()
        self.weight, self._number = old.weight, len(_layers)
        for name, buffer in old.named_buffers(recurse=False):
            self.register_buffer(name, buffer)
        _layers.append(_Maps(old, folder))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return features after the layer (n, out)."""
        made: torch.Tensor = _make(features[None], self.weight[None], self._number, OUT).squeeze(0)
        return made


def compile_linear(model: torch.nn.Module, folder: Path) -> None:
    """Replace the linear layers of a model on the CPU in place.

    Args:
        model: A NequIP model, or a part of one.
        folder: Where compiled code is kept.

    Raises:
        UnfitError: If a layer is of another kind, or cannot be compiled; nothing is replaced.
    """
    made = [
        (parent, name, CompiledLinear(child, folder))
        for parent in model.modules()
        for name, child in parent.named_children()
        if type(child) is Linear
    ]
    for parent, name, module in made:
        setattr(parent, name, module)
