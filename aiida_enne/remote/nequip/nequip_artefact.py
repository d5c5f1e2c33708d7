"""A compiled artefact of one architecture: made, kept in a folder that jobs share, found again.

The model is traced, exported and compiled by AOTInductor with NequIP's own functions. Which tensor
of a model each constant of the artefact is stands in a file beside it.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from nequip.data import AtomicDataDict
from nequip_frames import example, to_input
from nequip_predict_member import Member
from nequip_private import (
    AOTI_ASE_TARGET,
    COMPILE_TARGET_DICT,
    ListInputOutputWrapper,
    get_dynamic_shapes,
    nequip_make_fx,
    prepare_model_for_compile,
)
from nequip_product import cpu_flags

TARGET = COMPILE_TARGET_DICT[AOTI_ASE_TARGET]
INPUTS, OUTPUTS = TARGET['input'], [*TARGET['output'], AtomicDataDict.NODE_FEATURES_KEY]
CONSTANTS = re.compile('_(param|tensor)_constant[0-9]+')


class Artefact:
    """A loaded artefact: the weights of any member of its architecture can be put in."""

    def __init__(self, path: Path) -> None:
        about = json.loads(path.with_suffix('.json').read_text())
        self.package = torch._inductor.aoti_load_package(str(path))
        self.constants: dict[str, str] = about['constants']
        self.baked: dict[str, Any] = about['baked']

    def fits(self, model: torch.nn.Module) -> bool:
        """Return whether the values that the compiler wrote into the code are this model's."""
        own = named_tensors(model)
        return all(own[name].tolist() == value for name, value in self.baked.items())

    def run(self, data: Any) -> dict[str, torch.Tensor]:
        """Evaluate one configuration with the weights that are in."""
        with torch.inference_mode():
            out = self.package([data[name] for name in INPUTS])
        return dict(zip(OUTPUTS, out, strict=True))

    def weights(self, model: torch.nn.Module) -> dict[str, torch.Tensor]:
        """Return the values of a model by the names that the artefact has for them."""
        own = named_tensors(model)
        return {name: own[source].contiguous() for name, source in self.constants.items()}


def find(folder: Path, key: str) -> list[Artefact]:
    """Return the artefacts of an architecture that earlier jobs left and that can be loaded."""
    found = []
    for path in sorted(folder.glob(f'{key}-*.pt2')):
        try:
            found.append(Artefact(path))
        except Exception as exception:  # cut off or of another torch: as good as absent
            print(f'{path.name} cannot be used: {exception}')
    return found


def build(member: Member, folder: Path, key: str) -> Artefact:
    """Compile the architecture of a member and keep the artefact for later jobs."""
    begin = time.monotonic()
    data = AtomicDataDict.to_(trace_frame(member), torch.device(member.device))
    wrapped = prepare_model_for_compile(
        ListInputOutputWrapper(member.model, INPUTS, OUTPUTS), member.device
    )
    traced = nequip_make_fx(wrapped, data, INPUTS)
    endless: Any = torch.inf
    bounds = {
        name: torch.export.Dim(f'num_{name}s', min=2, max=endless) for name in ('node', 'edge')
    }
    bounds = TARGET['batch_map_settings'](bounds)
    exported = torch.export.export(
        traced,
        tuple(data[name] for name in INPUTS),
        dynamic_shapes=get_dynamic_shapes(INPUTS, bounds),
    )
    work = Path('artefact.pt2').resolve()
    # uniform constants would be folded into the code, and with them the scale of the training set
    options = {'joint_graph_constant_folding': False}
    torch._inductor.config.compile_threads = 1  # a pool of processes has no place in a job's core
    torch._inductor.aoti_compile_and_package(
        exported, package_path=str(work), inductor_configs=options
    )
    print(f'compiled in {time.monotonic() - begin:.0f} s')
    return keep(work, describe(work, traced, member.model), folder, key)


def describe(path: Path, traced: Any, model: torch.nn.Module) -> dict[str, Any]:
    """Return which tensor of a model each constant of the artefact is, and which became code."""
    sources = {t.data_ptr(): name for name, t in named_tensors(model).items() if t.numel()}
    names = {
        name: sources[getattr(traced, name).data_ptr()]
        for name in dir(traced)
        if CONSTANTS.fullmatch(name)
    }
    kept = set(torch._inductor.aoti_load_package(str(path)).get_constant_fqns())
    values = named_tensors(model)
    return {
        'constants': {name: source for name, source in names.items() if name in kept},
        'baked': {s: values[s].tolist() for name, s in names.items() if name not in kept},
    }


def keep(work: Path, about: dict[str, Any], folder: Path, key: str) -> Artefact:
    """Move an artefact to the shared folder, whole or not at all."""
    digest = hashlib.sha256(json.dumps(about['baked'], sort_keys=True).encode()).hexdigest()[:12]
    final = folder / f'{key}-{digest}.pt2'
    folder.mkdir(parents=True, exist_ok=True)
    notes = work.with_suffix('.json')
    notes.write_text(json.dumps(about, indent=1))
    for source, target in ((notes, final.with_suffix('.json')), (work, final)):
        passing = target.with_name(f'{target.name}.{os.getpid()}')
        shutil.move(source, passing)
        passing.replace(target)
    return Artefact(final)


def trace_frame(member: Member) -> Any:
    """Return a structure to trace and compare with."""
    return to_input(example(member.geometry), member.geometry)


def architecture(member: Member) -> str:
    """Return a digest of all that the code of an artefact depends on, not of the weights."""
    model = member.model
    modules = [
        (name, type(module).__qualname__, sorted(map(repr, scalars(module).items())))
        for name, module in model.named_modules()
    ]
    tensors = [(n, tuple(t.shape), str(t.dtype)) for n, t in named_tensors(model).items()]
    machine = [platform.machine(), torch.backends.cpu.get_cpu_capability(), cpu_flags()]
    if member.device != 'cpu':
        machine.append(torch.cuda.get_device_name(member.device))
    versions = [version(name) for name in ('nequip', 'torch', 'e3nn')]
    threads = torch.get_num_threads()
    text = repr((modules, tensors, model.metadata, OUTPUTS, machine, versions, threads))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def scalars(module: torch.nn.Module) -> dict[str, Any]:
    """Return the plain settings of a module."""
    return {k: v for k, v in vars(module).items() if isinstance(v, (bool, int, float, str))}


def named_tensors(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return parameters and buffers by name."""
    return {n: t.detach() for n, t in (*model.named_parameters(), *model.named_buffers())}
