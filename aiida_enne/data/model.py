"""Node: one trained member, enough to load it and to continue it."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import yaml
from aiida import orm
from aiida.common.exceptions import ValidationError

CHECKPOINT, CONFIG = 'model.ckpt', 'config.yaml'


class ModelData(orm.Data):
    """Weights as NequIP's own checkpoint, with the configuration that made them.

    Attributes to query by: `identity`, `seed`, `weights_sha256`, `elements`, `r_max`,
    `family`, `n_parameters`, `nequip_version`, `torch_version`, `complete`, `epochs`, `best_epoch`,
    `metrics`.
    """

    @classmethod
    def from_files(cls, checkpoint: bytes, config: dict[str, Any], **attributes: Any) -> Self:
        """Create an unstored node.

        Args:
            checkpoint: Content of the checkpoint; never unpickled on this side.
            config: The complete NequIP configuration.
            **attributes: Must hold `identity`, `seed`, `weights_sha256` and `elements`.
        """
        node = cls()
        node.base.repository.put_object_from_bytes(checkpoint, CHECKPOINT)
        text = yaml.safe_dump(config, sort_keys=False)
        node.base.repository.put_object_from_bytes(text.encode(), CONFIG)
        node.base.attributes.set_many(attributes)
        return node

    def get_config(self) -> dict[str, Any]:
        """Return the NequIP configuration."""
        return dict(yaml.safe_load(self.base.repository.get_object_content(CONFIG, 'r')))

    def get_model(self) -> dict[str, Any]:
        """Return the builder of its model, with all settings that the configuration has."""
        return dict(self.get_config()['training_module'].get('model', {}))

    @property
    def elements(self) -> list[str]:
        """Names of its types, in its order."""
        return list(self.base.attributes.get('elements'))

    def write_checkpoint(self, path: Path) -> Path:
        """Write the checkpoint, for `nequip-compile`, `nequip-package` or a restart."""
        path.write_bytes(self.base.repository.get_object_content(CHECKPOINT, mode='rb'))
        return path

    def get_description(self) -> str:
        """Return what a graph shows: family, seed, size, and whether the training is complete."""
        attributes = self.base.attributes.all
        size = f', {attributes["n_parameters"]} parameters' if 'n_parameters' in attributes else ''
        state = 'complete' if attributes.get('complete', True) else 'incomplete'
        return f'{self.family}, seed {self.seed}{size}, {state}'

    @property
    def seed(self) -> int:
        """Seed of weights and batches."""
        return int(self.base.attributes.get('seed'))

    @property
    def family(self) -> str:
        """Name of its family; models of the first release are all of NequIP."""
        return str(self.base.attributes.get('family', 'nequip'))

    @property
    def weights_sha256(self) -> str:
        """Digest of the weights: equal models have equal ones."""
        return str(self.base.attributes.get('weights_sha256'))

    def _validate(self) -> bool:
        super()._validate()
        names = self.base.repository.list_object_names()
        for name in (CHECKPOINT, CONFIG):
            if name not in names:
                raise ValidationError(f'ModelData holds no `{name}`')
        for key in ('identity', 'seed', 'weights_sha256', 'elements'):
            if key not in self.base.attributes:
                raise ValidationError(f'ModelData lacks the attribute `{key}`')
        if not re.fullmatch('[0-9a-f]{64}', self.weights_sha256):
            raise ValidationError(
                f'`weights_sha256` is not a SHA-256 digest: {self.weights_sha256!r}'
            )
        return True


def beginning(*initial: orm.Data | None) -> tuple[str, ...]:
    """Return what the identity of a member has of the model that it begins with: the first of all.

    Args:
        *initial: A model, or a base model, or None.
    """
    for node in initial:
        if node is not None:
            known = node.base.attributes.all
            return (f'begins with {known.get("weights_sha256") or known["sha256"]}',)
    return ()


def ensemble_sha256(nodes: Mapping[str, orm.Data]) -> str:
    """Return the identity of an ensemble: the digest of its members' weights, in any order.

    Args:
        nodes: Models, or predictions of models, by label.
    """
    return join_digests(node.base.attributes.get('weights_sha256') for node in nodes.values())


def join_digests(weights: Iterable[str]) -> str:
    """Return the identity of an ensemble whose members have weights of these digests."""
    return hashlib.sha256('|'.join(sorted(weights)).encode()).hexdigest()
