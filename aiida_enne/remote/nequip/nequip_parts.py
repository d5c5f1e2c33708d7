"""Takes a NequIP model apart: what its modules do to atoms, as matrices and gates.

Matrices are asked of the modules themselves, by what they make of unit vectors; what a module does
otherwise than it is taken for makes the model unfit.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from nequip_private import TensorProductScatter
from nequip_product import UnfitError

#: Modules of the network: all that NequIP's GNN has, but for the layers between them.
EMBEDDING = ('type_embed', 'spharm', 'edge_norm', 'bessel_encode', 'factor')
READOUT = ('per_atom_energy_readout', 'per_type_energy_scale_shift', 'total_energy_sum')
ACTIVATIONS: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = (
    torch.nn.functional.silu,
    torch.tanh,
)
#: Difference of a module to what it is taken for, relative to the largest value.
ALIKE = {torch.float32: 1e-5, torch.float64: 1e-12}


class Blocks(NamedTuple):
    """Blocks of irreps in a row: offsets, multiplicities, dimensions."""

    size: int
    parts: list[tuple[int, int, int]]


class Linear(NamedTuple):
    """A linear map between blocks: (in, out, mul_in, mul_out, dim, offset) of each, and weights.

    The offset is that into a row of the weights (types, size).
    """

    maps: Sequence[tuple[int, ...]]
    weights: np.ndarray[Any, Any]


def blocks_of(*all_irreps: Any) -> Blocks:
    """Return the blocks of irreps that follow each other."""
    parts, offset = [], 0
    for irreps in all_irreps:
        for mul, ir in irreps:
            parts.append((offset, mul, ir.dim))
            offset += mul * ir.dim
    return Blocks(offset, parts)


def network_of(model: torch.nn.Module) -> Any:
    """Return the network of a model whose modules are all known.

    Raises:
        UnfitError: If it has others, or lacks some.
    """
    network = getattr(getattr(model, 'model', None), 'func', None)
    if network is None or not getattr(model.model, 'do_derivatives', False):
        raise UnfitError(f'a model of the type {type(model).__name__} with other parts')
    names = [name for name, _ in network.named_children()]
    layers = [name for name in names if name.endswith('_convnet')]
    if names != [*EMBEDDING, *layers, *READOUT]:
        raise UnfitError(f'a network of the modules {names}')
    if network.type_embed.categorical_graph_field_embed_modules:
        raise UnfitError('the types are embedded with other fields')
    if network.edge_norm._per_edge_type:
        raise UnfitError('cutoffs differ between pairs of elements')
    return network


def layers_of(network: Any) -> list[Any]:
    """Return the layers of a network."""
    return [child for name, child in network.named_children() if name.endswith('_convnet')]


class Atoms:
    """The maps of one layer on atoms, in the layout of the compiled code."""

    def __init__(self, layer: Any, attributes: torch.Tensor) -> None:
        """Ask the modules of a layer; `attributes` (types, a) are those of the types of atoms.

        Raises:
            UnfitError: If a module does something else than in NequIP 0.19.
        """
        conv, gate = layer.conv, layer.equivariant_nonlin
        if type(conv.tp_scatter) is not TensorProductScatter or not hasattr(gate, 'act_gates'):
            raise UnfitError(
                f'a layer with {type(gate).__name__} and {type(conv.tp_scatter).__name__}'
            )
        if layer.resnet or (gate.irreps_gated.dim and gate.irreps_gates.dim == 0):
            raise UnfitError('a layer that adds its input to its output')
        dtype = conv.tp_scatter.model_dtype
        irreps_x, irreps_y = conv.tp_scatter.feature_irreps_in, conv.tp_scatter.irreps_mid
        self.x, self.y = x, y = blocks_of(irreps_x), blocks_of(irreps_y)
        self.z = blocks_of(gate.irreps_scalars, gate.irreps_gates, gate.irreps_gated)
        self.out_size = gate.irreps_out.dim
        kinds = range(len(attributes))

        def first(kind: int, rows: torch.Tensor) -> torch.Tensor:
            types = torch.full((len(rows),), kind)
            data = {'node_features': conv.linear_1(rows), 'atom_types': types}
            return torch.as_tensor(conv.avg_num_neighbors_norm(data)['node_features'])

        def last(rows: torch.Tensor) -> torch.Tensor:
            return torch.cat(gate.sc(conv.linear_2(rows)), -1)

        def own(kind: int, rows: torch.Tensor) -> torch.Tensor:
            return torch.cat(gate.sc(conv.sc(rows, attributes[kind].expand(len(rows), -1))), -1)

        self.first = linear([partial(first, kind) for kind in kinds], x, x, dtype)
        self.last = linear([last] * len(kinds), y, self.z, dtype)
        self.own = Linear([], np.zeros((len(kinds), 0)))
        if conv.sc is not None:
            self.own = linear([partial(own, kind) for kind in kinds], x, self.z, dtype)
        self.n_scalars, self.n_gates = gate.irreps_scalars.dim, gate.irreps_gates.dim
        acts = [*_activations(gate.act_scalars), *_activations(gate.act_gates)]
        self.kinds = [kind for kind, _ in acts]
        self.factors = [factor for _, factor in acts]
        self.gated: list[tuple[int, int, int, int]] = []
        number = 0
        for offset, mul, dim in blocks_of(gate.irreps_gated).parts:
            self.gated.append((offset, number, mul, dim))
            number += mul
        self._check_gate(gate, dtype)

    def _check_gate(self, gate: Any, dtype: torch.dtype) -> None:
        z = torch.linspace(-2, 2, gate.irreps_in.dim, dtype=dtype)
        given, found = torch.cat(gate.sc(z), -1), gate(z)
        acts = torch.stack(
            [
                f * ACTIVATIONS[k](v)
                for k, f, v in zip(self.kinds, self.factors, given, strict=False)
            ]
        )
        out = [acts[: self.n_scalars]]
        for offset, number, mul, dim in self.gated:
            at = self.n_scalars + self.n_gates + offset
            gates = acts[self.n_scalars + number : self.n_scalars + number + mul]
            out.append((given[at : at + mul * dim].view(mul, dim) * gates[:, None]).flatten())
        if not _alike(torch.cat(out), found, dtype):
            raise UnfitError('a gate that does something else than in NequIP 0.19')


def _activations(module: Any) -> list[tuple[int, float]]:
    """Return the activation of every scalar: its number and its factor."""
    found = []
    at = torch.tensor([-1.3, 0.4, 1.7], dtype=torch.get_default_dtype())
    for mul, _, act in module.paths:
        for kind, known in enumerate(ACTIVATIONS):
            factor = float(act(at)[1] / known(at)[1]) if act is not None else 0.0
            if factor and _alike(factor * known(at), act(at), torch.float32):
                found += [(kind, factor)] * mul
                break
        else:
            raise UnfitError(f'an activation that is not known: {act}')
    return found


def _alike(one: torch.Tensor, other: torch.Tensor, dtype: torch.dtype) -> bool:
    limit = ALIKE[dtype] * float(other.abs().max())
    return one.shape == other.shape and bool((one - other).abs().max() <= limit)


def linear(
    functions: Sequence[Callable[[torch.Tensor], torch.Tensor]],
    given: Blocks,
    made: Blocks,
    dtype: torch.dtype,
) -> Linear:
    """Return what functions, one for each type of atom, do as maps between blocks of irreps.

    Args:
        functions: Of rows (n, given.size) in e3nn's layout; they return (n, made.size).
        given: Blocks of the input.
        made: Blocks of the output.
        dtype: Of the rows.

    Raises:
        UnfitError: If they mix components.
    """
    unit = torch.eye(given.size, dtype=dtype)
    probe = torch.linspace(-1, 1, given.size, dtype=dtype)[None]
    matrices = [function(unit) for function in functions]
    maps, weights, size = [], [], 0
    rebuilt = [torch.zeros_like(matrix) for matrix in matrices]
    for start, mul_in, dim in given.parts:
        for end, mul_out, other in made.parts:
            if other != dim:
                continue
            parts = [
                matrix[start : start + mul_in * dim : dim, end : end + mul_out * dim : dim]
                for matrix in matrices
            ]
            if not any(part.any() for part in parts):
                continue
            maps.append((start, end, mul_in, mul_out, dim, size))
            weights.append(torch.stack([part.flatten() for part in parts]))
            size += mul_in * mul_out
            for matrix, part in zip(rebuilt, parts, strict=True):
                for k in range(dim):
                    rows = slice(start + k, start + mul_in * dim, dim)
                    matrix[rows, end + k : end + mul_out * dim : dim] = part
    for function, matrix in zip(functions, rebuilt, strict=True):
        if not _alike(probe @ matrix, function(probe), dtype):
            raise UnfitError('a layer is not linear where it is in NequIP 0.19')
    return Linear(maps, torch.cat(weights, 1).numpy())


def readout(network: Any, n_types: int, dtype: torch.dtype) -> tuple[Any, Any, Any]:
    """Return the weights of the features (f,), then scales and shifts of the types (types,).

    Raises:
        UnfitError: If the readout has hidden layers.
    """
    layer = layers_of(network)[-1].equivariant_nonlin.irreps_out.dim
    energy = network.per_atom_energy_readout.mlp_module
    weights = energy(torch.eye(layer, dtype=dtype)).flatten()
    probe = torch.linspace(-1, 1, layer, dtype=dtype)[None]
    if not _alike(probe @ weights[:, None], energy(probe), dtype):
        raise UnfitError('a readout with hidden layers')
    types = torch.arange(n_types)
    shift, both = (
        network.per_type_energy_scale_shift(
            {'atomic_energy': torch.full((n_types, 1), x, dtype=dtype), 'atom_types': types}
        )['atomic_energy'].flatten()
        for x in (0.0, 1.0)
    )
    return weights.numpy(), (both - shift).numpy(), shift.numpy()
