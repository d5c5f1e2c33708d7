"""Decides which members run compiled, and puts their weights into one shared artefact.

A member uses the artefact only after the two gave the same numbers as its eager model.
"""

import os
import shutil
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nequip.data import AtomicDataDict
from nequip_artefact import OUTPUTS, Artefact, architecture, build, find, trace_frame
from nequip_frames import RATTLE, Frames, to_input
from nequip_predict_member import Member

#: What compiling gains, seconds per atom and member, and what it costs, seconds; measured on one
#: core for two layers, l_max 2 and 8 features. A model that is not small gains nothing.
GAIN, COST = 2.7e-5, 60.0
#: Largest difference to the eager model that is rounding, relative to 1 or to the largest value.
TOLERANCE = {'float32': 5e-5, 'float64': 1e-9}


class Compiled:
    """One member in the shared artefact."""

    outputs = OUTPUTS

    def __init__(self, artefact: Artefact, member: Member) -> None:
        self.artefact = artefact
        self.weights = artefact.weights(member.model)
        self.device = torch.device(member.device)

    def select(self, member: Member) -> None:
        """Put the member's weights in."""
        self.artefact.package.load_constants(self.weights, check_full_update=True)

    def accepts(self, data: Any) -> bool:
        """Return whether the artefact takes the configuration: two atoms and two edges or more."""
        return bool(data['pos'].shape[0] > 1 and data['edge_index'].shape[1] > 1)

    def run(self, data: Any) -> dict[str, Any]:
        """Evaluate one configuration with the weights that are in."""
        out = self.artefact.run(AtomicDataDict.to_(data, self.device))
        return {name: value.cpu() for name, value in out.items()}


def compile_members(members: list[Member], frames: Frames, settings: dict[str, Any]) -> None:
    """Give every member for which it pays a compiled model that was compared with the eager one.

    Where there is no compiler, compiling fails or the comparison does, members stay eager and
    their note says why.
    """
    groups: dict[str, list[Member]] = {}
    for member in members:
        groups.setdefault(architecture(member), []).append(member)
    folder = Path(settings['artefacts'])
    for key, group in groups.items():
        artefacts = find(folder, key)
        if not any(a.fits(member.model) for a in artefacts for member in group):
            reason = why_not(group, frames, settings['mode'])
            if not reason:
                try:
                    artefacts.append(build(group[0], folder, key))
                except Exception as exception:  # the compilers' failures are many; eager works
                    traceback.print_exc()
                    reason = f'compiling failed: {type(exception).__name__}: {exception}'
        else:
            reason = ''
        for member in group:
            fitting = [artefact for artefact in artefacts if artefact.fits(member.model)]
            if fitting:
                adopt(member, fitting[0], frames)
            else:
                add_note(member, reason or 'the artefact of the other members does not fit')


def why_not(group: list[Member], frames: Frames, mode: str) -> str:
    """Return why not to compile for a group of members; an empty text if it should be done.

    In mode `auto` it must gain more than it costs: atoms × members × GAIN > COST.
    """
    if shutil.which(os.environ.get('CXX', 'g++')) is None:
        return 'there is no C++ compiler'
    if mode == 'compiled':
        return ''
    if not group[0].is_small:
        return 'the model is too large to gain from compiling'
    if group[0].device != 'cpu':
        return 'compiling is automatic on CPUs only'
    gain = int(frames.offsets[-1]) * len(group) * GAIN
    return '' if gain > COST else f'compiling would gain {gain:.0f} s and cost {COST:.0f} s'


def adopt(member: Member, artefact: Artefact, frames: Frames) -> None:
    """Let a member use the artefact if it says what the eager model says."""
    compiled = Compiled(artefact, member)
    atoms = frames.atoms(int(np.argmax(frames.n_atoms > 1)))
    atoms.rattle(RATTLE, seed=0)
    data = to_input(atoms, member.geometry)
    if not compiled.accepts(data):
        data = trace_frame(member)
    compiled.select(member)
    out, expected = compiled.run(data), member.run([data])
    tolerance = TOLERANCE[member.model.metadata['model_dtype']]
    for name in OUTPUTS:
        limit = tolerance * max(1.0, float(expected[name].abs().max()))
        difference = float((out[name] - expected[name]).abs().max())
        if not difference <= limit:
            add_note(
                member,
                f'compiled and eager `{name}` differ by {difference:.1e}, more than {limit:.1e}',
            )
            return
    member.compiled, member.mode = compiled, 'compiled'


def add_note(member: Member, note: str) -> None:
    """Say one thing more of a member."""
    member.note = '; '.join(filter(None, (member.note, note)))
