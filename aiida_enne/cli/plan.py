"""What a builder would run, and what that would cost: the answer to `--dry-run`."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from aiida_enne.aiida_private import inputs_of
from aiida_enne.cli.common import table


def describe(builder: Any) -> str:
    """Say which process would run, with which inputs, on which computer."""
    lines = [f'Would run {builder.process_class.__name__} with']
    lines += [f'  {name}: {text}' for name, text in _flat(inputs_of(builder))]
    return '\n'.join(lines)


def _flat(inputs: Mapping[str, Any], prefix: str = '') -> Iterator[tuple[str, str]]:
    for name, value in sorted(inputs.items()):
        path = f'{prefix}{name}'
        if isinstance(value, Mapping):
            yield from _flat(value, f'{path}.')
        else:
            yield path, _text(value)


def _text(value: Any) -> str:
    """Write a node or plain value in one line of moderate length."""
    from aiida import orm

    from aiida_enne.calculations.ports import plain

    if isinstance(value, orm.AbstractCode):
        return value.full_label
    text = str(plain(value))
    if isinstance(value, orm.Node) and plain(value) is value:
        text = f'{type(value).__name__} <{value.uuid if value.is_stored else "not stored"}>'
    return text if len(text) <= 160 else text[:157] + '...'


def cost_table(plan: Any) -> str:
    """Lay out jobs and cost of every part, their sum, the time it takes and what dominates it."""
    from aiida_enne.cli.ledger import duration

    rows = [
        (
            part.name,
            part.jobs,
            f'{part.core_hours:.2f}',
            f'{part.gpu_hours:.1f}',
            f'{part.megabytes:.0f}',
        )
        for part in (*plan.parts, plan.whole)
    ]
    lines = [table(rows, ('Part', 'Jobs', 'Core hours', 'GPU hours', 'MB')), '']
    cores = f'{plan.cores} core{"" if plan.cores == 1 else "s"}'
    if plan.seconds is None and plan.slowest is None:
        lines.append('Elapsed: not known, nothing limits the jobs at a time (`max_concurrent`)')
    elif plan.seconds is None:
        part, slots, seconds = plan.slowest
        lines.append(
            f'Elapsed: at least {duration(seconds)}, of {part.name}, {slots} jobs at a time; '
            'nothing limits all of them (`max_concurrent`)'
        )
    else:
        lines.append(
            f'Elapsed: {duration(plan.seconds)} if {plan.slots} jobs at a time have {cores} each, '
            'and nothing queues'
        )
    most, whole = plan.dearest, plan.whole
    unit = 'GPU hours' if most.gpu_hours > most.core_hours else 'core hours'
    share = [one.gpu_hours if unit == 'GPU hours' else one.core_hours for one in (most, whole)]
    lines.append(f'Most of it: {most.name}, {share[0]:.2g} of {share[1]:.2g} {unit}')
    return '\n'.join(lines)


def describe_costs(plan: Any) -> str:
    """Return the table of costs with what all of it rests on."""
    notes = [f'{one.name}: {one.note}' for one in plan.parts if one.note]
    lines = [cost_table(plan), '', *notes, 'Assumptions:']
    assumed = asdict(plan.assumptions)
    lines += [f'  labels of {kind}: {price}' for kind, price in plan.prices.items()]
    lines += [f'  {name}: {value}' for name, value in assumed.items() if name not in plan.unused]
    lines.append('  epochs: as many as are allowed; nothing is known already, nothing fails')
    return '\n'.join(lines) + '\n'
