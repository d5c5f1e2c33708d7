"""Tests of compiled radial networks: NequIP's numbers and derivatives, alone and together."""

import importlib
from importlib.resources import files

import pytest
import torch
from nequip.nn.mlp import ScalarMLPFunction


@pytest.fixture
def compiled(monkeypatch):
    """Return the module as a job imports it."""
    monkeypatch.syspath_prepend(str(files('aiida_enne.remote.nequip')))
    return importlib.import_module('nequip_radial')


@pytest.fixture(scope='module')
def artefacts(tmp_path_factory):
    return tmp_path_factory.mktemp('artefacts')


def make_network(dtype, nonlinearity='silu'):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    torch.manual_seed(0)
    network = ScalarMLPFunction(4, 12, 2, 8, nonlinearity)
    torch.set_default_dtype(before)
    return network


def make_rows(dtype, n=37):
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(1), dtype=dtype)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_values_and_derivatives_are_those_of_nequip(compiled, artefacts, dtype):
    network = make_network(dtype)
    ours = compiled.CompiledRadial(network, artefacts)
    x = make_rows(dtype).requires_grad_(True)
    weights = list(network.parameters())
    found = []
    for one in (network, ours):
        out = one(2 * x)
        first = torch.autograd.grad(out.pow(2).sum(), [x, *weights], create_graph=True)
        second = torch.autograd.grad(sum(part.pow(2).sum() for part in first), [x, *weights])
        found.append([out, *first, *second])
    limit = 5e-6 if dtype == torch.float32 else 1e-13
    for one, other in zip(*found, strict=True):
        assert (one - other).abs().max() <= limit * other.abs().max()


def test_sums_over_thousands_of_rows_lose_no_digits_in_single_precision(compiled, artefacts):
    found = []
    for dtype in (torch.float32, torch.float64):
        network = make_network(torch.float32).to(dtype)
        ours, weights = compiled.CompiledRadial(network, artefacts), list(network.parameters())
        x = make_rows(torch.float32, 5000).to(dtype).requires_grad_(True)
        along, *first = torch.autograd.grad(
            ours(x).square().mean(), [x, *weights], create_graph=True
        )
        found.append([*first, *torch.autograd.grad(along.square().sum(), weights)])
    for one, other in zip(*found, strict=True):
        assert (one - other).abs().max() <= 2e-7 * other.abs().max()


def test_derivatives_are_those_of_finite_differences(compiled, artefacts):
    ours = compiled.CompiledRadial(make_network(torch.float64), artefacts)
    x = make_rows(torch.float64, 3)[None].requires_grad_(True)
    w = torch.randn(1, 4 * 8 + 8 * 8 + 8 * 12, dtype=torch.float64).requires_grad_(True)

    def out(x, w):
        return compiled._apply(compiled._Out, x, w, ours._number)

    assert torch.autograd.gradcheck(out, (x, w), fast_mode=True)
    assert torch.autograd.gradgradcheck(out, (x, w), fast_mode=True)


def test_members_together_are_members_one_by_one(compiled, artefacts):
    ours = compiled.CompiledRadial(make_network(torch.float64), artefacts)
    x = make_rows(torch.float64)
    weights = {name: torch.stack([w, -w, w / 2]) for name, w in ours.named_parameters()}
    buffers = dict(ours.named_buffers())

    def run(weights):
        return torch.func.functional_call(ours, (weights, buffers), (x,))

    found = torch.vmap(run)(weights)
    for row, out in enumerate(found):
        torch.testing.assert_close(out, run({name: w[row] for name, w in weights.items()}))


def test_networks_of_another_kind_are_refused(compiled, tmp_path):
    for kind in ('tanh', None):
        with pytest.raises(compiled.UnfitError, match='without SiLU'):
            compiled.CompiledRadial(make_network(torch.float64, kind), tmp_path)
