"""What the convergence of a reference costs: a few frames of each part, by every setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ase import Atoms

from aiida_enne.science.data.frames import to_atoms
from aiida_enne.science.plans.costs import Assumptions, Part, Work, engine_part, total
from aiida_enne.science.plans.engine_work import Prices, defects, melt_like, phases, surfaces
from aiida_enne.science.plans.melts import Series
from aiida_enne.science.plans.samples import Sample

#: Of the plan of a study.
NAME = 'convergence'
_RELAXED = {'eos': phases, 'defect': defects, 'surface': surfaces}
#: Structures do not depend on what they cost.
_ANY = Assumptions(1.0, 1.0, 1.0)


def examples(part: str, inputs: Mapping[str, Any]) -> dict[str, Atoms]:
    """Return one structure like those of each domain that a part of a study labels.

    Args:
        part: `liquid`, `sample`, `eos`, `defect` or `surface`.
        inputs: Of the part, plain values.

    Raises:
        ValueError: If an input cannot be used.
    """
    if part == 'liquid':
        planned = Series.of(inputs).trajectories().values()
        return {one.liquid.label: melt_like(inputs, one.density) for one in planned}
    if part == 'sample':
        every = [Sample.of(name, one).expected() for name, one in inputs['samples'].items()]
        return {atoms.info['domain']: atoms for one in every for atoms in to_atoms(one)}
    works = _RELAXED[part]({part: inputs}, _ANY)
    return {kind.label: some[0].example for kind, some in works.items() if some[0].example}


def convergence_part(study: Mapping[str, Any], prices: Prices) -> list[Part]:
    """Return the cost of all settings of all parts; nothing where none is asked for.

    Args:
        study: Inputs of `StudyWorkChain` as plain values.
        prices: Of the engine, that of a setting under `convergence.<part>.<setting>`.

    Raises:
        ValueError: If an input cannot be used.
    """
    found = []
    for part, given in study.get(NAME, {}).items():
        known = examples(part, study[part])
        chosen = [known[name] for name in given.get('domains', known)]
        n = given['per_domain']
        works = [Work(len(atoms), n, n, atoms, n) for atoms in chosen]
        for name in given['settings']:
            price = prices.of.get(f'{NAME}.{part}.{name}')
            one = engine_part('', works, prices.labels, price=price)
            found.append(one if price else replace(one, jobs=1))
    return [total(found, NAME)] if found else []
