"""How the weights of a tensor product depend on the length of an edge, as piecewise polynomials.

Weights of a model are fixed when it predicts: what its radial network makes of a length is a curve.
"""

import copy
from collections.abc import Callable
from math import comb
from typing import Any

import torch
from nequip_parts import EMBEDDING, layers_of
from nequip_product import UnfitError

#: Coefficients of a piece of a curve, and how many pieces are tried.
TERMS, PIECES = 6, (128, 256, 512, 1024, 2048, 4096)
#: Largest error of a slope, estimated from above, relative to the largest slope: rounding.
SLOPE_ERROR = {torch.float32: 2e-7, torch.float64: 2e-9}


def curves(network: Any, dtype: torch.dtype) -> list[torch.Tensor]:
    """Return how radial weights depend on the length: (pieces, TERMS, weights) of each layer.

    Each piece is a polynomial of where in it the length is, from 0 to 1; there are as many pieces
    up to the cutoff as keep the error of the slope below rounding.

    Args:
        network: In whose modules the weights are.
        dtype: Of the model; the curves are computed in double precision.

    Raises:
        UnfitError: If no number of pieces is enough.
    """
    evaluate = radial_function(network)
    nodes = 0.5 - 0.5 * torch.cos(torch.pi * (torch.arange(TERMS) + 0.5) / TERMS).double()
    solve = torch.linalg.inv(torch.vander(nodes, TERMS, increasing=True))
    between = torch.tensor([0.02, 0.15, 0.5, 1.0], dtype=torch.float64)
    power = torch.vander(between, TERMS, increasing=True)
    for n in PIECES:
        begin, width = torch.arange(n, dtype=torch.float64)[:, None], network.edge_norm.r_max / n
        made = [
            solve @ values.view(n, TERMS, -1)
            for values in evaluate(((begin + nodes) * width).flatten())
        ]
        exact = evaluate(((begin + between) * width).flatten())
        worst = 0.0
        for own, values in zip(made, exact, strict=True):
            other = values.view(n, len(between), -1)
            slope = (other[:, -1] - other[:, 0]).abs().max() / width
            # T6, which is what is left, has a slope of 72 within a piece where it is 1 itself
            worst = max(worst, float(72 / width * (power @ own - other).abs().max() / slope))
        if worst < SLOPE_ERROR[dtype]:
            return made
    raise UnfitError(f'radial curves have an error of {worst:.0e} in {n} pieces')


def radial_function(network: Any) -> Callable[[torch.Tensor], list[torch.Tensor]]:
    """Return the function from lengths (n,) to the weights (n, w) of each layer, in double."""
    steps = [copy.deepcopy(getattr(network, name)).double() for name in EMBEDDING[2:]]
    steps[1]._output_dtype = torch.float64
    nets = [copy.deepcopy(layer.conv.edge_mlp).double() for layer in layers_of(network)]

    def evaluate(r: torch.Tensor) -> list[torch.Tensor]:
        zero = torch.zeros_like(r)
        data = {'edge_vectors': torch.stack([r, zero, zero], 1), 'edge_length': r[:, None]}
        for step in steps:
            data = step(data)
        return [net(data['edge_embedding']) for net in nets]

    return evaluate


def refine(curve: torch.Tensor, n_pieces: int) -> torch.Tensor:
    """Return the same curve in more pieces, a power of two times as many."""
    halves = [
        torch.tensor(
            [
                [comb(q, p) * 0.5**q * side ** (q - p) if q >= p else 0.0 for q in range(TERMS)]
                for p in range(TERMS)
            ],
            dtype=curve.dtype,
        )
        for side in (0, 1)
    ]
    while len(curve) < n_pieces:
        curve = torch.stack([half @ curve for half in halves], 1).flatten(0, 1)
    return curve
