"""Energies and forces of a configuration by many models of one structure, in compiled code.

Nothing is compiled for a model: its weights are data. The code is that of `nequip_ensemble.cpp`.
"""

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from ase.geometry import complete_cell
from matscipy.neighbours import neighbour_list
from nequip_curves import curves, refine
from nequip_parts import Atoms, Linear, layers_of, network_of, readout
from nequip_product import REALS, Couplings, UnfitError, library, structure

#: The code, and what it includes.
SOURCES = tuple(
    Path(__file__).with_name(f'nequip_{name}.cpp') for name in ('ensemble', 'harmonics', 'product')
)
KINDS: dict[Any, Any] = {torch.float32: np.float32, torch.float64: np.float64}


class _Linear(ctypes.Structure):
    _fields_ = [
        ('maps', ctypes.c_void_p),
        *structure(ctypes.c_int64, 'n_maps size'),
        ('w', ctypes.c_void_p),
    ]


class _Layer(ctypes.Structure):
    _fields_ = [
        *structure(ctypes.c_int64, 'x_size y_size z_size out_size w_size n_paths n_cells n_terms'),
        *structure(ctypes.c_int64, 'n_scalars n_gates n_gated n_pieces'),
        *structure(ctypes.c_void_p, 'paths entries coefficients picks shares'),
        *structure(ctypes.c_void_p, 'gated kinds factors radial'),
        *structure(_Linear, 'first first_back last last_back own own_back'),
    ]


class _Task(ctypes.Structure):
    _fields_ = [
        *structure(ctypes.c_int64, 'n_atoms n_edges n_members n_types n_layers l_max n_features'),
        ('r_max', ctypes.c_double),
        *structure(ctypes.c_void_p, 'types src dst vectors layers embedding readout scales shifts'),
        *structure(ctypes.c_void_p, 'energies forces virials features'),
    ]


class Neighbours(NamedTuple):
    """Edges from atom `src` to atom `dst` (e,), and their vectors (e, 3) in Å."""

    src: np.ndarray[Any, Any]
    dst: np.ndarray[Any, Any]
    vectors: np.ndarray[Any, Any]


def find_neighbours(atoms: Any, r_max: float) -> Neighbours:
    """Return the edges of a structure, sorted by length: neighbours share a piece of a curve."""
    i, j, vectors = neighbour_list(
        'ijD',
        positions=atoms.positions,
        cell=complete_cell(atoms.cell.array),
        pbc=atoms.pbc,
        cutoff=r_max,
    )
    order = np.argsort(np.einsum('ea,ea->e', vectors, vectors), kind='stable')
    return Neighbours(*(np.ascontiguousarray(array[order]) for array in (j, i, vectors)))


class Parts:
    """All that one member brings to the evaluation.

    Attributes:
        structure: What has to be equal for members to be evaluated together.
    """

    def __init__(self, model: Any) -> None:
        """Take a model on the CPU apart.

        Raises:
            UnfitError: If it is not NequIP's graph network, or has other parts than known.
        """
        network = network_of(model)
        first = layers_of(network)[0].conv.tp_scatter
        self.dtype, self.l_max = first.model_dtype, first.irreps_edge_attr.lmax
        if self.dtype not in REALS or {p.device.type for p in model.parameters()} != {'cpu'}:
            raise UnfitError(f'a model of {self.dtype}, or not on the CPU')
        with torch.no_grad():
            self._take(network)
        self.r_max = float(network.edge_norm.r_max)
        maps = [(a.first.maps, a.last.maps, a.own.maps, a.kinds, a.gated) for a in self.layers]
        widths = [(a.z.size, a.out_size) for a in self.layers]
        self.structure = repr((maps, widths, self.dtype, self.l_max, self.r_max, self.n_types))

    def _take(self, network: Any) -> None:
        types = torch.arange(network.type_embed.num_types)
        self.n_types = len(types)
        embedded = network.type_embed({'atom_types': types, 'pos': types[:, None]})
        self.embedding = embedded['node_features'].numpy()
        self.layers = [Atoms(layer, embedded['node_attrs']) for layer in layers_of(network)]
        self.readout, self.scales, self.shifts = readout(network, self.n_types, self.dtype)
        self.curves = curves(network, self.dtype)

    @property
    def n_bytes(self) -> int:
        """Return the memory that the weights take."""
        return sum(curve.numel() * curve.element_size() for curve in self.curves)

    @property
    def bytes_by_atom(self) -> int:
        """Return the memory that is kept for an atom."""
        sizes = [3 * (atoms.x.size + atoms.y.size + atoms.z.size) for atoms in self.layers]
        return int(sum(sizes) * self.dtype.itemsize)


class Evaluator:
    """Members of one structure; configurations come one at a time.

    Args:
        model: One of them, for the couplings of its layers.
        parts: What each brings.
        folder: Where compiled code is kept.

    Raises:
        UnfitError: If the code cannot be compiled, or its harmonics are not those of the model.
    """

    def __init__(self, model: Any, parts: Sequence[Parts], folder: Path) -> None:
        network, first = network_of(model), parts[0]
        self.parts, self.kind, self.r_max = list(parts), KINDS[first.dtype], first.r_max
        self.size, self.n_features = len(parts), len(first.readout)
        self._kept: list[Any] = []
        layers = layers_of(network)
        products = [Couplings(layer.conv.tp_scatter) for layer in layers]
        muls = [m for p in products for m in p.muls]
        for atoms in first.layers:
            maps = (*atoms.first.maps, *atoms.last.maps, *atoms.own.maps)
            muls += [mul for one in maps for mul in one[2:4]]
        self.code = library(first.dtype, muls, folder, SOURCES)
        self.code.evaluate.argtypes = [ctypes.POINTER(_Task)]
        self.code.evaluate.restype, self.code.geometry.restype = ctypes.c_int, None
        self.n_pieces = max(len(one.curves[0]) for one in parts)
        described = [self._layer(number, product) for number, product in enumerate(products)]
        self.layers = (_Layer * len(described))(*described)
        self.fixed = {
            'embedding': self._pointer([one.embedding for one in parts], self.kind),
            'readout': self._pointer([one.readout for one in parts], self.kind),
            'scales': self._pointer([one.scales for one in parts], np.float64),
            'shifts': self._pointer([one.shifts for one in parts], np.float64),
        }
        self._check_harmonics(network)

    def _pointer(self, values: Any, kind: Any) -> int:
        array = np.ascontiguousarray(values, dtype=kind)
        self._kept.append(array)
        return array.ctypes.data

    def _layer(self, number: int, product: Couplings) -> _Layer:
        atoms = self.parts[0].layers[number]
        curves = [refine(one.curves[number], self.n_pieces).numpy() for one in self.parts]
        layer = _Layer(
            *(product.x_size, product.out_size, atoms.z.size, atoms.out_size, product.w_size),
            *product.counts,
            *(atoms.n_scalars, atoms.n_gates, len(atoms.gated), self.n_pieces),
            *product.addresses,
            gated=self._pointer(atoms.gated or [(0, 0, 0, 0)], np.int32),
            kinds=self._pointer(atoms.kinds, np.int32),
            factors=self._pointer(atoms.factors, np.float64),
            radial=self._pointer(curves, self.kind),
        )
        self._kept.append(product)
        for name in ('first', 'last', 'own'):
            members = [getattr(one.layers[number], name) for one in self.parts]
            setattr(layer, name, self._linear(members, back=False))
            setattr(layer, f'{name}_back', self._linear(members, back=True))
        return layer

    def _linear(self, members: list[Linear], back: bool) -> _Linear:
        maps = members[0].maps
        weights = np.stack([one.weights for one in members]).astype(self.kind)
        if back:
            for _, _, mul_in, mul_out, _, at in maps:
                part = weights[..., at : at + mul_in * mul_out]
                turned = part.reshape(*part.shape[:2], mul_in, mul_out).swapaxes(2, 3)
                weights[..., at : at + mul_in * mul_out] = turned.reshape(part.shape)
            maps = [(b, a, mul_out, mul_in, dim, at) for a, b, mul_in, mul_out, dim, at in maps]
        table = self._pointer(maps or [(0,) * 6], np.int32)
        return _Linear(table, len(maps), weights.shape[-1], self._pointer(weights, self.kind))

    def _check_harmonics(self, network: Any) -> None:
        vectors = np.random.default_rng(0).normal(size=(20, 3))
        l_max, n = self.parts[0].l_max, len(vectors)
        y = np.empty((n, (l_max + 1) ** 2), self.kind)
        others = [np.empty((n, y.shape[1], 3), self.kind), np.empty((n, 3)), np.empty(n)]
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (vectors, y, *others)]
        self.code.geometry(ctypes.c_int64(n), ctypes.c_int64(l_max), *pointers)
        with torch.no_grad():
            expected = network.spharm({'edge_vectors': torch.from_numpy(vectors)})['edge_attrs']
        if expected.shape != y.shape or not np.allclose(expected.numpy(), y, atol=1e-6):
            raise UnfitError('spherical harmonics that are not those of the compiled code')

    def evaluate(self, types: Any, neighbours: Neighbours) -> dict[str, Any]:
        """Return what every member says of one configuration.

        Args:
            types: Numbers of the types of its atoms (n,).
            neighbours: See `find_neighbours`.

        Returns:
            `atomic_energy` (M, n) in eV, `forces` (M, n, 3) in eV/Å, `virial` (M, 3, 3) in eV, the
            derivative of the energy by a strain, and `node_features` (M, n, f).

        Raises:
            MemoryError: If memory does not suffice.
        """
        m, n = self.size, len(types)
        out = {
            'energies': np.empty((m, n)),
            'forces': np.zeros((m, n, 3)),
            'virials': np.zeros((m, 3, 3)),
            'features': np.empty((m, n, self.n_features), self.kind),
        }
        src, dst = (np.ascontiguousarray(end, np.int64) for end in neighbours[:2])
        vectors, types = neighbours.vectors, np.ascontiguousarray(types, np.int64)
        task = _Task(
            *(n, len(src), m, self.parts[0].n_types, len(self.layers)),
            *(self.parts[0].l_max, self.n_features, self.parts[0].r_max),
            *(array.ctypes.data for array in (types, src, dst, vectors)),
            layers=ctypes.addressof(self.layers),
            **self.fixed,
            **{name: array.ctypes.data for name, array in out.items()},
        )
        if self.code.evaluate(ctypes.byref(task)):
            raise MemoryError(f'out of memory with {m} members and {n} atoms')
        virial = (out['virials'] + out['virials'].swapaxes(1, 2)) / 2
        return {
            'atomic_energy': out['energies'],
            'forces': out['forces'],
            'virial': virial,
            'node_features': out['features'],
        }
