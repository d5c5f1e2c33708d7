"""The choices of an audit, each with the value that it has when nobody chooses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """Choices of an audit; stated beside every result.

    Attributes:
        ddof: Divisor M - ddof of the variance over members; 0 is the paper's.
        training_domains: Domains that the ensemble was trained on: their largest σ is the
            threshold above which a configuration is flagged.
        zero_force_tolerance: Force components below it in eV/Å, in the reference and in every
            member, are zero by symmetry: they are left out and counted.
        n_subsets: Random subsets of members per size in σ(M).
        n_force_samples: Force components per domain that σ(M) is averaged over.
        n_bootstrap: Resamplings of trajectory blocks.
        interval_level: Probability of the bootstrap intervals.
        error_bins: Bins of the histogram of force errors.
        parity_bins: Bins per axis of the parity plot of forces.
        cone_bins: Bins per axis of the density of force spreads and errors.
        seed: Seed of every random choice in the audit.

    Raises:
        ValueError: If a value is of the wrong type or out of its range.
    """

    ddof: int = PAPER_DDOF
    training_domains: tuple[str, ...] = ()
    zero_force_tolerance: float = 1e-5
    n_subsets: int = 500
    n_force_samples: int = 5000
    n_bootstrap: int = 1000
    interval_level: float = 0.95
    error_bins: int = 61
    parity_bins: int = 120
    cone_bins: int = 80
    seed: int = 0

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == 'training_domains':
                if isinstance(value, str) or not all(isinstance(label, str) for label in value):
                    raise ValueError(f'`training_domains` must be a list of labels, got {value!r}')
                object.__setattr__(self, item.name, tuple(value))
                continue
            kinds = (int, float) if isinstance(item.default, float) else (int,)
            if isinstance(value, bool) or not isinstance(value, kinds):
                kind = kinds[-1].__name__
                raise ValueError(f'`{item.name}` must be of type {kind}, got {value!r}')
        if self.ddof not in (0, 1):
            raise ValueError(f'`ddof` must be 0 or 1, got {self.ddof}')
        if not 0 < self.interval_level < 1:
            raise ValueError(f'`interval_level` must be in (0, 1), got {self.interval_level}')
        if self.zero_force_tolerance < 0 or self.n_bootstrap < 0 or self.seed < 0:
            raise ValueError('`zero_force_tolerance`, `n_bootstrap`, `seed` must not be negative')
        for name in ('n_subsets', 'n_force_samples', 'error_bins', 'parity_bins', 'cone_bins'):
            if getattr(self, name) < 1:
                raise ValueError(f'`{name}` must be positive, got {getattr(self, name)}')

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AuditOptions:
        """Build options from plain values, e.g. of a file.

        Raises:
            ValueError: If a key is unknown or a value cannot be used.
        """
        known = [item.name for item in fields(cls)]
        if unknown := sorted(set(values) - set(known)):
            raise ValueError(f'unknown options of the audit: {unknown}; there are {known}')
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, fit for `from_dict` and for JSON."""
        return asdict(self) | {'training_domains': list(self.training_domains)}
