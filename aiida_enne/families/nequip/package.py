"""Reads what a NequIP package says of itself; its code and its weights are not touched."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from aiida_enne.families.nequip.training import FINISHED_MODELS

REMEDY = '`nequip-package build CHECKPOINT FILE.nequip.zip` makes one of a checkpoint'
METADATA, CONFIG = '/model/package_metadata.txt', '/model/config.yaml'


class Package(NamedTuple):
    """What a package says of its model.

    Attributes:
        model: Its builder with all settings, `training_module.model` of its training.
        elements: Names of its types.
        versions: Of the packages that made it, by name.
    """

    model: dict[str, Any]
    elements: list[str]
    versions: dict[str, str]


def read_package(path: Path) -> Package:
    """Read the description in a package.

    Raises:
        ValueError: If it is no package, or one whose model cannot be built from its description.
    """
    try:
        with zipfile.ZipFile(path) as package:
            names = package.namelist()
            found = [[name for name in names if name.endswith(one)] for one in (METADATA, CONFIG)]
            if not all(len(one) == 1 for one in found):
                raise ValueError(f'{path.name} is not a NequIP package; {REMEDY}')
            metadata, config = (yaml.safe_load(package.read(one[0])) for one in found)
    except (zipfile.BadZipFile, yaml.YAMLError, UnicodeDecodeError) as exception:
        raise ValueError(f'{path.name} is not a NequIP package ({exception}); {REMEDY}') from None
    try:
        model = dict(config['training_module']['model'])
        types = metadata['atom_types']
        elements = [str(types[number]) for number in range(len(types))]
        versions = {name: str(version) for name, version in metadata['versions'].items()}
    except (KeyError, TypeError, AttributeError) as exception:
        raise ValueError(f'{path.name} is a NequIP package that lacks {exception}') from None
    target = str(model.get('_target_', ''))
    if target.endswith(FINISHED_MODELS) or isinstance(model.get('model'), dict):
        raise ValueError(
            f'{path.name} holds a model of {target}: it does not say how to build it anew. Start '
            'from the package that it was made of'
        )
    return Package(model, elements, versions)
