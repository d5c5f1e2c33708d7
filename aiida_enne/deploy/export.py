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
from aiida_enne.deploy.widths import Choice, fit_portable
from aiida_enne.provenance import Statistics
from aiida_enne.remote import read_script
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.uncertainty.options import width_label

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
    width: Choice | None = None,
    device: str = 'cpu',
    progress: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Write an ensemble into a folder that needs NequIP and ASE alone.

    Args:
        process: PK or UUID of a work chain that knows the ensemble.
        folder: Is made; it must not exist, or be empty.
        targets: What every checkpoint is turned into as well, of `deploy.tools.TARGETS`.
        width: What σ can be instead of the spread, among what plain numbers say: `recalibrated`,
            `finite`, `conformal`.
        device: What compiled files will run on.
        progress: Called with a line before each step that takes its time.

    Raises:
        FileExistsError: If there is something in the folder.
        NotExistent: If there is no such work chain, or nothing to calibrate on.
        ValueError: If a target is unknown or cannot be made, or the estimator cannot be fitted or
            exported.
    """
    if unknown := sorted(set(targets) - set(TARGETS)):
        raise ValueError(f'unknown targets {unknown}; there are {sorted(TARGETS)}')
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f'{folder} is there already and not an empty folder')
    models = find_models(process)
    fitted = {} if width is None else fit_portable(process, width)
    record = describe(process, models) | judge(process)
    members = folder / MEMBERS
    members.mkdir(parents=True)
    for label, node in models.items():
        node.write_checkpoint(members / f'{label}.ckpt')
        (members / f'{label}.yaml').write_text(yaml.safe_dump(node.get_config(), sort_keys=False))
    for name in ENSEMBLE_SCRIPTS:
        (folder / name).write_text(read_script(name))
    if fitted:
        _write_json(folder / CALIBRATION, fitted)
    for target in targets:
        for label, node in models.items():
            progress(f'{target}: {label}')
            place, source = folder / target, members / f'{label}.ckpt'
            shown, family = examples(node), node.family
            convert(source, place, target, examples=shown, family=family, device=device)
    _write_json(folder / RECORD, record)
    (folder / README).write_text(readme.write(record, list(targets), fitted))
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
    audits = provenance.find_audits(provenance.find_ensemble(process))
    return {
        'process': node.uuid,
        'process_type': getattr(node, 'process_label', ''),
        'ensemble_sha256': ensemble_sha256(models),
        'members': {label: _member(model, trained) for label, model in models.items()},
        'trained_on': [_training_set(*pair) for pair in sorted(set(trained.values()))],
        'audits': [_audit(one) for one in audits],
        'versions': {name: version(name) for name in ('aiida-enne', 'nequip', 'torch', 'ase')},
    }


#: Scalars of an audit that a record repeats, by domain.
SCALARS = (
    'n_configurations', 'n_blocks', 'energy_rmse', 'energy_spread_rms',
    'energy_cone_coverage', 'force_rmse', 'force_spread_rms', 'force_cone_coverage',
)  # fmt: skip


#: Choices of verdicts that a record repeats: errors that one can live with.
TOLERATED = ('energy_tolerance', 'force_tolerance', 'stress_tolerance')


def _audit(found: Statistics) -> dict[str, Any]:
    """Return whose audit that is, and its scalars by domain."""
    kept = ('dataset_sha256', 'level_of_theory')
    return {
        'label': found.label,
        'uuid': found.uuid,
        **{name: found.attributes.get(name) for name in kept},
        'estimator': width_label(found.attributes['parameters']),
        'domains': {
            name: {key: one[key] for key in SCALARS if key in one}
            for name, one in found.domains.items()
        },
    }


def judge(process: str | int) -> dict[str, Any]:
    """Return verdicts and gates as `aiida-enne verdict` says them, as plain values.

    They stand on all that the members predicted, whichever process asked them. There are no rows
    where they predicted nothing that they were not trained on; `unjudged` then says why.
    """
    try:
        found = provenance.joint_audit(provenance.Material.of(process))
    except provenance.Missing as exception:
        return {'verdicts': [], 'gates': {}, 'unjudged': str(exception)}
    return {
        'verdicts': [row.as_dict() for row in found.verdicts],
        'gates': {name: [gate.as_dict() for gate in some] for name, some in found.gates.items()},
        'tolerated': {name: found.parameters[name] for name in TOLERATED},
    }


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
