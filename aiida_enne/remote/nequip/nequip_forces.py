"""Forces from derivatives along harmonics and lengths of edges, whose geometry is not copied."""

import ctypes
from pathlib import Path
from typing import Any

import torch
from nequip_product import library, structure

SOURCE = Path(__file__).with_suffix('.cpp')
_codes: dict[torch.dtype, ctypes.CDLL] = {}
_library = torch.library.Library('aiida_enne_forces', 'DEF')
_T = 'Tensor J, Tensor n, Tensor index, Tensor src, Tensor dst'
_library.define(f'pull(int atoms, Tensor along, Tensor slope, {_T}) -> Tensor')
_library.define(f'push(int atoms, Tensor forces, {_T}) -> Tensor[]')


class _Arguments(ctypes.Structure):
    _fields_ = [
        *structure(ctypes.c_int64, 'n_members n_frames n_pairs y_size n_atoms'),
        *structure(ctypes.c_void_p, 'index src dst J n along slope forces'),
    ]


def prepare(dtype: torch.dtype, folder: Path) -> None:
    """Compile the code for real numbers of a kind.

    Args:
        dtype: Of the harmonics.
        folder: Where compiled code is kept.

    Raises:
        UnfitError: If there is no compiler or it fails.
    """
    _codes[dtype] = library(dtype, (1,), folder, (SOURCE,))


def _run(back: bool, n_atoms: int, **tensors: torch.Tensor) -> None:
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    n_members, n_frames = tensors['index'].shape
    n_pairs, y_size = tensors['J'].shape[2], tensors['J'].shape[4]
    arguments = _Arguments(n_members, n_frames, n_pairs, y_size, n_atoms)
    for name, tensor in tensors.items():
        setattr(arguments, name, tensor.data_ptr())
    _codes[tensors['J'].dtype].forces(int(back), ctypes.byref(arguments))


def _compiled_pull(n_atoms: int, along: Any, slope: Any, *others: Any) -> torch.Tensor:
    made: torch.Tensor = along.new_zeros(len(along), n_atoms, 3)
    given = dict(zip(('J', 'n', 'index', 'src', 'dst'), others, strict=True))
    _run(False, n_atoms, along=along, slope=slope, forces=made, **given)
    return made


def _compiled_push(n_atoms: int, forces: Any, *others: Any) -> list[torch.Tensor]:
    given = dict(zip(('J', 'n', 'index', 'src', 'dst'), others, strict=True))
    m, n_edges = given['src'].shape
    along = forces.new_empty(m, n_edges, given['J'].shape[-1])
    slope = forces.new_empty(m, n_edges // 2)
    _run(True, n_atoms, along=along, slope=slope, forces=forces, **given)
    return [along, slope]


def _plain_pull(n_atoms: int, along: Any, slope: Any, *others: Any) -> torch.Tensor:
    jacobian, n, index, src, dst = others
    one, other = (_chosen(jacobian, index) @ along.unsqueeze(-1)).squeeze(-1).chunk(2, 1)
    one = one + slope.unsqueeze(-1) * n[index].flatten(1, 2)
    flat = torch.cat([one, other], 1)
    made: torch.Tensor = flat.new_zeros(len(flat), n_atoms, 3)
    for ends, sign in ((dst, 1), (src, -1)):
        made.scatter_add_(1, ends.unsqueeze(-1).expand_as(flat), sign * flat)
    return made


def _plain_push(n_atoms: int, forces: Any, *others: Any) -> list[torch.Tensor]:
    jacobian, n, index, src, dst = others
    to, start = (forces.gather(1, ends.unsqueeze(-1).expand(*ends.shape, 3)) for ends in (dst, src))
    v = to - start
    along = (v.unsqueeze(-2) @ _chosen(jacobian, index)).squeeze(-2)
    return [along, (v.chunk(2, 1)[0] * n[index].flatten(1, 2)).sum(-1)]


def _chosen(jacobian: Any, index: Any) -> torch.Tensor:
    """Return dY/dr of the edges of each member (M, edges, 3, y)."""
    chosen: torch.Tensor = jacobian[index].transpose(1, 2).flatten(1, 3)
    return chosen


def _choose(compiled: Any, plain: Any) -> Any:
    def run(n_atoms: int, first: torch.Tensor, *others: Any) -> Any:
        fits = first.device.type == 'cpu' and first.dtype in _codes
        return (compiled if fits else plain)(n_atoms, first, *others)

    return run


for _name, _compiled, _plain in (
    ('pull', _compiled_pull, _plain_pull),
    ('push', _compiled_push, _plain_push),
):
    _library.impl(_name, _choose(_compiled, _plain), 'CompositeExplicitAutograd')


class _Pull(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, n_atoms: int, along: Any, slope: Any, *others: Any) -> Any:
        ctx.n_atoms = n_atoms
        ctx.save_for_backward(*others)
        return torch.ops.aiida_enne_forces.pull(n_atoms, along, slope, *others)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, given: Any) -> Any:
        found = torch.ops.aiida_enne_forces.push(ctx.n_atoms, given, *ctx.saved_tensors)
        return (None, *found, *[None] * 5)


def pull(n_atoms: int, along: Any, slope: Any, *geometry: Any) -> torch.Tensor:
    """Return the forces on atoms (M, n_atoms, 3).

    Args:
        n_atoms: Atoms of a member's configurations together.
        along: Derivatives of the energy along Y (M, edges, y).
        slope: Those along the lengths of pairs (M, edges / 2).
        geometry: `J` (c, 2, p, 3, y) and `n` (c, p, 3) of all configurations, see
            `nequip_geometry`, the chosen ones' numbers (M, b), and `src` and `dst` (M, edges).
    """
    function: Any = _Pull
    forces: torch.Tensor = function.apply(n_atoms, along, slope, *geometry)
    return forces


def pull_strains(along: Any, slope: Any, rj: Any, rn: Any, index: Any) -> torch.Tensor:
    """Return the derivatives of the energy along symmetric strains (M, b, 3, 3).

    They are forces on atoms that stand for strains: three a configuration, one a component of its
    edges, whose derivatives are multiplied by that component.

    Args:
        along: As for `pull`.
        slope: As for `pull`.
        rj: See `nequip_geometry.add_stress`.
        rn: See there.
        index: The chosen configurations' numbers (M, b).
    """
    (m, b), n_pairs = index.shape, rn.shape[1]
    thrice = (3 * index.unsqueeze(-1) + torch.arange(3, device=index.device)).flatten(1)
    along = along.reshape(m, 2, b, 1, n_pairs, -1).expand(-1, -1, -1, 3, -1, -1).flatten(1, 4)
    slope = slope.reshape(m, b, 1, n_pairs).expand(-1, -1, 3, -1).flatten(1)
    numbers = torch.arange(3 * b, device=index.device)
    strains = numbers.view(1, -1, 1).expand(2, -1, n_pairs).reshape(1, -1)
    ends = [end.expand(m, -1) for end in (torch.full_like(strains, 3 * b), strains)]
    pulled = pull(3 * b + 1, along, slope, rj, rn, thrice, *ends)[:, : 3 * b].view(m, b, 3, 3)
    return (pulled + pulled.transpose(-1, -2)) / 2
