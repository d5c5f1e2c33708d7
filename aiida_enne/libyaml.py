"""Writers of YAML whose text libyaml emits, several times as fast as Python does."""

from importlib import import_module
from typing import Any

from yaml.representer import Representer
from yaml.resolver import Resolver

#: Options of PyYAML that concern how things are represented, not how they are written.
REPRESENTED = ('default_style', 'default_flow_style', 'sort_keys')


def emitting(dumper: type[Any]) -> type[Any]:
    """Return a writer that represents as a given one does; that itself if there is no libyaml.

    Args:
        dumper: A subclass of `yaml.Dumper`.
    """
    try:
        emitter: Any = import_module('yaml.cyaml').CEmitter
    except ImportError:
        return dumper

    def begin(self: Any, stream: Any, **options: Any) -> None:
        own = {name: options.pop(name) for name in REPRESENTED if name in options}
        emitter.__init__(self, stream, **options)
        Representer.__init__(self, **own)
        Resolver.__init__(self)

    return type(f'Fast{dumper.__name__}', (emitter, dumper), {'__init__': begin})
