"""What the probe of a Python says, judged: what is missing there and how to mend it."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

SCRIPT, RESULT = 'probe.py', 'probe.json'
#: What a job of a study leaves behind grows to some gigabytes.
ENOUGH, LITTLE = 20e9, 2e9


class Verdict(NamedTuple):
    """Level `OK`, `WARN` or `FAIL`, what was looked at, what was seen, and the remedy.

    `mend` carries the remedy out, where a program may decide that.
    """

    level: str
    subject: str
    message: str
    remedy: str = ''
    mend: Callable[[], Any] | None = None


def read_probe(text: str) -> dict[str, Any]:
    """Read what the script wrote.

    Raises:
        ValueError: If it is cut off or is something else.
    """
    try:
        report = dict(json.loads(text))
        report['packages'].items(), report['cuda']['devices'], float(report['free_bytes'])
        report['python'], report['executable'], report['host']
    except (ValueError, KeyError, TypeError, AttributeError) as exception:
        raise ValueError(f'the probe left no complete result: {exception!r}') from exception
    return report


def judge(
    report: Mapping[str, Any], local: Mapping[str, str], *, gpus: int, where: str
) -> Iterator[Verdict]:
    """Judge the Python of a computer.

    Args:
        report: What the probe said.
        local: Versions of the packages here, which the other ones are held against.
        gpus: GPUs that a job is given.
        where: `in a job` or `on the login node`.
    """
    yield Verdict(
        'OK', 'python', f'{report["python"]} at {report["executable"]} on {report["host"]}'
    )
    python = report['executable']
    for name, found in report['packages'].items():
        yield judge_package(name, found, local.get(name), python)
    yield judge_gpus(report, gpus, where)
    yield judge_disk(float(report['free_bytes']), where)
    if not report.get('compiler'):
        yield Verdict(
            'WARN', 'compiler', f'no C++ compiler {where}', 'predictions run uncompiled: load gcc'
        )


def judge_package(name: str, found: Mapping[str, Any], here: str | None, python: str) -> Verdict:
    """Judge one package: there, importable, and of the version that is here."""
    wanted = f'{name}=={here.split("+")[0]}' if here else name
    install = f'`{python} -m pip install {wanted}`'
    if found['version'] is None:
        return Verdict('FAIL', name, 'it is not installed', install)
    if found['error']:
        remedy = f'`{python} -c "import {name}"` shows all of it; modules missing?'
        return Verdict('FAIL', name, f'{found["version"]} fails: {found["error"]}', remedy)
    there = found['version']
    if here is None or series(there) == series(here):
        return Verdict('OK', name, there)
    text = f'{there} there, {here} here'
    # checkpoints of another series of NequIP cannot be read; the others differ in rounding
    return Verdict('FAIL' if name == 'nequip' else 'WARN', name, text, install)


def judge_gpus(report: Mapping[str, Any], gpus: int, where: str) -> Verdict:
    """Judge what torch sees of the GPUs that were asked for."""
    cuda = report['cuda']
    seen = len(cuda['devices'])
    if not gpus:
        return Verdict('OK', 'GPU', f'none asked for, {seen} seen {where}')
    if seen >= gpus:
        mps = 'MPS there' if report.get('mps') else 'no MPS, members take turns'
        return Verdict('OK', 'GPU', f'{seen} seen {where}: {", ".join(cuda["devices"])}; {mps}')
    given = f'CUDA_VISIBLE_DEVICES is {report.get("visible")!r}'
    asked = f'{gpus} asked for, torch sees {seen} {where}'
    if where != 'in a job':
        return Verdict('WARN', 'GPU', asked, 'login nodes often have none: look in a job, `--job`')
    if cuda['built'] is None:
        return Verdict(
            'FAIL',
            'GPU',
            f'{asked}: this torch is built without CUDA; {given}',
            'install one from https://pytorch.org with CUDA',
        )
    return Verdict(
        'FAIL', 'GPU', f'{asked}; {given} {cuda["error"]}', 'is `gpus.directive` right? driver?'
    )


def judge_disk(free: float, where: str) -> Verdict:
    """Judge the space where the jobs work."""
    text = f'{free / 1e9:.1f} GB free in the scratch folder {where}'
    if free < LITTLE:
        return Verdict('FAIL', 'disk', text, 'delete old job folders: `verdi calcjob cleanworkdir`')
    return Verdict('OK' if free >= ENOUGH else 'WARN', 'disk', text)


def series(version: str) -> tuple[str, ...]:
    """Return the first two numbers of a version."""
    return tuple(version.split('+', maxsplit=1)[0].split('.')[:2])
