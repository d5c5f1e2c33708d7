"""The contract of a gatherer as checks, for the tests of any package that registers one."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
from aiida import orm
from aiida.common.links import validate_link_label

from aiida_enne.calculations.gatherers import gatherer_of, load_gatherer
from aiida_enne.calculations.gatherers.interface import Gatherer, Source
from aiida_enne.science.contracts import ContractError, require
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.frame import BadFrameError, Frame, check_frame


def check_gatherer(
    name: str,
    finished: orm.Node,
    failed: Iterable[orm.ProcessNode] = (),
    choices: ImportChoices | None = None,
) -> list[Frame]:
    """Check what a gatherer makes of nodes of its plugin, and return the frames in our units.

    Args:
        name: Of its entry point.
        finished: A stored node with labels; compare the frames with what the code computed.
        failed: Processes without labels: each must have its reason.
        choices: Keys and units, where the gatherer leaves them to the user.

    Raises:
        ContractError: If something is missing or of another form.
    """
    gatherer, choices = load_gatherer(name), choices or ImportChoices(allow_molecules=True)
    require(isinstance(gatherer, Gatherer), f'{name} lacks members of `interface.Gatherer`')
    require(gatherer.name == name, f'{name} calls itself {gatherer.name!r}')
    require(not gatherer.takes(orm.Int(1)), f'{name} takes any node')
    for node in (finished, *failed):
        found = gatherer_of(node)
        require(found is not None and found.name == name, f'{name} does not take {node}')
    for node in failed:
        source = gatherer.find(node)
        require(bool(source.failed), f'{name} gives no reason for the failure of {node}')
        require(not source.nodes, f'{name} gives nodes of the failed {node}')
    source = gatherer.find(finished)
    require(not source.failed, f'{name} says that {finished} failed: {source.failed}')
    _check_source(name, source)
    kept = json.loads(json.dumps(dict(source.facts)))
    file = gatherer.read(source.nodes, kept, choices)
    require(bool(file.frames), f'{name} reads no frames of {finished}')
    try:
        frames = [check_frame(atoms, choices) for atoms in file.frames]
    except BadFrameError as exception:
        raise ContractError(f'{name}: a frame {exception}') from exception
    again = gatherer.read(source.nodes, kept, choices)
    for one, two in zip(frames, again.frames, strict=True):
        same = np.array_equal(one.positions, check_frame(two, choices).positions)
        require(same, f'{name} is not reproducible')
    return frames


def _check_source(name: str, source: Source) -> None:
    require(bool(source.nodes), f'{name} finds no nodes')
    for label, node in source.nodes.items():
        validate_link_label(label)
        require(isinstance(node, orm.Data) and node.is_stored, f'{name}: {label} is not stored')
    for what in (source.level, source.settings):
        texts = all(isinstance(value, str) for value in what.values())
        require(texts, f'{name}: levels and settings must be texts, got {dict(what)}')
