"""Members of one architecture as one function of their stacked weights.

What a model does after the geometry is mapped over the members and traced, on real shapes, to a
graph of plain operations, so that a step costs neither automatic differentiation nor modules.
TorchScript's interpreter runs the graph with half the overhead of Python's.
"""

import contextlib
import copy
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from nequip.nn import SequentialGraphNetwork
from nequip_forces import prepare, pull, pull_strains
from nequip_fused import VERSION, drop_unused, fuse, use_plain
from nequip_geometry import Arrays, fixed_modules
from nequip_linear import compile_linear
from nequip_product import UnfitError
from nequip_radial import compile_radial
from torch.func import functional_call, stack_module_state
from torch.fx.experimental.proxy_tensor import make_fx

INPUTS = ('Y', 'J', 'B', 'B_n', 'n', 'src', 'dst', 'types', 'mask', 'index')
LABELS = ('energy', 'forces')
#: Added where stresses are wanted.
STRESS_INPUTS = ('rJ', 'rn', 'volume')
CPU = torch.device('cpu')
Tensors = list[torch.Tensor]


class Core(torch.nn.Module):
    """The modules of a NequIP network that come after the geometry."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        done, self.key = fixed_modules(network)
        self.names = [name for name, _ in network.named_children() if name not in done]
        for name in self.names:
            self.add_module(name, getattr(network, name))

    def forward(self, data: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Run the modules one after the other."""
        for name in self.names:
            data = getattr(self, name)(data)
        return data


class Stack:
    """M members; `weights` are their parameters, each (M, …), in the order of the model's.

    Attributes:
        note: Which tensor product is used, and why not the fused one.

    Args:
        models: NequIP's models of one architecture, on the CPU.
        artefacts: Folder of compiled code.
        stress: Whether stresses are wanted.
        device: Where weights and arrays are; compiled code serves the CPU.

    Raises:
        UnfitError: If they are not models of one architecture that is known.
    """

    def __init__(
        self,
        models: Sequence[torch.nn.Module],
        artefacts: Path,
        *,
        stress: bool = False,
        device: torch.device = CPU,
    ) -> None:
        self._inputs = (*INPUTS, *(STRESS_INPUTS if stress else ()))
        networks = [network_of(model) for model in models]
        cores = [Core(network) for network in networks]
        self.size = len(models)
        self.names = [name for name, _ in cores[0].named_parameters()]
        own = [name.split('func.', 1)[-1] for name, _ in models[0].named_parameters()]
        if own != self.names:
            raise UnfitError('the model has weights outside of its network')
        try:
            weights, buffers = stack_module_state(cores)
        except (RuntimeError, ValueError) as exception:
            raise UnfitError(f'the members differ in architecture: {exception}') from exception
        for name, stacked in buffers.items():
            if not torch.equal(stacked, stacked[:1].expand_as(stacked)):
                raise UnfitError(f'members differ in the constant {name}')
        self.weights = [weights[name].detach().to(device, copy=True) for name in self.names]
        self.dtype = min((w.dtype for w in self.weights), key=lambda dtype: dtype.itemsize)
        self._buffers = {name: stacked[0].to(device) for name, stacked in buffers.items()}
        self._core = Core(copy.deepcopy(networks[0])).to(device)
        self.note = f'fused tensor product {VERSION}'
        try:
            fuse(self._core, artefacts)
        except UnfitError as exception:
            use_plain(self._core)
            self.note = f'tensor product of e3nn ({exception})'
            return
        prepare(self.dtype, artefacts)
        for compile_parts in (compile_linear, compile_radial):
            with contextlib.suppress(UnfitError):  # each works with e3nn's own in its place
                compile_parts(self._core, artefacts)

    def evaluate(self, weights: Tensors, arrays: Arrays, shared: bool, training: bool) -> Tensors:
        """Return energies of atoms (M, n), forces (M, n, 3), features (M, n, f).

        Where they are wanted, stresses (M, configurations, 3, 3) come last.

        Args:
            weights: As `self.weights`.
            arrays: See `nequip_geometry.gather`.
            shared: All members see the same configurations: arrays have no axis of members.
            training: The result will be differentiated.
        """
        leaves = [arrays[key].detach() for key in ('Y', 'B')]
        if shared:
            leaves = [leaf.expand(self.size, *leaf.shape) for leaf in leaves]
        leaves = [leaf.requires_grad_(True) for leaf in leaves]
        axis = None if shared else 0
        others = [arrays[key] for key in ('src', 'dst', 'types', 'mask')]
        atomic, features = torch.vmap(self._energies, in_dims=(0, 0, 0, *[axis] * 4))(
            weights, *leaves, *others
        )
        along, radial = torch.autograd.grad(atomic.sum(), leaves, create_graph=training)
        # dE/dr = J dE/dY + n (dB/dr · dE/dB)
        slope = (radial * arrays['B_n']).sum(-1).to(along.dtype)
        ends = [arrays[key].expand(self.size, -1) for key in ('index', 'src', 'dst')]
        n_atoms = arrays['types'].shape[-1]
        forces = pull(n_atoms, along, slope, arrays['J'], arrays['n'], *ends)
        if 'volume' not in arrays:
            return [atomic, forces, features]
        strains = pull_strains(along, slope, arrays['rJ'], arrays['rn'], ends[0])
        return [atomic, forces, features, strains / arrays['volume'][..., None, None]]

    def _energies(self, weights: Tensors, y: Any, b: Any, src: Any, dst: Any, *atoms: Any) -> Any:
        """Return energies of one member's atoms (n,), zero where there is none, and features."""
        types, mask = atoms
        data = {
            'edge_attrs': y,
            self._core.key: b,
            'edge_index': torch.stack([dst, src]),
            'atom_types': types,
            'pos': types.unsqueeze(1),
        }
        named = dict(zip(self.names, weights, strict=True))
        out = functional_call(self._core, (named, self._buffers), (data,))
        return out['atomic_energy'].squeeze(-1) * mask, out['node_features']

    def step(self, arrays: Arrays, loss: 'Loss') -> Callable[..., Tensors]:
        """Return a function of weights and arrays, for arrays of these shapes.

        It returns the gradient of each weight (M, …), then the mean squares of the errors that
        make the loss, each (M,).
        """
        labels = (*LABELS, *(['stress'] if len(loss.weights) > len(LABELS) else []))
        keys = (*self._inputs, *labels)

        def run(weights: Tensors, values: Tensors) -> Tensors:
            weights = [weight.detach().requires_grad_(True) for weight in weights]
            given = dict(zip(keys, values, strict=True))
            atomic, forces, _, *stress = self.evaluate(weights, given, shared=False, training=True)
            total, parts = loss.of(given, atomic, forces, *stress)
            return [*torch.autograd.grad(total, weights), *parts]

        return self._trace(run, keys, arrays)

    def prediction(self, arrays: Arrays) -> Callable[..., Tensors]:
        """Return `evaluate` of weights and shared arrays, for arrays of these shapes."""

        def run(weights: Tensors, values: Tensors) -> Tensors:
            given = dict(zip(self._inputs, values, strict=True))
            return self.evaluate(weights, given, shared=True, training=False)

        return self._trace(run, self._inputs, arrays)

    def _trace(self, run: Any, keys: Sequence[str], arrays: Arrays) -> Callable[..., Tensors]:
        example = [arrays[key] for key in keys]
        with torch.enable_grad():
            graph = make_fx(run)(self.weights, example)
        _drop_detached(graph)
        interpreted = _script(graph, self.weights, example)

        def call(weights: Tensors, arrays: Arrays) -> Tensors:
            with torch.no_grad():
                return list(interpreted(*weights, *[arrays[key] for key in keys]))

        return call


class Loss:
    """NequIP's loss of energies, forces and, where it has three weights, stresses.

    Args:
        weights: Of the mean squared errors of energies, forces, stresses.
        per_atom: The energy is taken per atom.
    """

    def __init__(self, weights: Sequence[float], per_atom: bool) -> None:
        self.weights, self.per_atom = tuple(weights), per_atom

    def of(self, arrays: Arrays, atomic: Any, forces: Any, *stress: Any) -> tuple[Any, Tensors]:
        """Return the sum over members, and the mean squares of each member (M,)."""
        m, frames = arrays['energy'].shape
        n_atoms = arrays['mask'].view(m, frames, -1).sum(-1)
        difference = atomic.view(m, frames, -1).sum(-1) - arrays['energy']
        energy = (difference / n_atoms if self.per_atom else difference).square().mean(1)
        squares = (forces - arrays['forces']).square().sum(-1) * arrays['mask']
        parts = [energy, squares.sum(1) / (3 * n_atoms.sum(1))]
        if len(self.weights) > len(parts):
            parts.append((stress[0] - arrays['stress']).square().mean((1, 2, 3)))
        weighted = [weight * part for weight, part in zip(self.weights, parts, strict=True)]
        return sum(weighted[1:], weighted[0]).sum(), parts


def network_of(model: torch.nn.Module) -> torch.nn.Module:
    """Return the sequence of modules of NequIP's graph model.

    Raises:
        UnfitError: If the model is built otherwise.
    """
    network: Any = getattr(getattr(model, 'model', None), 'func', None)
    if type(network) is not SequentialGraphNetwork:
        raise UnfitError(f'a model of the type {type(model).__name__} with other parts')
    return cast('torch.nn.Module', network)


def _script(graph: Any, weights: Tensors, example: Tensors) -> Any:
    """Return the graph for TorchScript's interpreter."""
    split = len(weights)

    class Flat(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.graph = graph

        def forward(self, *flat: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return tuple(self.graph(list(flat[:split]), list(flat[split:])))

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('ignore')
        traced = torch.jit.trace(Flat(), (*weights, *example), check_trace=False)
        return torch.jit.freeze(traced.eval())


def _drop_detached(graph: Any) -> None:
    """Drop operations that change nothing."""
    idle = (torch.ops.aten.detach.default, torch.ops.aten.alias.default)
    graph.graph.eliminate_dead_code()
    for node in list(graph.graph.nodes):
        if node.op == 'call_function' and node.target in idle:
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
    drop_unused(graph)
    graph.graph.lint()
    graph.recompile()
