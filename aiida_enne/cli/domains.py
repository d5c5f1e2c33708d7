"""The table of domains that `import` and `show` print."""

from typing import Any

from aiida_enne.cli.common import table


def domain_table(configurations: Any) -> str:
    """Write one row per domain: what it holds, and numbers that reveal a wrong unit."""
    from aiida_enne.science.importing.summary import summarize_domains

    rows = [
        (
            item.domain,
            item.n_frames,
            item.n_blocks,
            span(*item.n_atoms),
            '-'.join(item.elements),
            f'{item.volume_per_atom:.2f}' if item.volume_per_atom else '–',
            f'{item.energy_per_atom[0]:.4f}',
            f'{item.energy_per_atom[2] - item.energy_per_atom[1]:.4f}',
            f'{item.force_rms:.4f}',
            _stress(item),
        )
        for item in summarize_domains(configurations)
    ]
    headers = ('Domain', 'Frames', 'Blocks', 'Atoms', 'Elements')
    units = ('Å³/atom', 'eV/atom', 'range', 'force RMS', 'stress RMS')
    return table(rows, (*headers, *units))


def _stress(item: Any) -> str:
    """Write the stress in GPa, in which a wrong unit shows, and how many frames have one."""
    from aiida_enne.science.fields import GPA_PER_EV_PER_CUBIC_ANGSTROM

    if not item.n_stress:
        return '–'
    text = f'{item.stress_rms * GPA_PER_EV_PER_CUBIC_ANGSTROM:.3f} GPa'
    return text if item.n_stress == item.n_frames else f'{text} ({item.n_stress} frames)'


def span(low: int, high: int) -> str:
    """Write a range, or one number where both ends agree."""
    return str(low) if low == high else f'{low}-{high}'
