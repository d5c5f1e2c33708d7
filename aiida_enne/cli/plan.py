"""What a builder would run: the answer to `--dry-run`."""

from collections.abc import Iterator, Mapping
from typing import Any


def describe(builder: Any) -> str:
    """Say which process would run, with which inputs, on which computer."""
    lines = [f'Would run {builder.process_class.__name__} with']
    lines += [f'  {name}: {text}' for name, text in _flat(builder._inputs(prune=True))]
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

    if isinstance(value, orm.AbstractCode):
        return value.full_label
    if isinstance(value, orm.Dict | orm.List):
        text = str(value.get_dict() if isinstance(value, orm.Dict) else value.get_list())
    elif isinstance(value, orm.BaseType):
        text = str(value.value)
    elif isinstance(value, orm.Node):
        text = f'{type(value).__name__} <{value.uuid if value.is_stored else "not stored"}>'
    else:
        text = str(value)
    return text if len(text) <= 160 else text[:157] + '...'
