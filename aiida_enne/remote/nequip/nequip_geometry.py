"""Geometry of configurations, computed once: nothing that members learn comes before it.

Spherical harmonics Y and the radial embedding B of an edge, with their derivatives along the edge,
are kept for each configuration. Configurations are padded to one shape: an edge that was added has
Y = 0 and B = 0, or a length at which the cutoff is zero, and adds exactly nothing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from nequip_product import UnfitError
from torch.autograd import forward_ad

#: The modules of NequIP that have no weights, in their order, and what the last one makes.
MODULES = ('spharm', 'edge_norm', 'bessel_encode', 'factor')
EMBEDDING = 'edge_embedding'
#: What is kept instead where the roots of the Bessel functions are trained.
LENGTH = 'normed_edge_lengths'
#: Arrays by edge, by pair of an edge and its reverse, and by atom; `B_n` is dB/dr.
BY_EDGE, BY_PAIR, BY_ATOM = ('Y', 'J', 'r', 'src', 'dst'), ('B', 'B_n', 'n'), ('types', 'mask')
#: Arrays that are read where they are, and numbers of whole configurations.
LARGE, BY_FRAME = ('J', 'n', 'rJ', 'rn'), ('energy', 'stress', 'volume')
#: Configurations whose geometry is computed at a time.
CHUNK = 32
#: A length in units of the cutoff: an edge that is not there.
BEYOND = 2.0
#: Largest difference of the embeddings of an edge and its reverse, relative or absolute.
ALIKE = 1e-5
Arrays = dict[str, torch.Tensor]


def fixed_modules(network: torch.nn.Module) -> tuple[tuple[str, ...], str]:
    """Return the modules that hold no weights of a network, and what the last of them makes.

    Raises:
        UnfitError: If the network does not begin with NequIP's embedding of edges.
    """
    children = dict(network.named_children())
    if missing := [name for name in MODULES if name not in children]:
        raise UnfitError(f'the model has no modules {missing}')
    trained = [
        name for name in MODULES if any(p.requires_grad for p in children[name].parameters())
    ]
    if not trained:
        return MODULES, EMBEDDING
    if trained == ['bessel_encode']:
        return MODULES[:2], LENGTH
    raise UnfitError(f'the modules {trained} are trained')


def compute(network: torch.nn.Module, frames: Sequence[Any]) -> list[Arrays]:
    """Return the arrays of each configuration.

    Args:
        network: NequIP's sequence of modules; weights do not matter.
        frames: Configurations with neighbours, as NequIP's data sets hold them.

    Returns:
        For each, with p pairs of an edge and its reverse and n atoms: `Y` (2p, y), `J` = dY/dr
        (2p, 3, y), the edges `r` (2p, 3), `src` and `dst` (2p,), first all edges and then in the
        same order their reverses; `B` (p, b), `B_n` (p, b) and the directions `n` (p, 3); `types`
        and `mask` (n,).

    Raises:
        UnfitError: If edges have no reverse, or one with another embedding.
    """
    made: list[Arrays] = []
    for start in range(0, len(frames), CHUNK):
        made += _compute(network, frames[start : start + CHUNK])
    return made


def _compute(network: torch.nn.Module, frames: Sequence[Any]) -> list[Arrays]:
    vectors, index, atoms = [], [], 0
    for frame in frames:
        edges, shifts = _paired(frame)
        vector = frame['pos'][edges[1]] - frame['pos'][edges[0]]
        if 'cell' in frame:
            vector = vector + shifts @ frame['cell'].view(3, 3)
        vectors.append(vector)
        index.append(edges)
        atoms += len(frame['pos'])
    vector = torch.cat(vectors)
    n = vector / vector.norm(dim=1, keepdim=True)
    names, key = fixed_modules(network)
    types = torch.cat([frame['atom_types'].view(-1) for frame in frames])
    starts = torch.tensor([0, *[len(frame['pos']) for frame in frames[:-1]]]).cumsum(0).tolist()
    shifted = [edges + start for edges, start in zip(index, starts, strict=True)]
    others = {'edge_index': torch.cat(shifted, 1), 'atom_types': types}

    def along(direction: torch.Tensor, modules: Sequence[str], wanted: str) -> list[torch.Tensor]:
        with torch.no_grad(), forward_ad.dual_level():
            data = others | {'edge_vectors': forward_ad.make_dual(vector, direction)}
            for name in modules:
                data = getattr(network, name)(data)
            return [part.detach() for part in forward_ad.unpack_dual(data[wanted])]

    embedding, slope = along(n, names[1:], key)  # it depends on the length alone
    axes = torch.eye(3, dtype=vector.dtype)
    columns = [along(axis.expand_as(vector), names[:1], 'edge_attrs') for axis in axes]
    harmonics = columns[0][0]
    by_edge = {
        'Y': harmonics,
        'J': torch.stack([tangent for _, tangent in columns], 1).to(harmonics.dtype),
        'B': embedding,
        'B_n': slope.to(embedding.dtype),
        'n': n.to(harmonics.dtype),
        'r': vector.to(harmonics.dtype),
    }
    sizes = [len(part) for part in vectors]
    parts = zip(*[array.split(sizes) for array in by_edge.values()], strict=True)
    return [
        _halved(dict(zip(by_edge, part, strict=True)))
        | {'src': edges[1], 'dst': edges[0]}
        | {
            'types': frame['atom_types'].view(-1),
            'mask': torch.ones(len(frame['pos'])).float(),
        }
        for part, edges, frame in zip(parts, index, frames, strict=True)
    ]


def _paired(frame: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Return edges (2, 2p) and their shifts of the cell (2p, 3): p edges, then their reverses."""
    edges = frame['edge_index']
    if 'edge_cell_shift' in frame:
        shifts = frame['edge_cell_shift']
    else:
        shifts = torch.zeros(edges.shape[1], 3, dtype=frame['pos'].dtype)
    own = torch.cat([edges.T, shifts.round().long()], 1).numpy()
    other = np.concatenate([own[:, 1::-1], -own[:, 2:]], 1)
    different = own != other
    column = different.argmax(1)
    rows = np.arange(len(own))
    first = own[rows, column] < other[rows, column]
    halves = []
    for half, keys in ((first, own), (~first, other)):
        (chosen,) = np.nonzero(half)
        halves.append(chosen[np.lexsort(keys[chosen].T[::-1])])
    if len(halves[0]) != len(halves[1]) or (own[halves[0]] != other[halves[1]]).any():
        raise UnfitError('neighbours of atoms are not mutual')
    order = torch.from_numpy(np.concatenate(halves))
    return edges[:, order], shifts[order]


def _halved(by_edge: Arrays) -> Arrays:
    """Return what an edge shares with its reverse once."""
    half = len(by_edge['B']) // 2
    one, other = by_edge['B'][:half], by_edge['B'][half:]
    if not torch.allclose(one, other, rtol=ALIKE, atol=ALIKE):
        raise UnfitError('the embedding of an edge is not that of its reverse')
    return by_edge | {key: by_edge[key][:half] for key in BY_PAIR}


def pad(geometries: Sequence[Arrays], frames: Sequence[Any]) -> Arrays:
    """Return configurations as arrays of one shape.

    Arrays by edge are (configurations, 2, pairs, …), others (configurations, pairs or atoms, …);
    with `energy` (configurations,) and `forces` (configurations, atoms, 3) where `frames` have
    labels.
    """
    n_pairs = max(1, *[len(one['B']) for one in geometries])
    n_atoms = max(len(one['types']) for one in geometries)
    padded = {}
    for key in (*BY_EDGE, *BY_PAIR, *BY_ATOM):
        ways = (2,) if key in BY_EDGE else ()
        arrays = [one[key].unflatten(0, (*ways, -1)) if ways else one[key] for one in geometries]
        size = n_atoms if key in BY_ATOM else n_pairs
        like = geometries[0][key]
        fill = BEYOND if key == 'B' and like.shape[1] == 1 else 0
        padded[key] = like.new_full((len(arrays), *ways, size, *like.shape[1:]), fill)
        for row, one in zip(padded[key], arrays, strict=True):
            (row[:, : one.shape[1]] if ways else row[: len(one)]).copy_(one)
    if 'forces' in frames[0]:
        padded['energy'] = torch.stack([frame['total_energy'].view(()) for frame in frames])
        padded['forces'] = torch.zeros(len(frames), n_atoms, 3, dtype=padded['Y'].dtype)
        for row, frame in zip(padded['forces'], frames, strict=True):
            row[: len(frame['forces'])] = frame['forces']
    return padded


def add_stress(padded: Arrays, frames: Sequence[Any]) -> None:
    """Add what stresses need to the arrays of `pad`.

    These are `volume` (configurations,) and labels `stress` (configurations, 3, 3), and derivatives
    along strains as those along positions: `rJ` (3 configurations, 2, pairs, 3, y) and `rn`
    (3 configurations, pairs, 3), each configuration three times, by the components of its edges.

    Raises:
        UnfitError: If there are no labels, or configurations without a cell.
    """
    if missing := [key for key in ('stress', 'cell') if any(key not in one for one in frames)]:
        raise UnfitError(f'stresses of configurations without {" and ".join(missing)}')
    padded['stress'] = torch.cat([frame['stress'].view(1, 3, 3) for frame in frames])
    cells = torch.cat([frame['cell'].view(1, 3, 3) for frame in frames])
    padded['volume'] = torch.linalg.det(cells).abs()
    if not (padded['volume'] > 0).all():
        raise UnfitError('stresses of configurations without a volume')
    r = padded['r'].movedim(-1, 1)  # (c, 3, 2, p)
    padded['rJ'] = (r[..., None, None] * padded['J'].unsqueeze(1)).flatten(0, 1)
    padded['rn'] = (r[:, :, 0, :, None] * padded['n'].unsqueeze(1)).flatten(0, 1)


def gather(padded: Arrays, index: torch.Tensor) -> Arrays:
    """Return chosen configurations side by side as one graph.

    Args:
        padded: See `pad`.
        index: Numbers of configurations (b,), or a row for each member (M, b).

    Returns:
        Arrays ([M,] 2 × b × pairs, …) by edge, all edges before all their reverses, ([M,] b × pairs
        or atoms, …), numbers of configurations ([M,] b, …), forces ([M,] b × atoms, 3); the large
        ones as they are, with `index`.
    """
    lead = index.dim() - 1
    numbers = torch.arange(index.shape[-1], device=index.device)
    shift = (numbers * padded['types'].shape[1]).view(-1, 1, 1)
    made = {'index': index} | {key: padded[key] for key in LARGE if key in padded}
    for key, array in padded.items():
        if key in LARGE or key == 'r':
            continue
        chosen = array[index]
        if key in ('src', 'dst'):
            chosen = chosen + shift
        if key in BY_EDGE:
            made[key] = chosen.transpose(lead, lead + 1).flatten(lead, lead + 2)
        else:
            made[key] = chosen if key in BY_FRAME else chosen.flatten(lead, lead + 1)
    return made
