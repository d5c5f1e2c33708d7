"""Adam and moving averages of all members at once, each operation as torch and NequIP have it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from nequip_product import UnfitError

Tensors = list[torch.Tensor]
#: Options of torch's optimiser that are followed, and those that must not be set.
SETTINGS = ('lr', 'betas', 'eps', 'weight_decay', 'amsgrad', 'decoupled_weight_decay', 'params')
IGNORED = ('foreach', 'fused', 'initial_lr')
REFUSED = ('capturable', 'differentiable', 'maximize')


class Numbers(NamedTuple):
    """One member's weights, their averages and moments, flat, and the steps that made them."""

    weights: Tensors
    average: Tensors
    moments: dict[str, Tensors]
    steps: int
    updates: int


class Adam:
    """Weights, their averages and moments of M members.

    Numbers are kept flat, (M, n) for each precision that weights have.

    Args:
        weights: Stacked weights, each (M, …).
        optimizer: One member's optimiser: its settings are those of all.
        decay: Decay of the moving average; None where a training has none.

    Raises:
        UnfitError: If the optimiser is another one, or has settings that are not known.
    """

    def __init__(self, weights: Tensors, optimizer: Any, decay: float | None) -> None:
        if type(optimizer) not in (torch.optim.Adam, torch.optim.AdamW):
            raise UnfitError(f'the optimiser {type(optimizer).__name__}')
        if len(optimizer.param_groups) != 1:
            raise UnfitError('an optimiser with several groups of parameters')
        (self._group,) = optimizer.param_groups
        unknown = set(self._group) - {*SETTINGS, *IGNORED, *REFUSED}
        if unknown or any(self._group.get(name) for name in REFUSED):
            raise UnfitError(f'the optimiser has options of {sorted(unknown) or REFUSED}')
        self.dtypes = list(dict.fromkeys(weight.dtype for weight in weights))
        self._like = [(weight.dtype, weight.shape[1:]) for weight in weights]
        moments = ['exp_avg', 'exp_avg_sq', *(['max_exp_avg_sq'] * self._group['amsgrad'])]
        self._weights = self._flat(weights, 1)
        self._average = [flat.clone() for flat in self._weights]
        self._moments = {name: [torch.zeros_like(w) for w in self._weights] for name in moments}
        self.weights = self._views(self._weights)
        self.decay, self.steps, self.updates = decay, 0, 1

    @property
    def used(self) -> Tensors:
        """Return the weights that predict, each (M, …): averaged ones where there are any."""
        return self.weights if self.decay is None else self._views(self._average)

    def update(self, gradients: Tensors, rates: torch.Tensor) -> None:
        """Make one step.

        Args:
            gradients: Of each weight, (M, …).
            rates: Learning rate of each member (M, 1) in double precision; 0 for those that are
                no longer trained.
        """
        self.steps += 1
        for index, gradient in enumerate(self._flat(gradients, 1)):
            moments = [flats[index] for flats in self._moments.values()]
            self._step(self._weights[index], gradient, rates, *moments)
        if self.decay is not None:
            decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
            for average, weights in zip(self._average, self._weights, strict=True):
                average.lerp_(weights, 1 - decay)
            self.updates += 1

    def _step(
        self, w: Any, g: Any, rates: Any, first: Any, second: Any, largest: Any = None
    ) -> None:
        b1, b2 = self._group['betas']
        if decay := self._group['weight_decay']:
            if self._group.get('decoupled_weight_decay'):
                w.mul_((1 - rates * decay).to(w.dtype))
            else:
                g = g.add(w, alpha=decay)
        first.lerp_(g, 1 - b1)
        second.mul_(b2).addcmul_(g, g, value=1 - b2)
        if largest is not None:
            second = torch.maximum(largest, second, out=largest)
        root = (second.sqrt() / (1 - b2**self.steps) ** 0.5).add_(self._group['eps'])
        scale = (-rates / (1 - b1**self.steps)).to(w.dtype)
        w.add_((scale * first).div_(root))

    def clear(self, row: int) -> None:
        """Set all numbers of a lost member to zero: what is not finite slows the others."""
        for flats in (self._weights, self._average, *self._moments.values()):
            for flat in flats:
                flat[row] = 0

    def numbers(self, row: int) -> Numbers:
        """Return a copy of one member's numbers."""

        def own(flats: Tensors) -> Tensors:
            return [flat[row].clone() for flat in flats]

        moments = {name: own(flats) for name, flats in self._moments.items()}
        return Numbers(own(self._weights), own(self._average), moments, self.steps, self.updates)

    def give(self, numbers: Numbers, module: Any, optimizer: Any = None) -> None:
        """Put one member's numbers where NequIP's module and torch's optimiser have them."""
        parameters = list(module.model.parameters())
        with torch.no_grad():
            for parameter, value in zip(parameters, self._views(numbers.weights), strict=True):
                parameter.copy_(value)
            if self.decay is not None:
                averages = self._views(numbers.average)
                for average, value in zip(module.ema.ema_weights, averages, strict=True):
                    average.copy_(value)
                module.ema.num_updates = numbers.updates
        if optimizer is None:
            return
        moments = {name: self._views(flats) for name, flats in numbers.moments.items()}
        for index, parameter in enumerate(parameters):
            own = {
                name: values[index].to(parameter.device, copy=True)
                for name, values in moments.items()
            }
            optimizer.state[parameter] = {'step': torch.tensor(float(numbers.steps)), **own}

    def take(self, row: int, module: Any, optimizer: Any) -> None:
        """Go on from where a module and its optimiser are, whoever trained them before."""
        parameters = list(module.model.parameters())
        states = [optimizer.state[parameter] for parameter in parameters]
        self._put(self._weights, row, [parameter.detach() for parameter in parameters])
        if self.decay is not None:
            self._put(self._average, row, module.ema.ema_weights)
            self.updates = module.ema.num_updates
        self.steps = int(states[0]['step'])
        for name, flats in self._moments.items():
            self._put(flats, row, [state[name] for state in states])

    def _flat(self, tensors: Tensors, first: int) -> Tensors:
        """Return tensors side by side, for each precision; `first` is their first own axis."""
        return [
            torch.cat([t.flatten(first) for t in tensors if t.dtype == dtype], first)
            for dtype in self.dtypes
        ]

    def _views(self, flats: Tensors) -> Tensors:
        """Return numbers as weights of the models' shapes and in their order, without copies."""
        parts = {}
        for dtype, flat in zip(self.dtypes, flats, strict=True):
            sizes = [shape.numel() for kind, shape in self._like if kind == dtype]
            parts[dtype] = iter(flat.split(sizes, -1))
        return [
            (part := next(parts[dtype])).view(*part.shape[:-1], *shape)
            for dtype, shape in self._like
        ]

    def _put(self, flats: Tensors, row: int, values: Sequence[torch.Tensor]) -> None:
        for flat, own in zip(flats, self._flat(list(values), 0), strict=True):
            flat[row] = own
