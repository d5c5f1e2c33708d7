"""Geometry of configurations, computed once: nothing that members learn comes before it.

Spherical harmonics Y and the radial embedding B of an edge, with their derivatives along the edge,
are kept for each configuration. Configurations are padded to one shape: an edge that was added has
Y = 0 and B = 0, or a length at which the cutoff is zero, and adds exactly nothing.
"""

from collections.abc import Sequence
from typing import Any

import torch
from nequip_product import UnfitError
from torch.autograd import forward_ad

#: The modules of NequIP that have no weights, in their order, and what the last one makes.
MODULES = ('spharm', 'edge_norm', 'bessel_encode', 'factor')
EMBEDDING = 'edge_embedding'
#: What is kept instead where the roots of the Bessel functions are trained.
LENGTH = 'normed_edge_lengths'
#: Arrays by edge and by atom of a configuration; `B_n` is dB/dr.
BY_EDGE, BY_ATOM = ('Y', 'J', 'B', 'B_n', 'n', 'src', 'dst'), ('types', 'mask')
#: Configurations whose geometry is computed at a time.
CHUNK = 32
#: A length in units of the cutoff: an edge that is not there.
BEYOND = 2.0
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
        For each, with e edges and n atoms: `Y` (e, y), `J` = dY/dr (e, 3, y), `B` (e, b), `B_n`
        (e, b), the directions `n` (e, 3), `src` and `dst` (e,), `types` (n,), `mask` (n,).
    """
    made: list[Arrays] = []
    for start in range(0, len(frames), CHUNK):
        made += _compute(network, frames[start : start + CHUNK])
    return made


def _compute(network: torch.nn.Module, frames: Sequence[Any]) -> list[Arrays]:
    vectors, index, first = [], [], 0
    for frame in frames:
        i, j = frame['edge_index']
        vector = frame['pos'][j] - frame['pos'][i]
        if 'cell' in frame:
            vector = vector + frame['edge_cell_shift'] @ frame['cell'].view(3, 3)
        vectors.append(vector)
        index.append(frame['edge_index'] + first)
        first += len(frame['pos'])
    vector = torch.cat(vectors)
    n = vector / vector.norm(dim=1, keepdim=True)
    names, key = fixed_modules(network)
    types = torch.cat([frame['atom_types'].view(-1) for frame in frames])
    others = {'edge_index': torch.cat(index, 1), 'atom_types': types}

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
    }
    sizes = [len(part) for part in vectors]
    parts = zip(*[array.split(sizes) for array in by_edge.values()], strict=True)
    return [
        dict(zip(by_edge, part, strict=True))
        | {'src': frame['edge_index'][1], 'dst': frame['edge_index'][0]}
        | {
            'types': frame['atom_types'].view(-1),
            'mask': torch.ones(len(frame['pos'])).float(),
        }
        for part, frame in zip(parts, frames, strict=True)
    ]


def pad(geometries: Sequence[Arrays], frames: Sequence[Any]) -> Arrays:
    """Return configurations as arrays (configurations, edges or atoms, …) of one shape.

    With `energy` (configurations,) and `forces` (configurations, atoms, 3) where `frames` have
    labels.
    """
    n_edges = max(1, *[len(one['Y']) for one in geometries])
    n_atoms = max(len(one['types']) for one in geometries)
    padded = {}
    for key in (*BY_EDGE, *BY_ATOM):
        like = geometries[0][key]
        size = n_atoms if key in BY_ATOM else n_edges
        fill = BEYOND if key == 'B' and like.shape[1] == 1 else 0
        padded[key] = like.new_full((len(geometries), size, *like.shape[1:]), fill)
        for row, one in zip(padded[key], geometries, strict=True):
            row[: len(one[key])] = one[key]
    if 'forces' in frames[0]:
        padded['energy'] = torch.stack([frame['total_energy'].view(()) for frame in frames])
        padded['forces'] = torch.zeros(len(frames), n_atoms, 3, dtype=padded['Y'].dtype)
        for row, frame in zip(padded['forces'], frames, strict=True):
            row[: len(frame['forces'])] = frame['forces']
    return padded


def gather(padded: Arrays, index: torch.Tensor) -> Arrays:
    """Return chosen configurations side by side as one graph.

    Args:
        padded: See `pad`.
        index: Numbers of configurations (b,), or a row for each member (M, b).

    Returns:
        Arrays ([M,] b × edges or atoms, …), and labels ([M,] b) and ([M,] b × atoms, 3).
    """
    lead = index.dim() - 1
    shift = (torch.arange(index.shape[-1]) * padded['types'].shape[1]).unsqueeze(1)
    made = {}
    for key, array in padded.items():
        chosen = array[index]
        if key in ('src', 'dst'):
            chosen = chosen + shift
        made[key] = chosen if key == 'energy' else chosen.flatten(lead, lead + 1)
    return made
