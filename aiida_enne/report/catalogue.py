"""Which figures a report has, what each is called and says, and how it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes

from aiida_enne.report.collect import Section, Study
from aiida_enne.science import figures


@dataclass(frozen=True, slots=True)
class Entry:
    """One figure: file name, caption, function that draws on axes, and size in inches."""

    name: str
    caption: str
    draw: Callable[[Axes], Axes]
    size: tuple[float, float] = (6.4, 4.2)


def of_section(section: Section, *, brief: bool = False) -> Iterator[Entry]:
    """Yield the figures of one dataset, in the order in which they are read.

    Args:
        section: The audit of one dataset.
        brief: Leave out all but the comparisons by domain.
    """
    audit = section.audit
    rows = 1.6 + 0.34 * len(audit.domains)
    aligned = 'aligned_spread' in audit.arrays
    prefixes = ('energy', 'aligned', 'force') if aligned else ('energy', 'force')
    yield Entry(
        'error_and_spread',
        'What the ensemble errs (filled, with its block-bootstrap interval) and what it believes '
        'to err (open), domain by domain: energies per atom, raw.',
        partial(figures.draw_error_and_spread, audit, prefix='energy'),
        (6.4, rows),
    )
    yield Entry(
        'error_and_spread_force',
        'The same for force components.',
        partial(figures.draw_error_and_spread, audit, prefix='force'),
        (6.4, rows),
    )
    yield Entry(
        'coverage',
        'Share of samples whose error lies within one spread. The dashed line is what an ensemble '
        'of this size scores if the truth is exchangeable with its members.',
        partial(figures.draw_coverage, audit, prefixes=prefixes),
        (6.4, rows),
    )
    if not brief:
        yield from _in_detail(section, aligned, rows)


def _in_detail(section: Section, aligned: bool, rows: float) -> Iterator[Entry]:
    audit = section.audit
    yield Entry(
        'F2_force_parity',
        'Force components, mean of the ensemble over reference, all domains.',
        partial(figures.draw_force_parity, audit),
        (5.4, 4.4),
    )
    yield Entry(
        'F3_force_errors',
        'Density of the force errors by domain, each over the Gaussian of equal variance.',
        partial(figures.draw_force_errors, audit),
        (7.4, 4.2),
    )
    if figures.volume_scans(audit):
        yield from _volumes(section, aligned)
    yield Entry(
        'F7_cone',
        'Error over spread of the energy of every configuration, raw; in the shaded cone the '
        'ensemble would be honest.',
        partial(figures.draw_cone, audit),
        (7.4, 4.4),
    )
    if aligned:
        zero = audit.parameters['aligned_domain']
        yield Entry(
            'F7_cone_aligned',
            f'The same with the zero of energy of {zero} taken off, the reference and every '
            'member each with its own.',
            partial(figures.draw_cone, audit, aligned=True),
            (7.4, 4.4),
        )
    yield Entry(
        'force_cone',
        'Error over spread of all force components, as a density.',
        partial(figures.draw_force_cone, audit),
        (5.8, 4.4),
    )
    for prefix, noun in (('energy', 'energies per atom'), ('force', 'force components')):
        yield Entry(
            f'S3_spread_by_size_{prefix}',
            f'Spread of {noun} over the number of members, averaged over random subsets, beside '
            'that of independent members.',
            partial(figures.draw_spread_by_size, audit, prefix=prefix),
            (7.4, 4.2),
        )
        yield Entry(
            f'S10_member_correlations_{prefix}',
            f"Correlation of the members' errors, {noun}: every pair, centred and not.",
            partial(figures.draw_member_correlations, audit, prefix=prefix),
            (6.4, rows),
        )


def of_training(study: Study) -> Entry:
    """Return the figure of the training histories."""
    return Entry(
        'training',
        'Force MAE on the validation part after every epoch, one line per member.',
        partial(figures.draw_training, study.histories),
        (6.8, 4.2),
    )


def _volumes(section: Section, aligned: bool) -> Iterator[Entry]:
    kinds = [('F4_energy_volume', False)] + [('F4_energy_volume_aligned', True)] * aligned
    for name, own_zero in kinds:
        zero = 'each with its own zero' if own_zero else 'with one common zero'
        yield Entry(
            name,
            f'Energy over volume, {zero}: mean and spread of the ensemble beside the reference.',
            partial(figures.draw_energy_volume, section.audit, aligned=own_zero),
            (7.4, 4.6),
        )
