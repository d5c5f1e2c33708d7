"""Can anything be learnt from these configurations? What is degenerate is known before a job."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.data.neighbours import lone_atoms, neighbours_in
from aiida_enne.science.data.splits import PARTS, Split

#: Farthest that a message looks for the nearest neighbour, Å.
FARTHEST = 20.0


@dataclass(frozen=True, slots=True)
class Needs:
    """What a training asks of its data.

    Attributes:
        r_max: Cutoff in Å; None where the parameters do not say it.
        force_scale: What is scaled by the root mean square of forces: 'all' for one scale, 'type'
            for one of each element, '' for none.
        stress: Sections that ask for stresses: 'loss', 'train_metrics', 'val_metrics'.
        stress_gaps: Whether these can leave out configurations without a stress.
        forces: Where they ask for forces; '' where nothing does.
        force_gaps: Whether these can leave out components that a constraint hides.
        elements_known: Whether the model that is trained knows elements from before.
    """

    r_max: float | None = None
    force_scale: str = ''
    stress: tuple[str, ...] = ()
    stress_gaps: bool = True
    forces: str = ''
    force_gaps: bool = True
    elements_known: bool = False


def untrainable(configurations: Configurations, split: Split, needs: Needs) -> str | None:
    """Return why nothing, or nothing sensible, can be learnt; None if it can."""
    if len(split.train) < 2:
        return (
            'the training part holds 1 configuration, 2 or more are needed: a mean and a scale '
            'come from them; give the part `train` a larger share of the split'
        )
    reason = None if needs.elements_known else _unseen(configurations, split)
    trained = configurations.select(split.train)
    return (
        reason
        or _hidden(configurations, split, needs)
        or _forces(trained, needs)
        or _stress(configurations, split, needs)
        or _cutoff(trained, needs)
    )


def doubts(configurations: Configurations, split: Split, needs: Needs) -> list[str]:
    """Return what can be trained, but means little: one sentence each."""
    found = thin_parts(split)
    found += [
        f'{missing} of {total} configurations of the part `{part}` have no stress: `{section}` '
        'leaves them out'
        for section, part, missing, total in _without_stress(configurations, split, needs)
    ]
    if needs.forces:
        for part, indices in split.as_arrays().items():
            known = configurations.select(indices).known_forces
            if not known.all():
                found.append(
                    f'{(~known).sum()} of {known.size} force components of the part `{part}` are '
                    'hidden by a constraint: they are left out'
                )
    if needs.r_max is not None:
        for part, indices in split.as_arrays().items():
            chosen = configurations.select(indices)
            found += [f'part `{part}`: {text}' for text in lone_atoms(chosen, needs.r_max)]
    return found


def thin_parts(split: Split) -> list[str]:
    """Return a sentence on each part that holds one configuration."""
    meaning = {
        'validation': 'which epoch is best hangs on it alone',
        'test': 'its errors are those of one configuration, and no verdict can stand on them',
    }
    return [
        f'the part `{part}` holds 1 configuration (n = 1): {text}'
        for part, text in meaning.items()
        if len(getattr(split, part)) == 1
    ]


def doubts_of_audit(configurations: Configurations, r_max: float | None) -> list[str]:
    """Return what an audit or a prediction of these configurations cannot show.

    Args:
        configurations: Those that are asked about.
        r_max: Cutoff of the model in Å; None where it is not known.
    """
    names, counts = np.unique(configurations.domains, return_counts=True)
    found = [
        f'the domain {name} holds 1 configuration (n = 1): no verdict can stand on it'
        for name in names[counts == 1].tolist()
    ]
    return found + ([] if r_max is None else lone_atoms(configurations, r_max))


def untrained_elements(configurations: Configurations, trained: Collection[str]) -> dict[str, int]:
    """Return the elements that were never trained on, with the configurations that hold each."""
    frame = np.repeat(np.arange(len(configurations)), configurations.n_atoms)
    return {
        element: len(np.unique(frame[configurations.numbers == chemical_symbols.index(element)]))
        for element in configurations.elements
        if element not in trained
    }


def _unseen(configurations: Configurations, split: Split) -> str | None:
    known = set(configurations.select(split.train).elements)
    for part in PARTS[1:]:
        missing = untrained_elements(configurations.select(getattr(split, part)), known)
        for element, count in missing.items():
            some = f'{count} configuration{"" if count == 1 else "s"}'
            return (
                f'no training configuration holds {element}, but {some} of the part '
                f'`{part}` {"does" if count == 1 else "do"}: its weights would stay as they were '
                f'drawn. Move configurations with {element} into the training part, or leave '
                'theirs out of the split'
            )
    return None


def _hidden(configurations: Configurations, split: Split, needs: Needs) -> str | None:
    used = configurations.select(np.concatenate([split.train, split.validation]))
    hidden = int((~used.known_forces).sum())
    if needs.force_gaps or not hidden:
        return None
    return (
        f'{hidden} of {3 * len(used.numbers)} force components of the training and validation '
        'configurations are hidden by a constraint, and not all of the loss and metrics can leave '
        'them out: take those of NequIP, or leave these configurations out of the dataset'
    )


def _forces(trained: Configurations, needs: Needs) -> str | None:
    forces = np.nan_to_num(np.asarray(trained.forces))
    if (needs.forces or needs.force_scale) and not forces.any():
        used = 'the scale of the model is their root mean square' if needs.force_scale else ''
        used = used or f'`{needs.forces}` asks for them'
        return (
            f'all forces of the {len(trained)} training configurations are zero, and {used}: add '
            'configurations off equilibrium, or check the forces of the dataset'
        )
    if needs.force_scale == 'type':
        for number in np.unique(trained.numbers):
            if not forces[trained.numbers == number].any():
                return (
                    f'all forces on {chemical_symbols[number]} are zero in the training '
                    'configurations, and its scale is their root mean square: add configurations '
                    'off equilibrium, or scale by `forces_rms` of all elements'
                )
    return None


def _stress(configurations: Configurations, split: Split, needs: Needs) -> str | None:
    for section, part, missing, total in _without_stress(configurations, split, needs):
        if missing == total or not needs.stress_gaps:
            count = f'all {total}' if missing == total else f'{missing} of the {total}'
            return (
                f'`{section}` asks for stresses, which {count} configurations of the part '
                f'`{part}` lack: leave these out of the dataset, or take a loss and metrics '
                'without stress' + ('' if needs.stress_gaps else ', or NequIP’s own with one')
            )
    return None


def _without_stress(
    configurations: Configurations, split: Split, needs: Needs
) -> Iterator[tuple[str, str, int, int]]:
    """Yield sections that ask for stresses, the part, how many it lacks, and of how many."""
    lack = lacks_stress(configurations)
    for section in needs.stress:
        part = 'validation' if section == 'val_metrics' else 'train'
        chosen = lack[getattr(split, part)]
        if chosen.any():
            yield section, part, int(chosen.sum()), len(chosen)


def lacks_stress(configurations: Configurations) -> NDArray[np.bool_]:
    """Return which configurations have no stress, shape (n,)."""
    if configurations.stresses is None:
        return np.ones(len(configurations), dtype=bool)
    gaps: NDArray[np.bool_] = np.any(np.isnan(configurations.stresses), axis=(1, 2))
    return gaps


def _cutoff(trained: Configurations, needs: Needs) -> str | None:
    if needs.r_max is None or (trained.n_atoms.max() == 1 and not trained.pbc.any()):
        return None
    if any(len(neighbours_in('d', trained, index, needs.r_max)) for index in range(len(trained))):
        return None
    cutoff = needs.r_max
    while cutoff < FARTHEST:
        cutoff = min(2 * cutoff, FARTHEST)
        found = [d for i in range(len(trained)) if len(d := neighbours_in('d', trained, i, cutoff))]
        if found:
            nearest = min(float(one.min()) for one in found)
            return (
                f'the cutoff `r_max` of {needs.r_max:g} Å is shorter than the nearest distance in '
                f'the training configurations, {nearest:.4g} Å: no atom has a neighbour; take a '
                'larger `r_max`, or check the unit of lengths'
            )
    return (
        f'no two atoms of the training configurations are closer than {FARTHEST:g} Å, the cutoff '
        f'`r_max` is {needs.r_max:g} Å: no atom has a neighbour; check the unit of lengths'
    )
