"""The contract of a selector as checks, for the tests of any package that registers one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aiida_enne.science.contracts import ContractError, require
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.selection import Candidates, Chosen, Selector, make_selector

__all__ = ['ContractError', 'check_selector', 'make_candidates']


def make_candidates(seed: int = 0, *, n: int = 24, n_members: int = 4) -> Candidates:
    """Return n made-up dimers of which σ grows with their number, with features and predictions."""
    rng = np.random.default_rng(seed)
    scale = 0.1 + np.arange(n) / n
    configurations = Configurations(
        n_atoms=np.full(n, 2),
        numbers=np.full(2 * n, 14),
        positions=rng.uniform(0, 8, (2 * n, 3)),
        cells=np.tile(8.0 * np.eye(3), (n, 1, 1)),
        pbc=np.ones((n, 3), dtype=bool),
        domains=np.array(['dimer'] * n),
        blocks=np.arange(n),
    )
    return Candidates(
        configurations,
        energies=scale * rng.normal(size=(n_members, n)),
        forces=np.repeat(scale, 2)[None, :, None] * rng.normal(size=(n_members, 2 * n, 3)),
        features=rng.normal(size=(n, 5)),
        trained=rng.normal(size=(6, 5)),
    )


def check_selector(given: Mapping[str, Any]) -> Selector:
    """Check everything that a selector defines and returns, and return it.

    Args:
        given: Its plain values, see `make_selector`.

    Raises:
        ContractError: If something is missing, of another shape, or breaks a law.
        ValueError: If there is no such selector.
    """
    name, selector = given['kind'], make_selector(given)
    require(isinstance(selector, Selector), f'{name} lacks members of `interface.Selector`')
    require(selector.name == name, f'{name} calls itself {selector.name!r}')
    require(set(selector.needs) <= {'members', 'features'}, f'{name} needs {selector.needs}')
    for count in (1, 7, 1000):
        candidates = make_candidates()
        chosen = selector.choose(candidates, count, np.random.default_rng(3))
        _check_choice(name, chosen, len(candidates), count)
        again = selector.choose(make_candidates(), count, np.random.default_rng(3))
        same = np.array_equal(again.indices, chosen.indices)
        require(same, f'{name}: one generator must give one choice')
    fewer = selector.choose(make_candidates().select([4]), 7, np.random.default_rng(3))
    _check_choice(name, fewer, 1, 7)
    return selector


def _check_choice(name: str, chosen: Chosen, n: int, count: int) -> None:
    indices = chosen.indices.tolist()
    require(len(indices) <= min(n, count), f'{name} chose {len(indices)} of {n}, asked for {count}')
    require(len(set(indices)) == len(indices), f'{name} chose a candidate twice')
    require(all(0 <= one < n for one in indices), f'{name} chose what is not there: {indices}')
    require(not set(indices) & set(chosen.left), f'{name} chose what it left')
    require(len(indices) + len(chosen.left) >= min(n, count), f'{name} left without a reason')
    shape = None if chosen.values is None else chosen.values.shape
    require(shape in (None, (n,)), f'{name}: values of shape {shape}, expected {(n,)}')
