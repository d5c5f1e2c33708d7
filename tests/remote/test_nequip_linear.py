"""Tests of compiled linear layers: e3nn's numbers and derivatives, alone and together."""

import importlib
from importlib.resources import files

import pytest
import torch
from e3nn.o3 import Linear

IN, OUT = '4x0e+2x0o+4x1o+2x2e+4x3o', '6x0e+4x1o+2x2e+2x3o'


@pytest.fixture
def compiled(monkeypatch):
    """Return the module as a job imports it."""
    monkeypatch.syspath_prepend(str(files('aiida_enne.remote.nequip')))
    return importlib.import_module('nequip_linear')


@pytest.fixture
def layers(compiled, artefacts):
    """Return a layer of e3nn and the one that stands in for it."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    holder = torch.nn.ModuleDict({'layer': Linear(IN, OUT)})
    torch.set_default_dtype(before)
    expected = holder['layer']
    compiled.compile_linear(holder, artefacts)
    return expected, holder['layer']


@pytest.fixture(scope='module')
def artefacts(tmp_path_factory):
    return tmp_path_factory.mktemp('artefacts')


def make_rows(layer, n=3):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, layer.irreps_in.dim, generator=generator, dtype=torch.float64)


def test_values_and_derivatives_are_those_of_e3nn(layers):
    x = make_rows(layers[0]).requires_grad_(True)
    found = []
    for layer in layers:
        out = layer(x)
        first = torch.autograd.grad(out.pow(3).sum(), [x, layer.weight], create_graph=True)
        second = torch.autograd.grad(sum(one.pow(2).sum() for one in first), [x, layer.weight])
        found.append([out, *first, *second])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_derivatives_are_those_of_finite_differences(compiled, layers):
    x = make_rows(layers[0], 2)[None].requires_grad_(True)
    w = layers[1].weight.detach()[None].requires_grad_(True)
    number = layers[1]._number
    for kind in (compiled.OUT, compiled.X, compiled.W):
        two = {'x': x, 'w': w, 'out': torch.ones(1, 2, layers[0].irreps_out.dim).double()}
        given = [two[name].requires_grad_(True) for name in compiled.GIVEN[kind]]
        assert torch.autograd.gradcheck(
            lambda one, other: compiled._make(one, other, number, kind),  # noqa: B023
            given,
            fast_mode=True,
        )


def test_members_together_are_members_one_by_one(layers):
    x = torch.stack([make_rows(layers[0]), -2 * make_rows(layers[0])])
    weights = torch.stack([layers[0].weight, 3 * layers[0].weight]).detach()

    def one(x, weight):
        return torch.func.functional_call(layers[1], {'weight': weight}, (x,))

    found = torch.vmap(one)(x, weights)
    torch.testing.assert_close(found[1], -6 * layers[0](x[0]))
    torch.testing.assert_close(torch.vmap(one, (None, 0))(x[0], weights)[1], 3 * layers[0](x[0]))


def test_a_layer_with_biases_is_refused(compiled, tmp_path):
    holder = torch.nn.ModuleDict({'layer': Linear('2x0e', '2x0e', biases=True)})
    with pytest.raises(compiled.UnfitError, match='biases'):
        compiled.compile_linear(holder, tmp_path)
