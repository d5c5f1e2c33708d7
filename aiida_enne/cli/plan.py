"""What a builder would run, and what that would cost: the answer to `--dry-run`."""

from collections.abc import Iterator, Mapping, Sequence
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


def cost_table(parts: Sequence[Any]) -> str:
    """Lay out jobs and cost of every part, and their sum."""
    from aiida_enne.science.plans.costs import total

    rows = [
        (
            part.name,
            part.jobs,
            f'{part.core_hours:.2f}',
            f'{part.gpu_hours:.1f}',
            f'{part.megabytes:.0f}',
        )
        for part in (*parts, total(parts))
    ]
    return table(rows, ('Part', 'Jobs', 'Core hours', 'GPU hours', 'MB'))


def describe_costs(parts: Sequence[Any], assumptions: Any) -> str:
    """Return the table of costs with what all of it rests on."""
    lines = [cost_table(parts), '', *(f'{one.name}: {one.note}' for one in parts if one.note)]
    lines.append('Assumptions:')
    lines += [f'  {name}: {value}' for name, value in asdict(assumptions).items()]
    lines.append('  epochs: as many as are allowed; nothing is known already, nothing fails')
    return '\n'.join(lines) + '\n'
