"""One training step against the limit: its operations over the peak of what computes it.

Operations are those of the matrix products in a step of NequIP's eager model, forward, forces and
both derivatives, as torch counts them. The peak is that of a product of two matrices, measured in
the same run with the same clock. A step that multiplied matrices only, at that peak, would take the
limit; what moves through memory, and all that is no matrix product, comes on top.

    python benchmarks/step.py                       # small and paper's model, one core
    python benchmarks/step.py --device cuda         # eager NequIP on a GPU
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

os.environ['OMP_NUM_THREADS'] = '1'

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from training import label, prepare

#: The protocol whose model each is, and how many members are trained together.
MODELS = {'small': ('laptop', 30), 'paper': ('paper', 2)}
#: Edge of the matrices whose product gives the peak.
EDGE = 2048


class Clock:
    """Seconds of one core, or of a GPU."""

    def __init__(self, device: str) -> None:
        self.device = device

    def __call__(self, run: Callable[[], Any], repeat: int) -> float:
        """Return the least seconds that a call took, of so many after the first."""
        found = []
        for _ in range(repeat + 1):
            begin = self._now()
            run()
            found.append(self._now() - begin)
        return min(found[1:])

    def _now(self) -> float:
        if self.device == 'cpu':
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()


class Counter(TorchDispatchMode):
    """Counts the operations of matrix products; a product of two numbers and a sum are two."""

    operations = 0

    def __torch_dispatch__(self, function: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        count = flop_registry.get(function._overloadpacket)
        if count is not None:
            self.operations += count(*args, **(kwargs or {}), out_val=out)
        return out


class Row(NamedTuple):
    """What a step takes, in seconds a member."""

    name: str
    seconds: float


def main() -> None:
    """Print the peak, and for each model operations, limit and what steps take."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--models', nargs='+', default=list(MODELS), choices=MODELS)
    parser.add_argument(
        '--members', type=int, help='trained together; by default 30 small, 2 paper'
    )
    parser.add_argument('--repeat', type=int, default=5, help='steps of which the fastest counts')
    parser.add_argument('--device', default='cpu')
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    sys.path.insert(0, str(files('aiida_enne.remote.nequip')))
    clock = Clock(chosen.device)
    peak = measure_peak(clock, chosen.repeat)
    print(f'peak of {describe(chosen.device)}: {peak / 1e9:.1f} GFLOP/s in single precision')
    for model in chosen.models:
        protocol, members = MODELS[model]
        with tempfile.TemporaryDirectory() as folder:
            show(model, Path(folder), protocol, chosen.members or members, chosen, peak)


def describe(device: str) -> str:
    """Return what computes."""
    return 'one core' if device == 'cpu' else torch.cuda.get_device_name(device)


def measure_peak(clock: Clock, repeat: int) -> float:
    """Return operations a second of a product of two matrices in single precision."""
    a, b = (torch.randn(EDGE, EDGE, device=clock.device) for _ in range(2))
    return float(2 * EDGE**3 / clock(lambda: a @ b, repeat))


def show(
    model: str, work: Path, protocol: str, members: int, chosen: argparse.Namespace, peak: float
) -> None:
    """Print operations and limit of a model, and what a step of each side takes."""
    clock = Clock(chosen.device)
    choices = argparse.Namespace(protocol=protocol, frames=4, epochs=1)
    structures = [label(seed) for seed in range(choices.frames + 8)]
    prepare(work, structures, range(1, members + 1), choices, 'vectorised')
    group = make_group(work)
    module = group.members[0].module.to(chosen.device)
    eager = eager_step(module, group.train[0], chosen.device)
    with Counter() as counter:
        eager()
    operations = counter.operations
    parameters = sum(p.numel() for p in module.model.parameters())
    print(
        f'\n{model} model, {parameters} parameters, a configuration of {len(structures[0])} atoms: '
        f'{operations / 1e9:.3f} GFLOP a step, limit {1e3 * operations / peak:.2f} ms'
    )
    rows = [Row('eager NequIP', clock(eager, chosen.repeat))]
    if chosen.device == 'cpu':
        together = clock(lambda: vectorised_step(group), chosen.repeat)
        rows.append(Row(f'vectorised, {members} members', together / members))
    else:
        print('members are trained together on CPUs only')
    for row in rows:
        print(
            f'{row.name:>24}: {1e3 * row.seconds:9.2f} ms a member, '
            f'{100 * operations / peak / row.seconds:6.1f} % of the peak, '
            f'{rows[0].seconds / row.seconds:6.1f} × eager'
        )


def make_group(work: Path) -> Any:
    """Return the members of a folder, ready to be trained together."""
    import nequip_together
    import nequip_trust

    nequip_trust.force()
    nequip_together.keep_memory()
    folders = sorted(path.parent for path in work.glob('members/*/config.yaml'))
    os.chdir(work)
    return nequip_together.Group(folders, float('inf'), work)


def eager_step(module: Any, frame: Any, device: str) -> Callable[[], None]:
    """Return a step of NequIP's own: loss, gradients, optimiser and moving average."""
    from nequip.data import AtomicDataDict

    batch = AtomicDataDict.to_(AtomicDataDict.batched_from_list([frame]), device)
    configured = module.configure_optimizers()
    optimizer = configured['optimizer'] if isinstance(configured, dict) else configured
    module.train()

    def step() -> None:
        optimizer.zero_grad()
        loss = module.loss(module(batch.copy()), batch.copy(), prefix='')['weighted_sum']
        loss.backward()
        optimizer.step()
        module.ema.update_parameters(module.model)
        module.loss.reset()

    return step


def vectorised_step(group: Any) -> None:
    """Make a step of all members, each with a configuration of its own."""
    import nequip_geometry

    n_members = len(group.members)
    rates = torch.full((n_members, 1), 1e-3, dtype=torch.float64)
    index = torch.arange(n_members)[:, None] % len(group.train)
    *gradients, _, _ = group._step(nequip_geometry.gather(group.arrays, index), 1)
    group.adam.update(gradients, rates)


if __name__ == '__main__':
    main()
