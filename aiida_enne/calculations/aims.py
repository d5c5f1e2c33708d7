"""`CalcJob` that runs FHI-aims on one configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from aiida import orm
from aiida.common import CalcInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJobProcessSpec
from ase.data import chemical_symbols

from aiida_enne.calculations.following import FollowingCalcJob, write_files
from aiida_enne.calculations.ports import port, validator_of
from aiida_enne.codes import aims
from aiida_enne.codes.aims.control import render_control
from aiida_enne.codes.aims.geometry import render_geometry
from aiida_enne.codes.aims.settings import ControlSettings
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.species import SpeciesData

#: Share of the job's time after which FHI-aims is asked to stop by itself, to write its files.
WALLTIME_SHARE = 0.95


def validate_inputs(inputs: dict[str, Any], ports: Any) -> str | None:
    """Check what concerns two inputs: index, species, fixed atoms, velocities, restarts."""
    if not {'configurations', 'index', 'parameters', 'species'} <= set(ports):
        return None  # a workflow has excluded them and validates by submitting
    node, index = inputs['configurations'], inputs['index'].value
    if not 0 <= index < node.n_frames:
        return f'`index` must point to one of {node.n_frames} configurations, got {index}'
    one = node.get_configurations().select([index])
    for element, species in inputs.get('species', {}).items():
        if species.element != element:
            return f'the species given for {element} is that of {species.element}'
    if missing := sorted(set(one.elements) - set(inputs.get('species', {}))):
        return f'`species` must have every element, it lacks {", ".join(missing)}'
    n = int(one.n_atoms[0])
    for atom in inputs['fixed'].get_list() if 'fixed' in inputs else []:
        if not isinstance(atom, int) or not 0 <= atom < n:
            return f'`fixed` must hold indices of {n} atoms, got {atom!r}'
    if 'velocities' in inputs:
        shape = inputs['velocities'].get_array('velocities').shape
        if shape != (n, 3):
            return f'`velocities` must have the shape {(n, 3)}, got {shape}'
    md = inputs['parameters'].get_dict().get('md') or {}
    if bool(md.get('restart')) != ('parent_folder' in inputs):
        return '`parent_folder` and `restart` of the molecular dynamics must be given together'
    return None


class AimsCalculation(FollowingCalcJob):
    """Run FHI-aims on one configuration: a single point, a relaxation, or a trajectory.

    One species text per element, by the element's name: two texts cannot meet.
    """

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input('configurations', valid_type=ConfigurationsData, help='One of them is used.')
        spec.input('index', **port(orm.Int, default=0), help='Which configuration.')
        spec.input(
            'parameters',
            **port(orm.Dict, validator_of(ControlSettings.from_dict)),
            help='Keys of `codes.aims.settings.ControlSettings`.',
        )
        spec.input_namespace(
            'species', valid_type=SpeciesData, dynamic=True, help='Species default by element.'
        )
        spec.input('fixed', **port(orm.List, required=False), help='Indices of atoms that stay.')
        spec.input(
            'velocities',
            **port(orm.ArrayData, required=False),
            help='Array `velocities` in Å/ps, shape (N, 3), to start with.',
        )
        spec.input(
            'parent_folder',
            **port(orm.RemoteData, required=False),
            help='Work directory with the restart file of a trajectory.',
        )
        spec.inputs.validator = validate_inputs
        files = {'input_filename': aims.CONTROL, 'output_filename': aims.OUTPUT}
        cls.set_defaults(spec, parser_name='enne.aims', withmpi=True, **files)
        spec.output(
            'dataset',
            valid_type=DatasetData,
            required=False,
            help='Whole steps; energies are electronic free energies, the others are in info.',
        )
        spec.output('results', valid_type=orm.Dict, help='Verdict, cycles, timings, warnings.')
        spec.output(
            'last_configuration',
            valid_type=ConfigurationsData,
            required=False,
            help='Where the atoms were last: where to go on.',
        )
        spec.output(
            'last_velocities',
            valid_type=orm.ArrayData,
            required=False,
            help='Array `velocities` in Å/ps, shape (N, 3), of the last whole step.',
        )
        cls.define_exit_codes(spec)

    @classmethod
    def define_exit_codes(cls, spec: CalcJobProcessSpec) -> None:
        """Define one exit code for each verdict of the codec, `finished` apart."""
        verdicts = {
            301: ('ERROR_NOT_STARTED', 'FHI-aims never began: {reason}'),
            302: ('ERROR_TRUNCATED', 'The output is cut off: {reason}'),
            310: ('ERROR_WRONG_ARCHITECTURE', 'The program does not run there: {reason}'),
            311: ('ERROR_SPECIES_MISSING', 'A species is missing: {reason}'),
            312: ('ERROR_ATOMS_TOO_CLOSE', 'Atoms are too close: {reason}'),
            400: ('ERROR_OUT_OF_WALLTIME', 'Ran out of time: {reason}'),
            401: ('ERROR_KILLED', 'Killed: {reason}'),
            402: ('ERROR_OUT_OF_MEMORY', 'Out of memory: {reason}'),
            500: ('ERROR_SCF_NOT_CONVERGED', 'No self-consistency: {reason}'),
            501: ('ERROR_RELAXATION_NOT_CONVERGED', 'Not relaxed: {reason}'),
        }
        cls.define_verdicts(spec, verdicts, lasting=400)

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write control.in and geometry.in."""
        inputs = self.inputs
        one = inputs.configurations.get_configurations().select([inputs.index.value])
        seconds = inputs.metadata.options.get('max_wallclock_seconds')
        settings = with_walltime(ControlSettings.from_dict(inputs.parameters.get_dict()), seconds)
        texts = {element: inputs.species[element].text for element in one.elements}
        velocities = inputs.velocities.get_array('velocities') if 'velocities' in inputs else None
        files = {
            aims.CONTROL: render_control(settings, texts),
            aims.GEOMETRY: render_geometry(
                one.cells[0],
                one.pbc[0].tolist(),
                [chemical_symbols[number] for number in one.numbers],
                one.positions,
                velocities=velocities,
                fixed=_mask(inputs.fixed.get_list(), len(one.numbers))
                if 'fixed' in inputs
                else None,
            ),
        }
        write_files(folder, files)
        restart = [] if settings.md is None else [aims.MD_RESTART]
        job = self.run_code(retrieve=restart, errors=aims.ERRORS)
        self.copy_from_parent(job, {aims.MD_RESTART: aims.MD_RESTART})
        return job


def with_walltime(settings: ControlSettings, seconds: int | None) -> ControlSettings:
    """Return the settings with the time after which to stop, unless they say one themselves."""
    if settings.walltime is not None or seconds is None:
        return settings
    return replace(settings, walltime=max(1, int(WALLTIME_SHARE * seconds)))


def _mask(atoms: list[int], n: int) -> np.ndarray:
    mask = np.zeros(n, dtype=bool)
    mask[atoms] = True
    return mask
