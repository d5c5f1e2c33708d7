"""σ along dynamics of `launch explore`, beside the threshold of what was trained on."""

from __future__ import annotations

from aiida_enne.provenance import Material, Missing
from aiida_enne.provenance.explorations import SIGMA, find_explorations, trajectories
from aiida_enne.report.figures import Figure, Result
from aiida_enne.science import figures


def build_exploration(material: Material, *, of: str) -> Result:
    """Return all trajectories on the mean of the ensemble, and the largest σ trained on.

    Raises:
        Missing: If nothing was run.
    """
    if of not in SIGMA:
        raise ValueError(f'`of` must be one of {list(SIGMA)}, got {of!r}')
    known = explored(material, of)
    sources = {f'dataset.{number}': uuid for number, uuid in enumerate(known, 1)}
    found = [one for several in known.values() for one in several]
    if not found:
        raise Missing('there are no dynamics on the mean of this ensemble: `launch explore`')
    threshold = training_threshold(material, of)
    content = {'trajectories': found, 'of': of, 'threshold': threshold}
    unit, factor = figures.style.UNITS[of]
    largest = factor * max(float(one.spread.max()) for one in found)
    measured = f'largest σ {largest:.3g} {unit}'
    if threshold is not None:
        above = sum(bool((one.spread > threshold).any()) for one in found)
        measured += f'; {above} of {len(found)} trajectories go above what was trained on'
    return Result(content, measured, sources, figures.style.NOUNS[of])


def explored(material: Material, of: str) -> dict[str, list[figures.Explored]]:
    """Return all trajectories that have a σ, by the UUID of their dataset."""

    def read() -> dict[str, list[figures.Explored]]:
        uuids = find_explorations(material.record.ensemble)
        known = {uuid: trajectories(uuid, of) for uuid in uuids}
        return {uuid: found for uuid, found in known.items() if found}

    return material.once(('explored', of), read)


def training_threshold(material: Material, of: str) -> float | None:
    """Return the largest σ of the training domains in all audits; None where none knows them."""
    key = f'{of}_spread_threshold'
    values = [
        float(value)
        for label in material.audits()
        for scalars in material.audit(label).domains.values()
        if (value := scalars.get(key)) is not None
    ]
    return max(values, default=None)


def exploration_forms(material: Material) -> list[dict[str, str]]:
    """Return the quantities of which there is a σ along dynamics; relaxations have none."""
    return [{'of': of} for of in SIGMA if explored(material, of)]


FIGURES = (
    Figure(
        'exploration',
        'σ along dynamics',
        'σ of the recorded frames of dynamics on the mean of the ensemble; above the dashed line '
        'lies what the ensemble was not trained on.',
        build_exploration,
        figures.draw_exploration,
        'enne.sample',
        options={'of': 'energy'},
        forms=exploration_forms,
        size=(8.0, 4.2),
        topic='Dynamics with σ',
    ),
)
