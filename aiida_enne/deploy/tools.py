"""NequIP's own tools, run on the checkpoints of an exported folder."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from aiida_enne.families.nequip import training
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.data.frames import to_extxyz


@dataclass(frozen=True, slots=True)
class Target:
    """What a checkpoint can be turned into.

    Attributes:
        tool: Program of NequIP, and its arguments but for device, input and output.
        suffix: What the file's name must end in.
        device: Whether the tool takes a device.
        use: What reads the file.
    """

    tool: tuple[str, ...]
    suffix: str
    device: bool
    use: str


#: Stands for the pair style of the family.
PAIR = '<pair>'
_AOT = ('nequip-compile', '--mode', 'aotinductor', '--target')
TARGETS = {
    'package': Target(
        ('nequip-package', 'build'), '.nequip.zip', device=False, use='NequIP, any version later'
    ),
    'ase': Target((*_AOT, 'ase'), '.nequip.pt2', device=True, use="NequIP's calculator for ASE"),
    'lammps': Target(
        (*_AOT, PAIR), '.nequip.pt2', device=True, use='LAMMPS with pair_nequip or pair_allegro'
    ),
    'mliap': Target(
        ('nequip-prepare-lmp-mliap',), '.nequip.lmp.pt', device=False, use='LAMMPS with ML-IAP'
    ),
    'torch-sim': Target((*_AOT, 'batch'), '.nequip.pt2', device=True, use='torch-sim'),
}


#: Pair styles of LAMMPS, by family.
PAIRS = {'nequip': 'pair_nequip', 'allegro': 'pair_allegro'}


class ToolError(ValueError):
    """A tool of NequIP is missing or has failed."""


def convert(
    checkpoint: Path,
    folder: Path,
    target: str,
    *,
    examples: Configurations,
    family: str = 'nequip',
    device: str = 'cpu',
) -> Path:
    """Turn a checkpoint into what a program reads; return the file.

    Args:
        checkpoint: Of one member.
        folder: Where the file is put, by the name of the checkpoint.
        target: One of `TARGETS`.
        examples: Labelled configurations of the elements of the model: the tools run it on some.
        family: Of the model.
        device: 'cpu' or 'cuda': what the file will run on.

    Raises:
        ToolError: If the tool is not installed beside this Python, LAMMPS has no pair style for the
            family, or the tool fails; with its last words.
    """
    chosen = TARGETS[target]
    if PAIR in chosen.tool and family not in PAIRS:
        raise ToolError(f'LAMMPS has no pair style for the family {family!r}')
    program = Path(sys.executable).with_name(chosen.tool[0])
    if not program.exists():
        raise ToolError(f'{program.name} is not installed beside {sys.executable}: install nequip')
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'{checkpoint.stem}{chosen.suffix}'
    pair = PAIRS.get(family, '')
    command = [str(program), *(pair if word == PAIR else word for word in chosen.tool[1:])]
    command += ['--device', device] if chosen.device else []
    with TemporaryDirectory() as place:
        for name in (training.TRAIN, training.VALIDATION):  # where its configuration has them
            (Path(place) / name).write_text(to_extxyz(examples))
        done = subprocess.run(
            [*command, str(checkpoint.resolve()), str(path.resolve())],
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode or not path.exists():
        words = (done.stderr or done.stdout).strip().splitlines()
        raise ToolError(
            f'{program.name} failed for {checkpoint.name}: {words[-1] if words else "no message"}'
        )
    return path
