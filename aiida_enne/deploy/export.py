"""An ensemble as a folder: checkpoints, calculator, artefacts, provenance, and how to use them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import yaml
from aiida import orm
from aiida.common.exceptions import NotExistent

from aiida_enne import provenance
from aiida_enne.codes.ase.job import ENSEMBLE_SCRIPTS
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData, ensemble_sha256
from aiida_enne.data.split import SplitData
from aiida_enne.data.trainings import find_trainings
from aiida_enne.deploy import readme
from aiida_enne.deploy.calculator import MEMBERS, find_models
from aiida_enne.deploy.tools import TARGETS, convert
from aiida_enne.deploy.widths import fit_factors
from aiida_enne.remote import read_script
from aiida_enne.science.data.configurations import Configurations

CALIBRATION, RECORD, DIGESTS, README = (
    'calibration.json', 'ensemble.json', 'SHA256SUMS', 'README.md',
)  # fmt: skip
#: Configurations of the training set that the tools of NequIP run a model on.
N_EXAMPLES = 4


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        folder: The folder.
        files: All files in it, relative to it, with the size of each in bytes.
    """

    folder: Path
    files: dict[str, int]


def export(
    process: str | int,
    folder: Path,
    *,
    targets: Sequence[str] = (),
    calibration_domain: str = '',
    device: str = 'cpu',
    progress: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Write an ensemble into a folder that needs NequIP and ASE alone.

    Args:
        process: PK or UUID of a work chain that knows the ensemble.
        folder: Is made; it must not exist, or be empty.
        targets: What every checkpoint is turned into as well, of `deploy.tools.TARGETS`.
        calibration_domain: Domain whose stored predictions a recalibrated σ is fitted to.
        device: What compiled files will run on.
        progress: Called with a line before each step that takes its time.

    Raises:
        FileExistsError: If there is something in the folder.
        NotExistent: If there is no such work chain, or nothing to calibrate on.
        ValueError: If a target is unknown or cannot be made, or σ cannot be recalibrated.
    """
    if unknown := sorted(set(targets) - set(TARGETS)):
        raise ValueError(f'unknown targets {unknown}; there are {sorted(TARGETS)}')
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f'{folder} is there already and not an empty folder')
    models = find_models(process)
    factors = fit_factors(process, calibration_domain) if calibration_domain else {}
    record = describe(process, models)
    members = folder / MEMBERS
    members.mkdir(parents=True)
    for label, node in models.items():
        node.write_checkpoint(members / f'{label}.ckpt')
        (members / f'{label}.yaml').write_text(yaml.safe_dump(node.get_config(), sort_keys=False))
    for name in ENSEMBLE_SCRIPTS:
        (folder / name).write_text(read_script(name))
    if factors:
        _write_json(folder / CALIBRATION, {'domain': calibration_domain, 'factors': factors})
    for target in targets:
        for label, node in models.items():
            progress(f'{target}: {label}')
            place, source = folder / target, members / f'{label}.ckpt'
            shown, family = examples(node), node.family
            convert(source, place, target, examples=shown, family=family, device=device)
    _write_json(folder / RECORD, record)
    (folder / README).write_text(readme.write(record, list(targets), calibration_domain))
    return Exported(folder, _write_digests(folder))


def examples(model: ModelData) -> Configurations:
    """Return a few configurations that a model was trained on.

    Raises:
        NotExistent: If its training is not in the profile.
    """
    trained = find_trainings([model.weights_sha256])
    if model.weights_sha256 not in trained:
        raise NotExistent(
            f'the training of {model.get_description()} <{model.uuid}> is not in this profile: '
            'NequIP needs some of its configurations to compile or package a model'
        )
    dataset, split = (orm.load_node(uuid) for uuid in trained[model.weights_sha256])
    chosen = cast('SplitData', split).get_split().train[:N_EXAMPLES]
    return cast('DatasetData', dataset).get_configurations().select(chosen)


def describe(process: str | int, models: Mapping[str, ModelData]) -> dict[str, Any]:
    """Return where an ensemble comes from and what its audits found, as plain values."""
    node = orm.load_node(process)
    trained = find_trainings(model.weights_sha256 for model in models.values())
    try:
        audits = {one.label: _scalars(one.domains) for one in provenance.find_statistics(process)}
    except NotExistent:
        audits = {}
    return {
        'process': node.uuid,
        'process_type': getattr(node, 'process_label', ''),
        'ensemble_sha256': ensemble_sha256(models),
        'members': {label: _member(model, trained) for label, model in models.items()},
        'trained_on': [_training_set(*pair) for pair in sorted(set(trained.values()))],
        'audits': audits,
        'versions': {name: version(name) for name in ('aiida-enne', 'nequip', 'torch', 'ase')},
    }


#: Scalars of an audit that a record repeats, by domain.
SCALARS = (
    'n_configurations', 'n_blocks', 'energy_rmse', 'energy_spread_rms',
    'energy_cone_coverage', 'force_rmse', 'force_spread_rms', 'force_cone_coverage',
)  # fmt: skip


def _scalars(domains: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: {key: one[key] for key in SCALARS if key in one} for name, one in domains.items()}


def _training_set(dataset: str, split: str) -> dict[str, Any]:
    """Return what the training part of a split of a dataset is."""
    node = cast('DatasetData', orm.load_node(dataset))
    chosen = cast('SplitData', orm.load_node(split)).get_split().train
    return {
        'dataset': dataset,
        'split': split,
        'sha256': node.sha256,
        'level_of_theory': node.level_of_theory,
        'domains': dict(Counter(node.get_configurations().domains[chosen].tolist())),
    }


def _member(model: ModelData, trained: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    dataset, split = trained.get(model.weights_sha256, (None, None))
    attributes = model.base.attributes.all
    kept = ('seed', 'weights_sha256', 'elements', 'r_max', 'epochs', 'best_epoch', 'nequip_version')
    return {
        'uuid': model.uuid,
        'family': model.family,
        **{name: attributes[name] for name in kept if name in attributes},
        'dataset': dataset,
        'split': split,
    }


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + '\n')


def _write_digests(folder: Path) -> dict[str, int]:
    """Write the digest of every file; return their sizes."""
    sizes, lines = {}, []
    for path in sorted(path for path in folder.rglob('*') if path.is_file()):
        content, name = path.read_bytes(), path.relative_to(folder).as_posix()
        sizes[name] = len(content)
        lines.append(f'{hashlib.sha256(content).hexdigest()}  {name}')
    (folder / DIGESTS).write_text('\n'.join(lines) + '\n')
    return sizes
