"""The tasks that the script knows, their options and the values these have by default."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[str, Any], Any]


def complete_task(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task with every option given.

    Args:
        task: `kind` is `label`, `md` or `relax`, the rest are options of that kind:

            md: `stages`, each with `thermostat` (langevin, nose_hoover_chain, npt, nve),
            `temperature` in K or [from, to] for a ramp, `steps`, `timestep` in fs, `record_every`
            (steps between two recorded frames, 0 for none), `domain` (label of the frames,
            `{domain}` stands for the configuration's own), `friction` in 1/ps (langevin, npt),
            `damping` in fs (nose_hoover_chain), `pressure` in GPa, `pressure_damping` in fs and
            `compressibility` in 1/GPa (npt); `max_temperature` in K, above which a trajectory is
            ended; `fixed`; `sigma`, where the calculator is an ensemble: `every` so many steps (1)
            σ of the energy per atom and the largest σ of a force component are looked at, frames
            with one above `energy` (eV/atom) or `force` (eV/Å) are recorded, and `then` the
            trajectory goes on (keep) or ends (stop). Recorded frames hold both.

            relax: `cell` (fixed, shape at constant volume, or free), `symmetry` (kept or not),
            `symprec` in Å, `fmax` in eV/Å, `max_steps`, `optimizer` of ASE; `fixed`.

            `fixed` lists, for every configuration, the indices of the atoms that do not move.

    Raises:
        ValueError: If an option is unknown, missing or out of its range.
    """
    kinds = {'label': _label, 'md': _md, 'relax': _relax}
    kind = _one_of(*kinds)('kind', task.get('kind'))
    return {'kind': kind} | kinds[kind]({k: v for k, v in task.items() if k != 'kind'})


def _label(options: Mapping[str, Any]) -> dict[str, Any]:
    return _complete('task', options, {}, {})


def _relax(options: Mapping[str, Any]) -> dict[str, Any]:
    checks = {
        'cell': _one_of('fixed', 'shape', 'free'),
        'symmetry': _flag,
        'symprec': _positive,
        'fmax': _positive,
        'max_steps': _count(1),
        'optimizer': _one_of('BFGS', 'LBFGS', 'FIRE', 'BFGSLineSearch'),
        'fixed': _lists,
    }
    defaults = {
        'cell': 'fixed',
        'symmetry': False,
        'symprec': 0.01,
        'fmax': 0.01,
        'max_steps': 500,
        'optimizer': 'BFGS',
        'fixed': [],
    }
    task = _complete('task', options, checks, defaults)
    if task['fixed'] and (task['symmetry'] or task['cell'] != 'fixed'):
        raise ValueError('`fixed` atoms go neither with `symmetry` nor with a cell that relaxes')
    return task


def _md(options: Mapping[str, Any]) -> dict[str, Any]:
    stages = options.get('stages')
    if not isinstance(stages, list | tuple) or not stages:
        raise ValueError(f'`stages` must be a list of one stage or more, got {stages!r}')
    done: list[dict[str, Any]] = []
    for index, stage in enumerate(stages):
        if not isinstance(stage, Mapping):
            raise ValueError(f'stage {index} must be a mapping, got {stage!r}')
        done.append(_stage(f'stage {index}', stage, done[-1] if done else None))
    hottest = max(max(stage['temperature']) for stage in done)
    checks = {
        'stages': _as_given,
        'max_temperature': _positive,
        'fixed': _lists,
        'sigma': _sigma,
    }
    defaults = {'max_temperature': 10 * max(hottest, 1000.0), 'fixed': [], 'sigma': None}
    task = _complete('task', options, checks, defaults)
    if task['sigma'] is None:  # a task of any other calculator is what it always was
        del task['sigma']
    if task['fixed'] and any(stage['thermostat'] == 'npt' for stage in done):
        raise ValueError('`fixed` atoms do not go with the thermostat npt')
    return task | {'stages': done}


def _sigma(name: str, given: Any) -> dict[str, Any] | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise ValueError(f'`{name}` must be a mapping, got {given!r}')
    checks = {
        'every': _count(1),
        'energy': _threshold,
        'force': _threshold,
        'then': _one_of('keep', 'stop'),
    }
    defaults = {'every': 1, 'energy': 0.0, 'force': 0.0, 'then': 'keep'}
    sigma = _complete(name, given, checks, defaults)
    if sigma['then'] == 'stop' and not (sigma['energy'] or sigma['force']):
        raise ValueError(
            f'`{name}`: a trajectory that stops needs a threshold: `energy` or `force`'
        )
    return sigma


def _threshold(name: str, value: Any) -> float:
    if _finite(name, value) < 0:
        raise ValueError(f'`{name}` must be above zero, or 0 for no threshold; got {value!r}')
    return float(value)


def _stage(name: str, stage: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    everyone = ('langevin', 'nose_hoover_chain', 'npt', 'nve')
    table: dict[str, tuple[Check, tuple[str, ...]]] = {
        'thermostat': (_one_of(*everyone), everyone),
        'temperature': (_temperature, everyone),
        'steps': (_count(1), everyone),
        'timestep': (_positive, everyone),
        'record_every': (_count(0), everyone),
        'domain': (_text, everyone),
        'friction': (_positive, ('langevin', 'npt')),
        'damping': (_positive, ('nose_hoover_chain',)),
        'pressure': (_finite, ('npt',)),
        'pressure_damping': (_positive, ('npt',)),
        'compressibility': (_positive, ('npt',)),
    }
    thermostat = _one_of(*everyone)(f'{name}: thermostat', stage.get('thermostat'))
    timestep = _positive(f'{name}: timestep', stage.get('timestep', 1.0))
    defaults = {
        'timestep': 1.0,
        'record_every': 0,
        'domain': '{domain}',
        'friction': 10.0,
        'damping': 100 * timestep,
        'pressure': 0.0,
        'pressure_damping': 1000 * timestep,
        'compressibility': 0.01,
    }
    if thermostat == 'nve' and before is not None:
        defaults['temperature'] = before['temperature'][1]
    checks = {key: check for key, (check, who) in table.items() if thermostat in who}
    done = _complete(name, stage, checks, {k: v for k, v in defaults.items() if k in checks})
    first, last = done['temperature']
    if thermostat == 'nve' and first != last:
        raise ValueError(f'{name}: nve has no thermostat to ramp from {first} to {last} K')
    if thermostat == 'nose_hoover_chain' and min(first, last) == 0:
        raise ValueError(f'{name}: nose_hoover_chain needs temperatures above 0 K')
    return done


def _complete(
    name: str, given: Mapping[str, Any], checks: Mapping[str, Check], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Check the given options by name and add those that are not given."""
    if unknown := sorted(set(given) - set(checks)):
        expected = ', '.join(checks) or 'no options'
        raise ValueError(f'{name}: unknown {", ".join(unknown)}; expected {expected}')
    if missing := sorted(set(checks) - set(given) - set(defaults)):
        raise ValueError(f'{name}: {", ".join(missing)} must be given')
    values = {**defaults, **given}
    return {key: check(f'{name}: {key}', values[key]) for key, check in checks.items()}


def _as_given(name: str, value: Any) -> Any:
    return value


def _one_of(*choices: str) -> Check:
    def check(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f'`{name}` must be one of {", ".join(choices)}; got {value!r}')
        return value

    return check


def _count(minimum: int) -> Check:
    def check(name: str, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
            raise ValueError(f'`{name}` must be a whole number from {minimum}, got {value!r}')
        return value

    return check


def _finite(name: str, value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise ValueError(f'`{name}` must be a finite number, got {value!r}')
    return float(value)


def _positive(name: str, value: Any) -> float:
    if _finite(name, value) <= 0:
        raise ValueError(f'`{name}` must be above zero, got {value!r}')
    return float(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f'`{name}` must be true or false, got {value!r}')
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f'`{name}` must be a text, got {value!r}')
    return value


def _temperature(name: str, value: Any) -> list[float]:
    pair = list(value) if isinstance(value, list | tuple) else [value, value]
    if len(pair) != 2:
        raise ValueError(f'`{name}` must be a number in K or [from, to], got {value!r}')
    ends = [_finite(name, end) for end in pair]
    if min(ends) < 0:
        raise ValueError(f'`{name}` must not be below 0 K, got {value!r}')
    return ends


def _lists(name: str, value: Any) -> list[list[int]]:
    if not isinstance(value, list | tuple):
        raise ValueError(f'`{name}` must be a list of atoms for every configuration, got {value!r}')
    for atoms in value:
        if not isinstance(atoms, list | tuple):
            raise ValueError(f'`{name}` must hold a list for every configuration, got {atoms!r}')
        for atom in atoms:
            _count(0)(name, atom)
    return [list(atoms) for atoms in value]
