"""Tests of forces from derivatives along edges: compiled or not, they are sums over edges."""

import importlib
from importlib.resources import files

import pytest
import torch

N_CONFIGURATIONS, N_PAIRS, Y, N_ATOMS = 3, 5, 4, 6


@pytest.fixture
def forces(monkeypatch):
    """Return the module as a job imports it."""
    monkeypatch.syspath_prepend(str(files('aiida_enne.remote.nequip')))
    return importlib.import_module('nequip_forces')


def make_arguments(dtype):
    """Return derivatives, and the geometry of two members with two configurations each."""
    generator = torch.Generator().manual_seed(0)

    def numbers(*shape):
        return torch.randn(*shape, generator=generator, dtype=dtype)

    geometry = [numbers(N_CONFIGURATIONS, 2, N_PAIRS, 3, Y), numbers(N_CONFIGURATIONS, N_PAIRS, 3)]
    index = torch.tensor([[0, 2], [1, 1]])
    one, other = (torch.randint(N_ATOMS, (2, 2 * N_PAIRS), generator=generator) for _ in range(2))
    ends = [torch.cat([one, other], 1), torch.cat([other, one], 1)]
    derivatives = [numbers(2, 4 * N_PAIRS, Y), numbers(2, 2 * N_PAIRS)]
    return derivatives, [*geometry, index, *ends]


def expected_of(derivatives, geometry):
    """Return the forces edge by edge."""
    (along, slope), (jacobian, n, index, src, dst) = derivatives, geometry
    found = along.new_zeros(2, N_ATOMS, 3)
    for member in range(2):
        for edge in range(4 * N_PAIRS):
            way, rest = divmod(edge, 2 * N_PAIRS)
            frame, pair = index[member, rest // N_PAIRS], rest % N_PAIRS
            vector = jacobian[frame, way, pair] @ along[member, edge]
            if way == 0:
                vector = vector + slope[member, rest] * n[frame, pair]
            found[member, dst[member, edge]] += vector
            found[member, src[member, edge]] -= vector
    return found


def strains_of(derivatives, geometry, edges):
    """Return the derivatives along symmetric strains edge by edge."""
    (along, slope), (jacobian, n, index, *_) = derivatives, geometry
    found = along.new_zeros(*index.shape, 3, 3)
    for member in range(2):
        for edge in range(4 * N_PAIRS):
            way, rest = divmod(edge, 2 * N_PAIRS)
            place, pair = divmod(rest, N_PAIRS)
            frame = index[member, place]
            vector = jacobian[frame, way, pair] @ along[member, edge]
            if way == 0:
                vector = vector + slope[member, rest] * n[frame, pair]
            found[member, place] += torch.outer(edges[frame, :, way, pair], vector)
    return (found + found.mT) / 2


@pytest.mark.parametrize('compiled', [True, False])
def test_they_are_sums_over_edges_and_so_are_their_derivatives(
    forces, tmp_path_factory, monkeypatch, compiled
):
    monkeypatch.setattr(forces, '_codes', {})
    if compiled:
        forces.prepare(torch.float64, tmp_path_factory.mktemp('artefacts'))
    derivatives, geometry = make_arguments(torch.float64)
    derivatives = [one.requires_grad_(True) for one in derivatives]

    def pull(*derivatives):
        return forces.pull(N_ATOMS, *derivatives, *geometry)

    torch.testing.assert_close(pull(*derivatives), expected_of(derivatives, geometry))
    assert torch.autograd.gradcheck(pull, derivatives)

    edges = torch.randn(N_CONFIGURATIONS, 3, 2, N_PAIRS, dtype=torch.float64)
    edges[:, :, 1] = -edges[:, :, 0]
    jacobian, n, index, *_ = geometry
    rj = (edges[..., None, None] * jacobian.unsqueeze(1)).flatten(0, 1)
    rn = (edges[:, :, 0, :, None] * n.unsqueeze(1)).flatten(0, 1)

    def pull_strains(*derivatives):
        return forces.pull_strains(*derivatives, rj, rn, index)

    expected = strains_of(derivatives, geometry, edges)
    torch.testing.assert_close(pull_strains(*derivatives), expected)
    assert torch.autograd.gradcheck(pull_strains, derivatives)
