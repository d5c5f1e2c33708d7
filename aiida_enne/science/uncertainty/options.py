"""The choices of an audit, each with the value that it has when nobody chooses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import inf
from typing import Any

import numpy as np

from aiida_enne.science.options import refuse_unknown
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF
from aiida_enne.science.uncertainty.estimators import DEFAULT, Estimator, make_estimator

#: Units of choices that have one.
UNITS = {
    'zero_force_tolerance': 'eV/Å',
    'energy_tolerance': 'eV/atom',
    'force_tolerance': 'eV/Å',
    'stress_tolerance': 'GPa',
    'r_max': 'Å',
}


def describe(parameters: Mapping[str, Any]) -> str:
    """Return the choices of an audit in one line, each number plain and with its unit."""

    def said(name: str, value: Any) -> str:
        if isinstance(value, float):
            value = np.format_float_positional(value, trim='-')
        return f'{name} = {value} {UNITS.get(name, "")}'.rstrip()

    # a reason is no choice
    known = sorted((k, v) for k, v in parameters.items() if v is not None and k != 'unfitted')
    return '; '.join(said(name, value) for name, value in known)


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """Choices of an audit; stated beside every result.

    Attributes:
        ddof: Divisor M - ddof of the variance over members; 0 is the paper's.
        estimator: Name of the estimator of uncertainty that is judged; the ensemble's σ unless
            another one of `aiida_enne.estimators` is named.
        estimator_options: Its options by name; `ddof` is that of the audit.
        calibration_domain: Domain whose labels an estimator learns from where it learns from any.
            The samples of this domain are not judged.
        training_domains: Domains that the ensemble was trained on: their largest σ is the
            threshold above which a configuration is flagged.
        zero_force_tolerance: Force components below it in eV/Å, in the reference and in every
            member, are zero by symmetry: they are left out and counted.
        n_subsets: Random subsets of members per size in σ(M).
        n_force_samples: Force components per domain that σ(M) is averaged over.
        n_bootstrap: Resamplings of independent blocks.
        interval_level: Probability of the intervals.
        energy_tolerance: Error of an energy in eV/atom that the user tolerates.
        force_tolerance: Error of a force component in eV/Å that the user tolerates.
        stress_tolerance: Error of a stress component in GPa that the user tolerates; by default
            what general potentials leave on their test sets (mean 0.35 GPa, beside 0.08 eV/Å of
            forces: Deng et al., Nat. Mach. Intell. 5, 1031 (2023)), in the same proportion.
        r_max: Cutoff of the members in Å: configurations with an atom that has no neighbour within
            it are counted; 0 counts none.
        error_bins: Bins of the histogram of force errors.
        parity_bins: Bins per axis of the parity plot of forces.
        cone_bins: Bins per axis of the density of force spreads and errors.
        seed: Seed of every random choice in the audit.

    Raises:
        ValueError: If a value is of the wrong type or out of its range.
    """

    ddof: int = PAPER_DDOF
    estimator: str = DEFAULT
    estimator_options: Mapping[str, Any] = field(default_factory=dict)
    calibration_domain: str = ''
    training_domains: tuple[str, ...] = ()
    zero_force_tolerance: float = 1e-5
    n_subsets: int = 500
    n_force_samples: int = 5000
    n_bootstrap: int = 1000
    interval_level: float = 0.95
    energy_tolerance: float = 0.01
    force_tolerance: float = 0.1
    stress_tolerance: float = 0.5
    r_max: float = 0.0
    error_bins: int = 61
    parity_bins: int = 120
    cone_bins: int = 80
    seed: int = 0

    def __post_init__(self) -> None:
        for item in fields(self):
            _check_type(item.name, getattr(self, item.name), item.default)
        object.__setattr__(self, 'training_domains', tuple(self.training_domains))
        if self.ddof not in (0, 1):
            raise ValueError(f'`ddof` must be 0 or 1, got {self.ddof}')
        if not 0 < self.interval_level < 1:
            raise ValueError(f'`interval_level` must be in (0, 1), got {self.interval_level}')
        for name in ('zero_force_tolerance', 'r_max', 'n_bootstrap', 'seed'):
            if getattr(self, name) < 0:
                raise ValueError(f'`{name}` must not be negative, got {getattr(self, name)}')
        tolerated = (self.energy_tolerance, self.force_tolerance, self.stress_tolerance)
        if not all(0 < one < inf for one in tolerated):
            raise ValueError(
                '`energy_tolerance` (eV/atom), `force_tolerance` (eV/Å) and `stress_tolerance` '
                f'(GPa) must be positive, got {", ".join(map(str, tolerated))}'
            )
        for name in ('n_subsets', 'n_force_samples', 'error_bins', 'parity_bins', 'cone_bins'):
            if getattr(self, name) < 1:
                raise ValueError(f'`{name}` must be positive, got {getattr(self, name)}')
        estimator = self.make_estimator()
        if getattr(estimator, 'mondrian', False):
            raise ValueError(
                '`mondrian` is one quantile for each calibration domain, and an audit learns from '
                'one `calibration_domain`: leave it out (`Conformal` itself takes several domains)'
            )
        if estimator.calibrated == (not self.calibration_domain):
            needs = 'has no use for' if self.calibration_domain else 'needs'
            raise ValueError(f'the estimator {self.estimator!r} {needs} a `calibration_domain`')

    def _options_of(self) -> dict[str, Any]:
        """Return the options of the estimator; the ensemble's σ has the ddof of the audit."""
        own = {'ddof': self.ddof} if self.estimator == DEFAULT else {}
        return own | dict(self.estimator_options)

    def make_estimator(self) -> Estimator:
        """Return the estimator of these choices."""
        return make_estimator(self.estimator, self._options_of())

    def tolerance(self, prefix: str) -> float:
        """Return the tolerated error of 'energy', 'aligned', 'force' or 'stress', in its unit."""
        own = {'force': self.force_tolerance, 'stress': self.stress_tolerance}
        return own.get(prefix, self.energy_tolerance)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AuditOptions:
        """Build options from plain values, e.g. of a file.

        Raises:
            ValueError: If a key is unknown or a value cannot be used.
        """
        refuse_unknown('options of the audit', values, [item.name for item in fields(cls)])
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, fit for `from_dict` and for JSON; optional ones only if chosen."""
        values = asdict(self) | {'training_domains': list(self.training_domains)}
        if self.estimator == DEFAULT:
            for name in ('estimator', 'estimator_options', 'calibration_domain'):
                del values[name]
        if not self.r_max:
            del values['r_max']
        return values


def width_label(parameters: Mapping[str, Any]) -> str:
    """Return how the values of an audit's estimator are called, from its stored choices.

    An estimator whose package is not installed is called by its name.
    """
    known = {item.name for item in fields(AuditOptions)}
    chosen = {name: value for name, value in parameters.items() if name in known}
    try:
        return AuditOptions.from_dict(chosen).make_estimator().label()
    except ValueError:
        return str(parameters.get('estimator'))


def _check_type(name: str, value: Any, default: Any) -> None:
    """Refuse a value of another type than that of the default."""
    if name == 'training_domains':
        if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
            raise ValueError(f'`training_domains` must be a list of labels, got {value!r}')
        return
    kinds: tuple[type, ...] = {float: (int, float), int: (int,), str: (str,)}.get(
        type(default), (Mapping,)
    )
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise ValueError(f'`{name}` must be of type {kinds[-1].__name__}, got {value!r}')
