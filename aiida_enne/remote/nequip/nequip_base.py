"""Turns the model that members are fine-tuned from into a checkpoint that they can begin with.

Run in a process of its own, because a package brings its own code: it is run here and nowhere else.
The model is built again by the NequIP that is installed and must say the same as the package.
"""

import sys
import zipfile
from pathlib import Path
from typing import Any, cast

import nequip_train_member
import nequip_trust
import nequip_weights
import torch
import yaml
from hydra.utils import get_method, instantiate
from nequip.data import AtomicDataDict
from nequip.model import ModelFromPackage
from nequip_private import set_global_state
from nequip_product import UnfitError
from omegaconf import OmegaConf

#: Largest difference of energies per atom and forces to those of the package, eV and eV/Å.
TOLERANCE = 1e-3
#: Training configurations on which both are compared.
COMPARED = 2


def main(source: Path, target: Path) -> None:
    """Write the checkpoint, with the shifts of energies that fit the training data best.

    Args:
        source: The package or checkpoint.
        target: The checkpoint to write.

    Raises:
        UnfitError: If the installed NequIP builds another model.
    """
    torch.set_num_threads(1)
    set_global_state()
    frames = training_frames()
    if source.suffix == '.zip':
        content, packaged = open_package(source)
    else:
        content, packaged = nequip_trust.check(source), None
    described = dict(content['hyper_parameters']['model'])
    model = get_method(described.pop('_target_'))(**described)
    nequip_weights.put(content, model)
    if packaged is not None:
        compare(model, packaged, frames[:COMPARED])
    content['fitted_shifts'] = fit_shifts(model, frames, content['hyper_parameters']['model'])
    torch.save(content, target)


def open_package(path: Path) -> tuple[dict[str, Any], Any]:
    """Return a package as the content of a checkpoint, and its model."""
    with zipfile.ZipFile(path) as package:
        (name,) = (one for one in package.namelist() if one.endswith('/model/config.yaml'))
        config = yaml.safe_load(package.read(name))
    packaged = ModelFromPackage(str(path))['sole_model']
    state = {f'{nequip_weights.PREFIX}{k}': v.clone() for k, v in packaged.state_dict().items()}
    trained = {'training_module': {'_target_': nequip_weights.PLAIN}}
    hyper = {'model': config['training_module']['model'], 'info_dict': trained}
    return {'hyper_parameters': hyper, 'state_dict': state}, packaged


def training_frames() -> list[Any]:
    """Return the training configurations, as the data of the first member are read."""
    folder = min(Path('members').glob('*/config.yaml')).parent
    config = nequip_train_member.read_config(folder.resolve())
    plain = cast('dict[str, Any]', OmegaConf.to_container(config.data, resolve=True))
    data = instantiate(plain, _recursive_=False)
    data.setup('fit')
    dataset = data.train_dataset[0]
    return [dataset[index] for index in range(len(dataset))]


def evaluate(model: Any, frame: Any) -> tuple[float, torch.Tensor]:
    """Return energy in eV and forces in eV/Å."""
    with torch.enable_grad():
        found = model(AtomicDataDict.batched_from_list([frame.copy()]))
    return float(found['total_energy']), found['forces'].detach()


def compare(model: Any, packaged: Any, frames: list[Any]) -> None:
    """Refuse a model that says something else than its package; errors as in `main`."""
    for frame in frames:
        (energy, forces), (own, felt) = (evaluate(one, frame) for one in (model, packaged))
        worst = max(abs(energy - own) / len(forces), float((forces - felt).abs().max()))
        if not worst < TOLERANCE:
            raise UnfitError(
                'the installed NequIP builds another model from the configuration of the package '
                f'than it holds: they differ by {worst:.1e} eV or eV/Å. Install the version of '
                'NequIP that made it'
            )


def fit_shifts(model: Any, frames: list[Any], described: dict[str, Any]) -> dict[str, float]:
    """Return the shift of each type, moved by least squares onto the labels; eV.

    Of a type that does not occur, or where compositions leave a freedom, the smallest change.
    """
    names, rows, missing = described['type_names'], [], []
    for frame in frames:
        types = frame['atom_types'].flatten()
        rows.append(torch.bincount(types, minlength=len(names)).double())
        missing.append(float(frame['total_energy']) - evaluate(model, frame)[0])
    moved = torch.linalg.pinv(torch.stack(rows)) @ torch.tensor(missing, dtype=torch.float64)
    before = described.get('per_type_energy_shifts') or 0.0
    known = before if isinstance(before, dict) else dict.fromkeys(names, before)
    return {name: known[name] + change for name, change in zip(names, moved.tolist(), strict=True)}


if __name__ == '__main__':
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except Exception as exception:  # whatever a package raises: its last line is the reason
        sys.exit(f'{type(exception).__name__}: {" ".join(str(exception).split())}')
