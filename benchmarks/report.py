"""What the figures of a report cost in CPU time: laid out once, and laid out for every file.

AIIDA_PATH=demo python benchmarks/report.py [PK]
"""

import io
import sys
import time

from aiida import load_profile

from aiida_enne.provenance import latest_audited
from aiida_enne.report.collect import collect
from aiida_enne.science.figures import new_axes
from aiida_enne.science.figures.style import save, settle


def write(report, *, once: bool) -> float:
    """Draw every figure as PNG and SVG and return the CPU seconds."""
    start = time.process_time()
    for form in report.forms:
        axes = form.figure.draw(axes=new_axes(*form.figure.size), **form.result.content)
        if once:
            settle(axes)
        for kind in ('png', 'svg'):
            save(axes, io.BytesIO(), kind)
    return time.process_time() - start


def main(identifier: str | None = None) -> None:
    """Print CPU seconds of gathering and of drawing, and the ratio of the two ways to draw."""
    load_profile()
    start = time.process_time()
    report = collect(identifier or latest_audited())
    print(f'gathering: {time.process_time() - start:.1f} CPU s')
    write(report, once=True)  # fonts are found once
    each, once = write(report, once=False), write(report, once=True)
    print(f'{len(report.forms)} figures, PNG and SVG: {each:.1f} CPU s laid out for every file,')
    print(f'{once:.1f} CPU s laid out once: {each / once:.1f} times less')


if __name__ == '__main__':
    main(*sys.argv[1:])
