"""What describes an input of a process, and checks of single inputs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from aiida import orm
from aiida.common.exceptions import EntryPointError

#: What a validator of AiiDA is: of a value and its port; returns why the value cannot be used.
Validator = Callable[[Any, Any], str | None]
#: Nodes that a plain value may stand for.
PLAIN = (orm.Dict, orm.List, orm.BaseType)


def port(
    kind: Any, validator: Validator | None = None, *, default: Any = None, required: bool = True
) -> dict[str, Any]:
    """Return what describes an input: a node, or an option of the job that no node keeps.

    Args:
        kind: Type of node, for which a plain value may stand; or types of Python for an option.
        validator: Says why a value cannot be used.
        default: Plain value where none is given; without one it is required.
        required: Whether it must be given, where there is no default.
    """
    words: dict[str, Any] = {'valid_type': kind, 'required': required, 'validator': validator}
    is_node = isinstance(kind, type) and issubclass(kind, orm.Data)
    if not is_node:
        words['is_metadata'] = True
    elif issubclass(kind, PLAIN):
        words['serializer'] = orm.to_aiida_type
    if default is not None:
        words['default'] = (lambda: kind(default)) if is_node else default
    return words


def plain(inputs: Any) -> Any:
    """Return inputs as plain values; nodes that hold none are left as they are."""
    if isinstance(inputs, orm.Dict | orm.List):
        return inputs.get_dict() if isinstance(inputs, orm.Dict) else inputs.get_list()
    if isinstance(inputs, orm.BaseType):
        return inputs.value
    if isinstance(inputs, Mapping):
        return {name: plain(value) for name, value in inputs.items()}
    return inputs


def validator_of(check: Callable[[Any], Any]) -> Validator:
    """Return a validator that says what a check of the plain value raises."""

    def validate(value: Any, _: Any) -> str | None:
        try:
            if value is not None:
                check(plain(value))
        except (ValueError, EntryPointError) as exception:
            return str(exception)
        return None

    return validate


def one_of(name: str, known: Collection[str]) -> Validator:
    """Return a validator of a word, where one is given at all."""

    def validate(value: Any, _: Any) -> str | None:
        word = plain(value)
        if word is None or word in known:
            return None
        return f'`{name}` must be one of {tuple(known)}, got {word!r}'

    return validate


def at_least(least: int) -> Validator:
    """Return a validator of a number, where one is given at all."""

    def validate(value: Any, _: Any) -> str | None:
        number = plain(value)
        if number is None or number >= least:
            return None
        return f'expected at least {least}, got {number}'

    return validate
