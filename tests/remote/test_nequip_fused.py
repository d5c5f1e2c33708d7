"""Tests of the fused tensor product: e3nn's numbers and derivatives, for models and alone."""

import importlib
import os
import subprocess
import sys
from importlib.resources import files

import pytest
import torch
from e3nn.o3 import Irreps
from nequip.nn._tp_scatter_base import TensorProductScatter
from torch.fx.experimental.proxy_tensor import make_fx

N_ATOMS, N_EDGES = 5, 11


@pytest.fixture
def fused(monkeypatch):
    """Return the module as a job imports it."""
    monkeypatch.syspath_prepend(str(files('aiida_enne.remote.nequip')))
    return importlib.import_module('nequip_fused')


@pytest.fixture(scope='session')
def artefacts(tmp_path_factory):
    return tmp_path_factory.mktemp('artefacts')


def make_product(irreps, l_max, dtype):
    """Return NequIP's product of features with spherical harmonics, all paths up to l = 3."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    features, harmonics = Irreps(irreps), Irreps.spherical_harmonics(l_max)
    middle, instructions = [], []
    for i, (mul, one) in enumerate(features):
        for j, (_, other) in enumerate(harmonics):
            for out in one * other:
                if out.l <= 3:
                    instructions.append((i, j, len(middle), 'uvu', True))
                    middle.append((mul, out))
    middle, order, _ = Irreps(middle).sort()
    instructions = [(i, j, order[k], mode, weighted) for i, j, k, mode, weighted in instructions]
    product = TensorProductScatter(features, harmonics, middle, instructions)
    torch.set_default_dtype(before)
    return product


def make_arguments(product, dtype):
    generator = torch.Generator().manual_seed(0)
    sizes = (
        (N_ATOMS, product.feature_irreps_in.dim),
        (N_EDGES, product.irreps_edge_attr.dim),
        (N_EDGES, product.tp.weight_numel),
    )
    tensors = [torch.randn(*s, generator=generator, dtype=dtype) for s in sizes]
    ends = [torch.randint(N_ATOMS, (N_EDGES,), generator=generator) for _ in range(2)]
    return [tensor.requires_grad_(True) for tensor in tensors], ends


def derivatives(out, arguments, cotangent):
    first = torch.autograd.grad((out * cotangent).sum(), arguments, create_graph=True)
    second = torch.autograd.grad(sum((one**2).sum() for one in first), arguments)
    return [out, *first, *second]


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ('irreps', 'l_max'),
    [('4x0e+4x1o', 1), ('8x0e+8x1o+8x2e', 2), ('3x0e+2x1o+5x2e+1x3o', 3), ('16x0e+16x0o+16x1e', 2)],
)
def test_values_and_derivatives_are_those_of_e3nn(fused, artefacts, irreps, l_max, dtype):
    product = make_product(irreps, l_max, dtype)
    ours = fused.FusedTensorProductScatter(product, artefacts, edges=True)
    arguments, ends = make_arguments(product, dtype)
    expected = product(*arguments, *ends)
    cotangent = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    found = derivatives(ours(*arguments, *ends), arguments, cotangent)
    limit = 2e-6 if dtype == torch.float32 else 1e-14
    for one, other in zip(found, derivatives(expected, arguments, cotangent), strict=True):
        assert (one - other).abs().max() <= limit * other.abs().max()


def test_derivatives_are_those_of_finite_differences(fused, artefacts):
    product = make_product('2x0e+1x1o', 1, torch.float64)
    ours = fused.FusedTensorProductScatter(product, artefacts, edges=True)
    arguments, ends = make_arguments(product, torch.float64)

    def out(*tensors):
        return ours(*tensors, *ends)

    assert torch.autograd.gradcheck(out, arguments)
    assert torch.autograd.gradgradcheck(out, arguments)


def test_members_side_by_side_are_the_members_one_by_one(fused, artefacts):
    product = make_product('4x0e+4x1o', 1, torch.float64)
    ours = fused.FusedTensorProductScatter(product, artefacts, edges=False)
    (x, y, w), ends = make_arguments(product, torch.float64)
    several = torch.stack([x, 2 * x, -x]).detach()
    found = torch.vmap(lambda one: ours(one, y, w, *ends))(several)
    for one, out in zip(several, found, strict=True):
        assert torch.equal(out, ours(one, y, w, *ends))


@pytest.mark.parametrize('kind', ['FusedTensorProductScatter', 'PlainTensorProductScatter'])
def test_an_edge_and_its_reverse_share_weights(fused, artefacts, kind):
    product = make_product('4x0e+4x1o+2x2e', 2, torch.float64)
    made = getattr(fused, kind)(product, *([artefacts, True] if kind.startswith('F') else []))
    (x, y, w), (one, other) = make_arguments(product, torch.float64)
    src, dst = torch.cat([one, other]), torch.cat([other, one])
    arguments = [x, torch.cat([y, -2 * y]).detach().requires_grad_(True), w]
    expected = product(x, arguments[1], torch.cat([w, w]), src, dst)
    found = made(*arguments, src, dst)
    cotangent = torch.randn(expected.shape, dtype=torch.float64)
    both = [derivatives(out, arguments, cotangent) for out in (found, expected)]
    for one, other in zip(*both, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    members = torch.vmap(lambda x, w: made(x, arguments[1], w, src, dst))(
        torch.stack([x, 2 * x]), torch.stack([w, 3 * w])
    )
    torch.testing.assert_close(members[1], 6 * expected, rtol=1e-12, atol=1e-12)


def test_derivatives_that_nothing_uses_are_not_computed(fused, artefacts):
    product = make_product('4x0e+4x1o', 1, torch.float64)
    ours = fused.FusedTensorProductScatter(product, artefacts, edges=False)
    arguments, ends = make_arguments(product, torch.float64)

    def gradient(*tensors):
        return torch.autograd.grad(ours(*tensors, *ends).square().sum(), tensors)[2]

    graph = make_fx(gradient)(*arguments)
    graph.graph.eliminate_dead_code()
    before = graph(*arguments)
    fused.drop_unused(graph)
    (node,) = [n for n in graph.graph.nodes if n.target is torch.ops.aiida_enne.first.default]
    assert node.args[2] == 0b100
    assert torch.equal(graph(*arguments), before)


COMPARE = """
import sys
from pathlib import Path
import nequip_fused
from nequip.utils.global_state import set_global_state
from nequip_artefact import trace_frame
from nequip_predict_member import Member
set_global_state()
one = Member('a', Path(sys.argv[1]), 'cpu', False)
one.open()
data = trace_frame(one)
expected = one.model(dict(data))
nequip_fused.fuse(one.model, Path(sys.argv[2]))
found = one.model(dict(data))
for name in ('total_energy', 'forces', 'stress'):
    print(float((found[name] - expected[name]).abs().max() / expected[name].abs().max()))
"""


@pytest.mark.nequip
def test_a_whole_model_gives_the_same_energies_forces_and_stress(artefacts, checkpoints):
    environment = os.environ | {'PYTHONPATH': str(files('aiida_enne.remote.nequip'))}
    command = [sys.executable, '-c', COMPARE, checkpoints['seed_7'], artefacts]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    differences = [float(line) for line in done.stdout.splitlines()]
    assert len(differences) == 3
    assert max(differences) < 1e-5


def test_what_cannot_be_fused_is_left_alone_with_the_reason(fused, tmp_path, monkeypatch):
    holder = torch.nn.ModuleDict({'product': make_product('1x0e', 1, torch.float64)})
    before = holder['product']
    monkeypatch.setenv('CXX', 'no-such-compiler')
    with pytest.raises(fused.UnfitError, match='no-such-compiler'):
        fused.fuse(holder, tmp_path)
    monkeypatch.setenv('CXX', 'false')
    with pytest.raises(fused.UnfitError, match='false failed'):
        fused.fuse(holder, tmp_path)
    assert holder['product'] is before
    with pytest.raises(fused.UnfitError, match='no tensor product'):
        fused.fuse(torch.nn.Linear(2, 2), tmp_path)


def test_compiled_code_is_kept_by_content(fused, tmp_path, monkeypatch):
    product = make_product('4x0e', 1, torch.float64)
    fused.FusedTensorProductScatter(product, tmp_path, edges=False)
    (kept,) = tmp_path.glob('fused-*.so')
    monkeypatch.setattr('subprocess.run', None)  # nothing is compiled a second time
    fused.FusedTensorProductScatter(product, tmp_path, edges=False)
    assert [kept] == list(tmp_path.iterdir())
