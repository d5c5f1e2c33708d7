"""The compiled tensor product and scatter: one pass over edges, and its two derivatives.

The code is compiled once for a kind of processor; couplings are sparse Clebsch–Gordan.
"""

import ctypes
import hashlib
import math
import os
import platform
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from e3nn.o3 import wigner_3j
from nequip_private import TensorProductScatter

SOURCE = Path(__file__).with_suffix('.cpp')
FLAGS = ('-O3', '-march=native', '-fno-math-errno', '-fno-trapping-math', '-fPIC', '-shared')
REALS = {torch.float32: 'float', torch.float64: 'double'}
#: Integers of the same size.
WHOLE = {torch.float32: torch.int32, torch.float64: torch.int64}
L_MAX, EDGE_SIZE = 3, 16
#: Results by atom; those by edge are written once.
SUMS = ('out', 'dx')
TABLES = ('paths', 'entries', 'coefficients', 'picks', 'shares')


class UnfitError(Exception):
    """A model cannot use the fused product; it says why."""


def structure(kind: Any, names: str) -> list[tuple[str, Any]]:
    """Return fields of one kind, for a structure of ctypes."""
    return [(name, kind) for name in names.split()]


class _Path(ctypes.Structure):
    _fields_ = structure(ctypes.c_int32, 'cell l_in l_out x out weight mul first last')


class _Entry(ctypes.Structure):
    _fields_ = structure(ctypes.c_int32, 'cell j')


class _Arguments(ctypes.Structure):
    _fields_ = [
        *structure(
            ctypes.c_int64, 'n_edges n_pairs x_size y_size out_size w_size n_paths n_cells n_terms'
        ),
        *structure(ctypes.c_void_p, 'src dst x y w g a b c out dx dy dw'),
        *structure(ctypes.c_void_p, 'paths entries coefficients picks shares'),
    ]


def cpu_flags() -> str:
    """Return what the processor can do: the compiler makes use of all of it."""
    path = Path('/proc/cpuinfo')
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line for line in lines if line.startswith(('flags', 'Features'))), '')


def library(
    dtype: torch.dtype,
    muls: Sequence[int],
    folder: Path,
    sources: Sequence[Path] = (SOURCE,),
    options: Sequence[str] = (),
) -> ctypes.CDLL:
    """Return the compiled code, made once for a kind of processor and kept in a folder.

    Args:
        dtype: Of all real numbers.
        muls: Multiplicities; what divides all of them and fills a register is computed at a time.
        folder: Where compiled code is kept.
        sources: What is compiled, and then the files that it includes.
        options: Of the compiler, beside those that are always given.

    Raises:
        UnfitError: If there is no compiler or it fails.
    """
    able = cpu_flags()
    lanes = math.gcd((64 if 'avx512f' in able else 32) // dtype.itemsize, *muls)
    command = [os.environ.get('CXX', 'g++'), *FLAGS, *options]
    command += [f'-DREAL={REALS[dtype]}', f'-DLANES={lanes}']
    text = repr((command, platform.machine(), able)).encode()
    text += b''.join(source.read_bytes() for source in sources)
    path = folder / f'fused-{hashlib.sha256(text).hexdigest()[:24]}.so'
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder) as work:
                fresh = Path(work) / path.name
                subprocess.run(
                    [*command, str(sources[0]), '-o', str(fresh)],
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
    return code


class Couplings:
    """The couplings of one tensor product as tables for compiled code.

    Attributes:
        x_size, y_size, out_size, w_size: Numbers of features of atoms before, of attributes of
            edges, of features after, and of weights.
        muls: Multiplicities of the paths.

    Raises:
        UnfitError: If it is of a kind that the code does not have.
    """

    def __init__(self, old: TensorProductScatter) -> None:
        x, y, out = old.feature_irreps_in, old.irreps_edge_attr, old.irreps_mid
        if max(x.lmax, y.lmax, out.lmax) > L_MAX or y.dim > EDGE_SIZE:
            raise UnfitError(f'l up to {max(x.lmax, y.lmax, out.lmax)}; the product has {L_MAX}')
        if any(mul != 1 for mul, _ in y) or old.model_dtype not in REALS:
            raise UnfitError(f'edge attributes {y} of {old.model_dtype}')
        self.x_size, self.y_size, self.out_size = x.dim, y.dim, out.dim
        paths, entries, values, n_cells = _couplings(old)
        self.muls = [path[6] for path in paths]
        self.w_size = sum(self.muls)
        self._paths = (_Path * len(paths))(*sorted(paths))
        self._entries = (_Entry * len(entries))(*[entry[1:] for entry in entries])
        self._values = torch.tensor(values, dtype=old.model_dtype)
        self._picks, self._shares = _terms(entries, self._values, n_cells)

    @property
    def counts(self) -> tuple[int, int, int]:
        """Return the numbers of paths, of cells of the matrices of all, and of terms in each."""
        n_terms, n_cells = self._shares.shape
        return len(self._paths), n_cells, n_terms

    @property
    def addresses(self) -> tuple[int, ...]:
        """Return where the tables are, by their names and as long as this object is."""
        structures: list[Any] = [self._paths, self._entries]
        tensors = (self._values, self._picks, self._shares)
        return (
            *[ctypes.addressof(one) for one in structures],
            *[tensor.data_ptr() for tensor in tensors],
        )


class Product(Couplings):
    """One tensor product and its three sums over edges.

    Features of atoms are (n, x_size) and (n, out_size) in e3nn's layout, edge attributes
    (e, y_size), weights (e, w_size). With `pairs` P > 0 the edges of each graph are P edges and
    then, in the same order, their reverses; the two share one of P rows of weights. With `edges`
    there are second derivatives along the attributes of edges.
    """

    def __init__(self, old: TensorProductScatter, folder: Path, edges: bool) -> None:
        super().__init__(old)
        blocks = ((irreps.dim, irreps) for irreps in (old.feature_irreps_in, old.irreps_mid))
        self._blocks = {size: _blocks(irreps) for size, irreps in blocks}
        l_max = max(irreps.lmax for irreps in (old.feature_irreps_in, old.irreps_mid))
        options = [f'-DL_MAX={l_max}', *['-DEDGES'] * edges]
        self._code = code = library(old.model_dtype, self.muls, folder, options=options)
        code.product.argtypes = [ctypes.c_int, ctypes.POINTER(_Arguments)]
        code.transpose.argtypes = [
            ctypes.c_int,
            *[ctypes.c_int64] * 3,
            *[ctypes.c_void_p] * 4,
        ]
        code.product.restype = code.transpose.restype = None

    def out(self, pairs: int, x: Any, y: Any, w: Any, src: Any, dst: Any) -> torch.Tensor:
        """Return the sum over edges of x ⊗ y weighted by w, at the atoms `dst`."""
        made: dict[str, torch.Tensor] = {'out': x.new_zeros(len(x), self.out_size)}
        self._run(0, pairs, (src, dst), made, x=x, y=y, w=w)
        return made['out']

    def first(self, pairs: int, need: Sequence[bool], *tensors: Any) -> list[torch.Tensor]:
        """Return the derivatives of ⟨out, g⟩ with respect to x, y, w; empty where not needed.

        Args:
            pairs: See the class.
            need: Which of the three.
            tensors: x, y, w, g, src, dst.
        """
        x, y, w, g, src, dst = tensors
        made = _wanted(need, dx=x, dy=y, dw=w)
        self._run(1, pairs, (src, dst), made, x=x, y=y, w=w, g=g)
        return [made.get(name, x.new_empty(0)) for name in ('dx', 'dy', 'dw')]

    def second(self, pairs: int, need: Sequence[bool], *tensors: Any) -> list[torch.Tensor]:
        """Return the derivatives of ⟨dx, a⟩ + ⟨dy, b⟩ + ⟨dw, c⟩ with respect to x, y, w, g.

        Args:
            pairs: See the class.
            need: Which of the four.
            tensors: x, y, w, g, a, b, c, src, dst.
        """
        x, y, w, g, a, b, c, src, dst = tensors
        made = _wanted(need, dx=x, dy=y, dw=w, out=g)
        self._run(2, pairs, (src, dst), made, x=x, y=y, w=w, g=g, a=a, b=b, c=c)
        return [made.get(name, x.new_empty(0)) for name in ('dx', 'dy', 'dw', 'out')]

    def _run(self, order: int, pairs: int, ends: Any, made: dict[str, Any], **given: Any) -> None:
        atomic = {'x': self.x_size, 'a': self.x_size, 'g': self.out_size}
        tensors = {name: end.contiguous() for name, end in zip(('src', 'dst'), ends, strict=True)}
        for name, tensor in given.items():
            size = atomic.get(name)
            tensors[name] = tensor.contiguous() if size is None else self._turn(tensor, size, 1)
        arguments = _Arguments(
            *(len(given['y']), pairs, self.x_size, self.y_size, self.out_size, self.w_size),
            *self.counts,
            **dict(zip(TABLES, self.addresses, strict=True)),
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
    """Return room for what is needed: zeros where sums over edges are added to them."""
    return {
        name: (tensor.new_zeros if name in SUMS else tensor.new_empty)(tensor.shape)
        for (name, tensor), wanted in zip(like.items(), need, strict=True)
        if wanted
    }


def _blocks(irreps: Any) -> tuple[int, Any, Any]:
    kind = ctypes.c_int32 * len(irreps)
    return len(irreps), kind(*[mul for mul, _ in irreps]), kind(*[ir.dim for _, ir in irreps])


def _couplings(old: TensorProductScatter) -> tuple[list[Any], list[Any], list[Any], int]:
    """Return paths, entries of sparse Clebsch–Gordan, each coupling once, values, number of cells.

    An entry is (cell in the matrices of all couplings, cell in its own, component of the edge).
    """
    x, y, out = old.feature_irreps_in, old.irreps_edge_attr, old.irreps_mid
    paths: list[Any] = []
    entries: list[Any] = []
    values: list[float] = []
    known: dict[Any, tuple[int, int, int]] = {}
    offset = weight = 0
    for step in old.tp.instructions:
        if step.connection_mode != 'uvu' or not step.has_weight:
            raise UnfitError(f'the instruction {step} of the tensor product')
        (mul, ir_in), ir_edge, ir_out = x[step.i_in1], y[step.i_in2].ir, out[step.i_out].ir
        key = (ir_in.l, step.i_in2, ir_out.l, round(step.path_weight, 12))
        if key not in known:
            first = len(entries)
            table = wigner_3j(ir_in.l, ir_edge.l, ir_out.l, dtype=torch.float64) * step.path_weight
            # neighbouring entries have different j: their sums do not wait for each other
            for i, k, j in (table.abs() > 1e-12).transpose(1, 2).nonzero().tolist():
                cell = i * ir_out.dim + k
                entries.append((offset + cell, cell, y.slices()[step.i_in2].start + j))
                values.append(table[i, j, k].item())
            known[key] = (offset, first, len(entries))
            offset += ir_in.dim * ir_out.dim
        starts = (x.slices()[step.i_in1].start, out.slices()[step.i_out].start)
        cell, *span = known[key]
        paths.append((cell, ir_in.l, ir_out.l, *starts, weight, mul, *span))
        weight += mul
    return paths, entries, values, offset


def _terms(entries: Sequence[Any], values: torch.Tensor, n_cells: int) -> tuple[Any, Any]:
    """Return components of the edge and their shares, (terms, cells); cells fill whole vectors."""
    found: dict[int, list[tuple[int, Any]]] = {}
    for (cell, _, j), value in zip(entries, values, strict=True):
        found.setdefault(cell, []).append((j, value))
    shape = (max(map(len, found.values())), -(-n_cells // EDGE_SIZE) * EDGE_SIZE)
    picks = torch.zeros(shape, dtype=WHOLE[values.dtype])
    shares = torch.zeros(shape, dtype=values.dtype)
    for cell, terms in found.items():
        for term, (j, value) in enumerate(terms):
            picks[term, cell], shares[term, cell] = j, value
    return picks, shares
