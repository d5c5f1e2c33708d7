"""Tests for the optimiser of members that are trained together: torch's own, member by member."""

import pytest

from aiida_enne.remote import import_script

pytestmark = pytest.mark.nequip
MEMBERS, STEPS = 3, 6


@pytest.mark.parametrize('name', ['Adam', 'AdamW'])
@pytest.mark.parametrize('amsgrad', [False, True])
@pytest.mark.parametrize('weight_decay', [0.0, 0.05])
def test_every_member_takes_the_steps_of_torch(name, amsgrad, weight_decay):
    import torch

    torch.manual_seed(0)
    shapes = [(4, 2), (5,)]
    options = {'lr': 0.03, 'amsgrad': amsgrad, 'weight_decay': weight_decay}
    start = [torch.randn(MEMBERS, *shape) for shape in shapes]
    # gradients that shrink, so that the largest second moment is not the present one
    gradients = [
        [torch.randn(MEMBERS, *shape) / (1 + step) ** 2 for shape in shapes]
        for step in range(STEPS)
    ]
    make = getattr(torch.optim, name)
    like = [torch.nn.Parameter(weight[0].clone()) for weight in start]
    together = import_script('nequip_adam').Adam(
        [weight.clone() for weight in start], make(like, **options), decay=None
    )
    rates = torch.full((MEMBERS, 1), options['lr'], dtype=torch.float64)
    for gradient in gradients:
        together.update(gradient, rates)
    for member in range(MEMBERS):
        weights = [torch.nn.Parameter(weight[member].clone()) for weight in start]
        alone = make(weights, **options)
        for gradient in gradients:
            for weight, own in zip(weights, gradient, strict=True):
                weight.grad = own[member].clone()
            alone.step()
        for weight, own in zip(weights, together.weights, strict=True):
            torch.testing.assert_close(own[member], weight.detach(), rtol=1e-5, atol=1e-6)
