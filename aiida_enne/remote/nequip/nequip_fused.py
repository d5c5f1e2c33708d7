"""NequIP's tensor product and scatter in one compiled pass over the edges, twice differentiable.

Works on CPUs for any multiplicities and l ≤ 3, in single and double precision. Parameters, buffers
and checkpoints of a model stay what they are. Members that are stacked by `torch.vmap` become one
graph with more atoms, since the product itself holds no weights.
"""

import ctypes
import hashlib
import math
import os
import platform
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from e3nn.o3 import wigner_3j
from nequip_private import TensorProductScatter

#: Part of the identity of what is trained with it: the last digits depend on the order of sums.
VERSION = 1
SOURCE = Path(__file__).with_suffix('.cpp')
FLAGS = ('-O3', '-march=native', '-fno-math-errno', '-fno-trapping-math', '-fPIC', '-shared')
REALS = {torch.float32: 'float', torch.float64: 'double'}
L_MAX, EDGE_SIZE = 3, 16


class UnfitError(Exception):
    """A model cannot use the fused product; it says why."""


def _structure(kind: Any, names: str) -> list[tuple[str, Any]]:
    return [(name, kind) for name in names.split()]


class _Path(ctypes.Structure):
    _fields_ = _structure(ctypes.c_int32, 'table l_in l_out x out weight mul')


class _Table(ctypes.Structure):
    _fields_ = _structure(ctypes.c_int32, 'offset first last')


class _Entry(ctypes.Structure):
    _fields_ = _structure(ctypes.c_int32, 'cell j')


class _Arguments(ctypes.Structure):
    _fields_ = [
        *_structure(
            ctypes.c_int64, 'n_edges x_size y_size out_size w_size n_paths n_tables n_cells'
        ),
        *_structure(ctypes.c_void_p, 'src dst x y w g a b c out dx dy dw'),
        *_structure(ctypes.c_void_p, 'paths tables entries coefficients'),
    ]


def cpu_flags() -> str:
    """Return what the processor can do: the compiler makes use of all of it."""
    path = Path('/proc/cpuinfo')
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line for line in lines if line.startswith(('flags', 'Features'))), '')


def library(dtype: torch.dtype, lanes: int, folder: Path) -> ctypes.CDLL:
    """Return the compiled code, made once for a kind of processor and kept in a folder.

    Raises:
        UnfitError: If there is no compiler or it fails.
    """
    command = [os.environ.get('CXX', 'g++'), *FLAGS, f'-DREAL={REALS[dtype]}', f'-DLANES={lanes}']
    text = repr((command, platform.machine(), cpu_flags())).encode() + SOURCE.read_bytes()
    path = folder / f'fused-{hashlib.sha256(text).hexdigest()[:24]}.so'
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder) as work:
                fresh = Path(work) / path.name
                subprocess.run(
                    [*command, str(SOURCE), '-o', str(fresh)],
                    check=True,
                    capture_output=True,
                    text=True,
                )
                fresh.replace(path)
        code = ctypes.CDLL(str(path.resolve()))
    except subprocess.CalledProcessError as exception:
        raise UnfitError(f'{command[0]} failed: {exception.stderr[-500:]}') from exception
    except OSError as exception:
        raise UnfitError(f'the product could not be compiled or loaded: {exception}') from exception
    code.product.argtypes = [ctypes.c_int, ctypes.POINTER(_Arguments)]
    code.transpose.argtypes = [
        ctypes.c_int,
        *[ctypes.c_int64] * 3,
        *[ctypes.c_void_p] * 4,
    ]
    code.product.restype = code.transpose.restype = None
    return code


class Product:
    """The couplings of one tensor product, and its three sums over edges.

    Features of atoms are (n, x_size) and (n, out_size) in e3nn's layout, edge attributes
    (e, y_size), weights (e, w_size).
    """

    def __init__(self, old: TensorProductScatter, folder: Path) -> None:
        x, y, out = old.feature_irreps_in, old.irreps_edge_attr, old.irreps_mid
        if max(x.lmax, y.lmax, out.lmax) > L_MAX or y.dim > EDGE_SIZE:
            raise UnfitError(f'l up to {max(x.lmax, y.lmax, out.lmax)}; the product has {L_MAX}')
        if any(mul != 1 for mul, _ in y) or old.model_dtype not in REALS:
            raise UnfitError(f'edge attributes {y} of {old.model_dtype}')
        self.x_size, self.y_size, self.out_size = x.dim, y.dim, out.dim
        paths, tables, entries, values = _couplings(old)
        self.w_size = sum(path[-1] for path in paths)
        self.n_cells = tables[-1][0] + EDGE_SIZE**2  # an upper bound: one matrix beyond the last
        self._blocks = {size: _blocks(irreps) for size, irreps in ((x.dim, x), (out.dim, out))}
        self._paths = (_Path * len(paths))(*paths)
        self._tables = (_Table * len(tables))(*tables)
        self._entries = (_Entry * len(entries))(*entries)
        self._coefficients = torch.tensor(values, dtype=old.model_dtype)
        lanes = math.gcd(8, *[path[-1] for path in paths])
        self._code = library(old.model_dtype, lanes, folder)

    def out(self, x: Any, y: Any, w: Any, src: Any, dst: Any) -> torch.Tensor:
        """Return the sum over edges of x ⊗ y weighted by w, at the atoms `dst`."""
        made: dict[str, torch.Tensor] = {'out': x.new_zeros(len(x), self.out_size)}
        self._run(0, src, dst, made, x=x, y=y, w=w)
        return made['out']

    def first(self, need: Sequence[bool], *tensors: Any) -> list[torch.Tensor]:
        """Return the derivatives of ⟨out, g⟩ with respect to x, y, w; empty where not needed.

        Args:
            need: Which of the three.
            tensors: x, y, w, g, src, dst.
        """
        x, y, w, g, src, dst = tensors
        made = _wanted(need, dx=x, dy=y, dw=w)
        self._run(1, src, dst, made, x=x, y=y, w=w, g=g)
        return [made.get(name, x.new_empty(0)) for name in ('dx', 'dy', 'dw')]

    def second(self, need: Sequence[bool], *tensors: Any) -> list[torch.Tensor]:
        """Return the derivatives of ⟨dx, a⟩ + ⟨dy, b⟩ + ⟨dw, c⟩ with respect to x, y, w, g.

        Args:
            need: Which of the four.
            tensors: x, y, w, g, a, b, c, src, dst.
        """
        x, y, w, g, a, b, c, src, dst = tensors
        made = _wanted(need, dx=x, dy=y, dw=w, out=g)
        self._run(2, src, dst, made, x=x, y=y, w=w, g=g, a=a, b=b, c=c)
        return [made.get(name, x.new_empty(0)) for name in ('dx', 'dy', 'dw', 'out')]

    def _run(self, order: int, src: Any, dst: Any, made: dict[str, Any], **given: Any) -> None:
        atomic = {'x': self.x_size, 'a': self.x_size, 'g': self.out_size}
        tensors = {'src': src.contiguous(), 'dst': dst.contiguous()}
        for name, tensor in given.items():
            size = atomic.get(name)
            tensors[name] = tensor.contiguous() if size is None else self._turn(tensor, size, 1)
        arguments = _Arguments(
            *(len(given['y']), self.x_size, self.y_size, self.out_size, self.w_size),
            *(len(self._paths), len(self._tables), self.n_cells),
            paths=ctypes.addressof(self._paths),
            tables=ctypes.addressof(self._tables),
            entries=ctypes.addressof(self._entries),
            coefficients=self._coefficients.data_ptr(),
        )
        for name, tensor in (tensors | made).items():
            setattr(arguments, name, tensor.data_ptr())
        self._code.product(order, ctypes.byref(arguments))
        for name, size in (('out', self.out_size), ('dx', self.x_size)):
            if name in made:
                made[name] = self._turn(made[name], size, 0)

    def _turn(self, tensor: Any, size: int, inner: int) -> torch.Tensor:
        """Return features of atoms with the multiplicity innermost, or in e3nn's layout again."""
        tensor, (n_blocks, muls, dims) = tensor.contiguous(), self._blocks[size]
        turned = torch.empty_like(tensor)
        pointers = [ctypes.addressof(muls), ctypes.addressof(dims)]
        rows = (tensor.data_ptr(), turned.data_ptr())
        self._code.transpose(inner, len(tensor), size, n_blocks, *pointers, *rows)
        return turned


def _wanted(need: Sequence[bool], **like: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return room for what is needed: zeros, since sums over edges are added to them."""
    return {
        name: torch.zeros_like(tensor, memory_format=torch.contiguous_format)
        for (name, tensor), wanted in zip(like.items(), need, strict=True)
        if wanted
    }


def _blocks(irreps: Any) -> tuple[int, Any, Any]:
    kind = ctypes.c_int32 * len(irreps)
    return len(irreps), kind(*[mul for mul, _ in irreps]), kind(*[ir.dim for _, ir in irreps])


def _couplings(old: TensorProductScatter) -> tuple[list[Any], ...]:
    """Return paths, tables, entries and coefficients: sparse Clebsch–Gordan, each table once."""
    x, y, out = old.feature_irreps_in, old.irreps_edge_attr, old.irreps_mid
    paths: list[Any] = []
    tables: list[Any] = []
    entries: list[Any] = []
    values: list[float] = []
    known: dict[Any, int] = {}
    offset = weight = 0
    for step in old.tp.instructions:
        if step.connection_mode != 'uvu' or not step.has_weight:
            raise UnfitError(f'the instruction {step} of the tensor product')
        (mul, ir_in), ir_edge, ir_out = x[step.i_in1], y[step.i_in2].ir, out[step.i_out].ir
        key = (ir_in.l, step.i_in2, ir_out.l, round(step.path_weight, 12))
        if key not in known:
            known[key], first = len(tables), len(entries)
            table = wigner_3j(ir_in.l, ir_edge.l, ir_out.l, dtype=torch.float64) * step.path_weight
            for i, j, k in (table.abs() > 1e-12).nonzero().tolist():
                entries.append((i * ir_out.dim + k, y.slices()[step.i_in2].start + j))
                values.append(table[i, j, k].item())
            tables.append((offset, first, len(entries)))
            offset += ir_in.dim * ir_out.dim
        starts = (x.slices()[step.i_in1].start, out.slices()[step.i_out].start)
        paths.append((known[key], ir_in.l, ir_out.l, *starts, weight, mul))
        weight += mul
    return paths, tables, entries, values


#: Products by number: operations of torch take numbers, not objects.
_products: list[Product] = []
_library = torch.library.Library('aiida_enne', 'FRAGMENT')
_T = 'Tensor x, Tensor y, Tensor w'
_library.define(f'product(int p, {_T}, Tensor src, Tensor dst) -> Tensor')
_library.define(f'first(int p, int need, {_T}, Tensor g, Tensor src, Tensor dst) -> Tensor[]')
_library.define(
    f'second(int p, int need, {_T}, Tensor g, Tensor a, Tensor b, Tensor c,'
    ' Tensor src, Tensor dst) -> Tensor[]'
)
_library.impl('product', lambda p, *t: _products[p].out(*t), 'CPU')
_library.impl('first', lambda p, need, *t: _products[p].first(_bits(need, 3), *t), 'CPU')
_library.impl('second', lambda p, need, *t: _products[p].second(_bits(need, 4), *t), 'CPU')
_library.impl('product', lambda p, x, *_: x.new_empty(len(x), _products[p].out_size), 'Meta')
_library.impl('first', lambda p, need, *t: _shapes(_bits(need, 3), t[:3]), 'Meta')
_library.impl('second', lambda p, need, *t: _shapes(_bits(need, 4), t[:4]), 'Meta')


def _mask(need: Sequence[bool]) -> int:
    """Return flags as one number: TorchScript traces no lists of them."""
    return sum(wanted << bit for bit, wanted in enumerate(need))


def _bits(need: int, count: int) -> list[bool]:
    return [bool(need >> bit & 1) for bit in range(count)]


def _shapes(need: Sequence[bool], like: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    return [
        tensor.new_empty(tensor.shape if wanted else (0,))
        for tensor, wanted in zip(like, need, strict=True)
    ]


def _apply(function: Any, *inputs: Any) -> Any:
    """Call a function of torch's automatic differentiation, which has no types."""
    return function.apply(*inputs)


class _Out(torch.autograd.Function):
    """out(x, y, w); `edges` says whether second derivatives along y are ever wanted."""

    @staticmethod
    def forward(x: Any, y: Any, w: Any, src: Any, dst: Any, p: int, edges: bool) -> Any:
        return torch.ops.aiida_enne.product(p, x, y, w, src, dst)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        *tensors, ctx.p, ctx.edges = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        x, y, w, src, dst = ctx.saved_tensors
        need = ctx.needs_input_grad[:3]
        found = _apply(_First, x, y, w, g, src, dst, ctx.p, ctx.edges, need)
        return *_pick(found, need), None, None, None, None

    @staticmethod
    def vmap(info: Any, dims: Any, *inputs: Any) -> Any:
        """Put the members' graphs side by side: atom n of member m is atom m N + n of one graph."""
        *tensors, p, edges = inputs
        m = info.batch_size
        x, y, w, src, dst = (
            tensor.expand(m, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
            for tensor, dim in zip(tensors, dims, strict=False)
        )
        n = x.shape[1]
        shift = n * torch.arange(m, device=x.device).unsqueeze(1)
        flat = [tensor.reshape(-1, tensor.shape[-1]) for tensor in (x, y, w)]
        ends = [(end + shift).reshape(-1) for end in (src, dst)]
        return _apply(_Out, *flat, *ends, p, edges).reshape(m, n, -1), 0


class _First(torch.autograd.Function):
    """The derivatives of ⟨out, g⟩."""

    @staticmethod
    def forward(*inputs: Any) -> Any:
        *tensors, p, _, need = inputs
        return tuple(torch.ops.aiida_enne.first(p, _mask(need), *tensors))

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        *tensors, ctx.p, ctx.edges, ctx.need = inputs
        ctx.save_for_backward(*tensors)
        ctx.set_materialize_grads(False)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *given: Any) -> Any:
        *tensors, src, dst = ctx.saved_tensors
        cotangents = [
            torch.zeros_like(tensor) if one is None else one
            for tensor, one in zip(tensors, given, strict=False)
        ]
        x, y, w, g = ctx.needs_input_grad[:4]
        need = [x, y and ctx.edges, w, g]
        found = torch.ops.aiida_enne.second(ctx.p, _mask(need), *tensors, *cotangents, src, dst)
        return *_pick(found, need), None, None, None, None, None


def _pick(found: Any, need: Sequence[bool]) -> list[Any]:
    return [one if wanted else None for one, wanted in zip(found, need, strict=True)]


class FusedTensorProductScatter(torch.nn.Module):
    """Stands in for a `TensorProductScatter` and keeps its `tp` for the sake of its buffers."""

    def __init__(self, old: TensorProductScatter, folder: Path, edges: bool) -> None:
        super().__init__()
        self.tp, self.model_dtype = old.tp, old.model_dtype
        self.edges, self.index = edges, len(_products)
        _products.append(Product(old, folder))

    def forward(
        self, x: Any, edge_attr: Any, edge_weight: Any, edge_dst: Any, edge_src: Any
    ) -> Any:
        """Return the features of atoms (n, out_size)."""
        inputs = (x, edge_attr, edge_weight, edge_src, edge_dst, self.index, self.edges)
        return cast('torch.Tensor', _apply(_Out, *inputs))


class PlainTensorProductScatter(torch.nn.Module):
    """NequIP's own, but that sums over edges go to a new array: members can be stacked."""

    def __init__(self, old: TensorProductScatter) -> None:
        super().__init__()
        self.tp = old.tp

    def forward(
        self, x: Any, edge_attr: Any, edge_weight: Any, edge_dst: Any, edge_src: Any
    ) -> torch.Tensor:
        """Return the features of atoms (n, out_size)."""
        features = self.tp(x[edge_src], edge_attr, edge_weight)
        sums = x.new_zeros(len(x), features.shape[-1]).index_add(0, edge_dst, features)
        return cast('torch.Tensor', sums)


def fuse(model: torch.nn.Module, folder: Path, *, edges: bool = False) -> None:
    """Replace all tensor products of a model in place.

    Args:
        model: A NequIP model on the CPU.
        folder: Where compiled code is kept.
        edges: Whether gradients of forces with respect to positions are wanted, as a Hessian does;
            training does not want them.

    Raises:
        UnfitError: If a product is of another kind, or cannot be compiled; nothing is replaced.
    """
    if any(parameter.device.type != 'cpu' for parameter in model.parameters()):
        raise UnfitError('the model is not on the CPU')
    _replace(model, lambda old: FusedTensorProductScatter(old, folder, edges))


def use_plain(model: torch.nn.Module) -> None:
    """Replace all tensor products of a model by ones of e3nn that can be vectorised."""
    _replace(model, PlainTensorProductScatter)


def _replace(model: torch.nn.Module, make: Callable[[TensorProductScatter], Any]) -> None:
    found = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if type(child) is TensorProductScatter
    ]
    if not found:
        raise UnfitError('the model has no tensor product that is known')
    made = [make(child) for _, _, child in found]
    for (parent, name, _), module in zip(found, made, strict=True):
        setattr(parent, name, module)
