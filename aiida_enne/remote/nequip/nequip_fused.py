"""NequIP's tensor product and scatter in one compiled pass over the edges, twice differentiable.

Works on CPUs for any multiplicities and l ≤ 3, in single and double precision. Parameters, buffers
and checkpoints of a model stay what they are. Members that are stacked by `torch.vmap` become one
graph with more atoms, since the product itself holds no weights.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from nequip_private import TensorProductScatter
from nequip_product import Product, UnfitError

#: Part of the identity of what is trained with it: the last digits depend on the order of sums.
VERSION = 5
#: Products by number: operations of torch take numbers, not objects.
_products: list[Product] = []
_library = torch.library.Library('aiida_enne', 'FRAGMENT')
_T = 'Tensor x, Tensor y, Tensor w'
_library.define(f'product(int p, int pairs, {_T}, Tensor src, Tensor dst) -> Tensor')
_library.define(
    f'first(int p, int pairs, int need, {_T}, Tensor g, Tensor src, Tensor dst) -> Tensor[]'
)
_library.define(
    f'second(int p, int pairs, int need, {_T}, Tensor g, Tensor a, Tensor b, Tensor c,'
    ' Tensor src, Tensor dst) -> Tensor[]'
)
_library.impl('product', lambda p, *t: _products[p].out(*t), 'CPU')
_library.impl('first', lambda p, n, need, *t: _products[p].first(n, _bits(need, 3), *t), 'CPU')
_library.impl('second', lambda p, n, need, *t: _products[p].second(n, _bits(need, 4), *t), 'CPU')
_library.impl('product', lambda p, n, x, *_: x.new_empty(len(x), _products[p].out_size), 'Meta')
_library.impl('first', lambda p, n, need, *t: _shapes(_bits(need, 3), t[:3]), 'Meta')
_library.impl('second', lambda p, n, need, *t: _shapes(_bits(need, 4), t[:4]), 'Meta')
#: Where operations have the number that says which of their results are needed.
NEEDS = {torch.ops.aiida_enne.first.default: 2, torch.ops.aiida_enne.second.default: 2}


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
    """out(x, y, w); `p` is the product and its pairs.

    `edges` says whether second derivatives along y are ever wanted.
    """

    @staticmethod
    def forward(x: Any, y: Any, w: Any, src: Any, dst: Any, p: Any, edges: bool) -> Any:
        return torch.ops.aiida_enne.product(*p, x, y, w, src, dst)

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
        return tuple(torch.ops.aiida_enne.first(*p, _mask(need), *tensors))

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
        found = torch.ops.aiida_enne.second(*ctx.p, _mask(need), *tensors, *cotangents, src, dst)
        return *_pick(found, need), None, None, None, None, None


def _pick(found: Any, need: Sequence[bool]) -> list[Any]:
    return [one if wanted else None for one, wanted in zip(found, need, strict=True)]


class FusedTensorProductScatter(torch.nn.Module):
    """Stands in for a `TensorProductScatter` and keeps its `tp` for the sake of its buffers."""

    def __init__(self, old: TensorProductScatter, folder: Path, edges: bool) -> None:
        super().__init__()
        self.tp, self.model_dtype = old.tp, old.model_dtype
        self.edges, self.index = edges, len(_products)
        _products.append(Product(old, folder, edges))

    def forward(
        self, x: Any, edge_attr: Any, edge_weight: Any, edge_dst: Any, edge_src: Any
    ) -> Any:
        """Return the features of atoms (n, out_size).

        Where there are half as many weights as edges, the second half of the edges are the first
        half the other way round, with the same weights.
        """
        pairs = len(edge_weight) if 2 * len(edge_weight) == len(edge_attr) else 0
        inputs = (x, edge_attr, edge_weight, edge_src, edge_dst, (self.index, pairs), self.edges)
        return cast('torch.Tensor', _apply(_Out, *inputs))


class PlainTensorProductScatter(torch.nn.Module):
    """NequIP's own, but that sums over edges go to a new array: members can be stacked."""

    def __init__(self, old: TensorProductScatter) -> None:
        super().__init__()
        self.tp = old.tp

    def forward(
        self, x: Any, edge_attr: Any, edge_weight: Any, edge_dst: Any, edge_src: Any
    ) -> torch.Tensor:
        """Return the features of atoms (n, out_size); weights as for the fused product."""
        if 2 * len(edge_weight) == len(edge_attr):
            edge_weight = torch.cat([edge_weight, edge_weight])
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


def drop_unused(graph: torch.fx.GraphModule) -> None:
    """Let products of a traced graph compute only those derivatives that something uses."""
    for node in graph.graph.nodes:
        if node.target in NEEDS:
            place = NEEDS[node.target]
            used = sum(1 << index for index in {user.args[1] for user in node.users})
            node.update_arg(place, used & node.args[place])


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
