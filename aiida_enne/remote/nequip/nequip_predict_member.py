"""One member on the remote side: its model, its predictions, and what became of it."""

import contextlib
import logging
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nequip.data import AtomicDataDict
from nequip_faster import hasten
from nequip_frames import Frames, Geometry, to_input
from nequip_private import load_saved_model
from nequip_trust import check

logging.getLogger('nequip').setLevel(logging.WARNING)

#: Up to here a model spends its time between the operations: batches and compilation pay.
SMALL = 50_000
#: Atoms in a batch of a small model, and of a large one, whose memory grows with them.
BATCH_ATOMS = {True: 512, False: 64}
#: Which last-layer features are kept: none, those of every atom, or their sum by configuration.
NO_FEATURES, PER_ATOM, SUMMED = 'none', 'per_atom', 'summed'


def room(features: str, frames: Frames, width: int) -> Any:
    """Return an array for the features of one member, float32: (N, width) or (n, width)."""
    rows = int(frames.offsets[-1]) if features == PER_ATOM else len(frames)
    return np.empty((rows, width), dtype=np.float32)


#: What members are compared with NequIP's own in, in units of eV and Å.
COMPARED = ('atomic_energy', 'forces', 'stress', 'node_features')
#: Largest difference to NequIP's own model that is rounding; relative to the largest value where
#: that is more than 1.
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-9}


class NotFiniteError(ValueError):
    """A prediction is not a number."""


class Member:
    """A model and the arrays that its predictions fill."""

    def __init__(self, label: str, path: Path, device: str, features: str) -> None:
        self.label, self.path = label, path
        self.device, self.features = device, features
        self.failure, self.kind = '', ''
        self.mode, self.note = 'eager', ''
        self.model: Any = None
        self.compiled: Any = None

    def open(self) -> None:
        """Load the checkpoint."""
        check(self.path)
        model = load_saved_model(str(self.path)).eval().to(self.device)
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        metadata = model.metadata
        self.model = model
        self.geometry = Geometry(
            float(metadata['r_max']),
            metadata.get('per_edge_type_cutoff'),
            tuple(metadata['type_names'].split(' ')),
        )
        self.is_small = sum(p.numel() for p in model.parameters()) <= SMALL
        self.batch_atoms = BATCH_ATOMS[self.is_small]

    def load(self, frames: Frames) -> None:
        """Load the checkpoint and make room for the predictions."""
        self.open()
        n, total = len(frames), int(frames.offsets[-1])
        self.energies, self.forces = np.empty(n), np.empty((total, 3))
        self.atomic_energies, self.stresses = np.empty(total), np.empty((n, 3, 3))
        self.kept: Any = None

    def hasten(self, folder: Path, trials: Sequence[Any]) -> None:
        """Let the model use a faster tensor product if that says what e3nn's says.

        Args:
            folder: Where compiled code is kept.
            trials: Structures on which both are compared.
        """
        inputs = [to_input(atoms, self.geometry) for atoms in trials]

        def measure() -> list[torch.Tensor]:
            outs = [self.run([data.copy()]) for data in inputs]
            return [out[name] for out in outs for name in COMPARED if name in out]

        found = hasten(self.model, folder, measure, TOLERANCE, least=1.0)
        self.mode = 'fused' if found.kernel else self.mode
        said = f'tensor product {found.kernel or "of e3nn"}: {found.note}'
        self.note = '; '.join(filter(None, (self.note, said)))

    @contextlib.contextmanager
    def failing_alone(self) -> Iterator[None]:
        """Note an exception of any kind as this member's failure; the others go on."""
        try:
            yield
        except NotFiniteError as exception:
            self.failure, self.kind = str(exception), 'not_finite'
        except Exception as exception:  # whatever a checkpoint or NequIP raises is its alone
            traceback.print_exc()
            self.failure, self.kind = f'{type(exception).__name__}: {exception}', 'failed'

    def predict(self, batch: Sequence[int], prepared: list[Any], frames: Frames) -> None:
        """Fill in what the model says of some configurations.

        Raises:
            NotFiniteError: If an energy or a force is not finite; names the configuration.
        """
        if self.compiled is None:
            self._fill(batch, self.run(prepared), frames)
        else:
            self.compiled.select(self)
            outs = [
                self.compiled.run(data) if self.compiled.accepts(data) else self.run([data])
                for data in prepared
            ]
            out = {name: torch.cat([out[name] for out in outs]) for name in self.compiled.outputs}
            self._fill(batch, out, frames)

    def run(self, prepared: list[Any]) -> dict[str, Any]:
        """Evaluate the eager model on one batch; everything comes back on the CPU."""
        data = AtomicDataDict.batched_from_list(prepared)
        out = self.model(AtomicDataDict.to_(data, torch.device(self.device)))
        return {name: value.detach().cpu() for name, value in out.items()}

    def _fill(self, batch: Sequence[int], out: dict[str, Any], frames: Frames) -> None:
        rows = slice(batch[0], batch[-1] + 1)
        atoms = slice(frames.offsets[batch[0]], frames.offsets[batch[-1] + 1])
        self.energies[rows] = out['total_energy'].reshape(-1)
        self.forces[atoms] = out['forces']
        self.require_finite(batch, frames)
        self.atomic_energies[atoms] = out['atomic_energy'].reshape(-1)
        if frames.is_periodic:
            self.stresses[rows] = out['stress'].reshape(-1, 3, 3)
        if self.features != NO_FEATURES:
            features = out['node_features'].numpy()
            if self.kept is None:
                self.kept = room(self.features, frames, features.shape[1])
            if self.features == PER_ATOM:
                self.kept[atoms] = features
            else:
                starts = frames.offsets[batch[0] : batch[-1] + 1] - atoms.start
                self.kept[rows] = np.add.reduceat(features, starts, axis=0, dtype=np.float64)

    def require_finite(self, batch: Sequence[int], frames: Frames) -> None:
        """Raise `NotFiniteError` where an energy or a force is not finite."""
        rows = slice(batch[0], batch[-1] + 1)
        atoms = slice(frames.offsets[batch[0]], frames.offsets[batch[-1] + 1])
        finite = np.isfinite(self.energies[rows])
        starts = frames.offsets[batch[0] : batch[-1] + 1] - atoms.start
        finite &= np.logical_and.reduceat(np.isfinite(self.forces[atoms]).all(axis=1), starts)
        if not finite.all():
            first = frames.indices[batch[int(np.argmin(finite))]]
            raise NotFiniteError(f'the prediction of configuration {first} is not finite')

    def arrays(self, frames: Frames) -> dict[str, Any]:
        """Return the predictions by name."""
        arrays = {'energies': self.energies, 'forces': self.forces}
        if frames.is_periodic:
            arrays['stresses'] = self.stresses
        if self.features == PER_ATOM:
            arrays |= {'atomic_energies': self.atomic_energies, 'features': self.kept}
        elif self.features == SUMMED:
            arrays['summed_features'] = self.kept
        return arrays

    def report(self) -> dict[str, str]:
        """Return what became of the member."""
        return {
            'status': self.kind or 'finished',
            'message': self.failure,
            'mode': self.mode,
            'note': self.note,
        }
