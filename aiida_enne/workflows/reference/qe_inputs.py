"""Inputs of the Quantum ESPRESSO engine: from a protocol, checked, and those of every job."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiida import orm
from aiida.common.exceptions import MissingEntryPointError, NotExistent

from aiida_enne.codes import qe
from aiida_enne.science.plans.plane_waves import PlaneWaves
from aiida_enne.science.plans.tasks import Task, read_task
from aiida_enne.workflows import protocols
from aiida_enne.workflows.reference.engine import validate_inputs
from aiida_enne.workflows.reference.stand_ins import CUTOFFS, any_pseudos, is_planning

if TYPE_CHECKING:
    from aiida_enne.workflows.reference.pw_base import PwBaseWorkChain


def pw_base() -> type[PwBaseWorkChain]:
    """Return the work chain that runs pw.x, with the restarts of aiida-quantumespresso.

    Raises:
        MissingEntryPointError: If it is not installed.
    """
    try:
        from aiida_enne.workflows.reference.pw_base import PwBaseWorkChain
    except ImportError as exception:
        raise MissingEntryPointError(
            'the engine `qe` needs aiida-quantumespresso and aiida-pseudo; '
            '`pip install "aiida-enne[qe]"` installs both'
        ) from exception
    return PwBaseWorkChain


def validate_qe(inputs: dict[str, Any], ports: Any) -> str | None:
    """Check that pw.x can do the task on the configurations."""
    if reason := validate_inputs(inputs, ports):
        return reason
    if not {'task', 'configurations', 'base'} <= set(ports):
        return None  # a workflow has excluded them and validates by submitting
    options = inputs['options'].get_dict() if 'options' in inputs else {}
    task = read_task(inputs['task'].get_dict())
    try:
        qe.check_task(task, qe.complete_options(options))
    except ValueError as exception:
        return str(exception)
    if not {'kpoints', 'kpoints_distance'} & set(inputs['base']):
        return '`base` must hold `kpoints` or `kpoints_distance`'
    known = set(inputs['base']['pw'].get('pseudos', {}))
    if missing := sorted(set(inputs['configurations'].elements) - known):
        return f'there are pseudopotentials of {sorted(known)}, none of {", ".join(missing)}'
    return _check_configurations(inputs['configurations'], task)


def _check_configurations(node: Any, task: Task) -> str | None:
    configurations = node.get_configurations()
    bare = (~configurations.pbc.all(axis=1)) | (configurations.volumes <= 0)
    if bare.any():
        return (
            f'configuration {int(bare.argmax())} is not periodic in three directions; '
            'pw.x needs a cell: put it in a box'
        )
    return task.misfit(configurations.n_atoms.tolist())


def from_protocol(
    elements: list[str], protocol: str | None, overrides: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the inputs of a protocol with cutoffs, pseudopotentials and k-points in their ports.

    Raises:
        ValueError: If the family is not installed, lacks an element or recommends no cutoffs.
    """
    inputs = protocols.load('reference_qe', protocol, overrides)
    family = _family(inputs.pop('pseudo_family'))
    if family is None:
        inputs['base']['pw'].setdefault('pseudos', any_pseudos(elements))
    chosen = {name: inputs.pop(name) for name in ('functional', 'ecutwfc', 'ecutrho')}
    mesh, distance = inputs.pop('kpoints_mesh'), inputs.pop('kpoints_distance')
    base = inputs['base']
    try:
        if family is not None:
            base['pw'].setdefault('pseudos', family.get_pseudos(elements=tuple(elements)))
    except ValueError as exception:
        raise ValueError(f'the family `{family.label}`: {exception}') from exception
    system = dict(base['pw']['parameters'].get('SYSTEM', {}))
    if None in (chosen['ecutwfc'], chosen['ecutrho']):
        wfc, rho = CUTOFFS if family is None else _recommended(family, elements)
        chosen |= {'ecutwfc': chosen['ecutwfc'] or wfc, 'ecutrho': chosen['ecutrho'] or rho}
    if chosen['functional']:
        system['input_dft'] = chosen['functional']
    system |= {name: chosen[name] for name in ('ecutwfc', 'ecutrho')}
    base['pw']['parameters'] = orm.Dict({**base['pw']['parameters'], 'SYSTEM': system})
    if mesh:
        base['kpoints'] = orm.KpointsData()
        base['kpoints'].set_kpoints_mesh(mesh)
    else:
        base['kpoints_distance'] = orm.Float(distance)
    base['max_iterations'] = orm.Int(base['max_iterations'])
    inputs['options'] = orm.Dict(inputs['options'])
    return inputs


def _family(label: str) -> Any:
    """Return a family of pseudopotentials; None for a plan without one."""
    pw_base()  # says what is not installed
    try:
        return orm.load_group(label)
    except NotExistent as exception:
        if is_planning():
            return None
        raise ValueError(
            f'there is no family of pseudopotentials `{label}`; '
            f'`aiida-enne pseudo install FOLDER --label {label}` makes one'
        ) from exception


def _recommended(family: Any, elements: list[str]) -> tuple[float, float]:
    try:
        wfc, rho = family.get_recommended_cutoffs(elements=tuple(elements), unit='Ry')
    except (AttributeError, ValueError) as exception:
        raise ValueError(
            f'the family `{family.label}` recommends no cutoffs; give `ecutwfc` and `ecutrho`, or '
            'install it with `--cutoffs`'
        ) from exception
    return float(wfc), float(rho)


def job_inputs(
    base: Any, job: qe.Job, structure: orm.StructureData, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the inputs of `PwBaseWorkChain` for one job.

    Args:
        base: What is common to all jobs.
        job: What this one does.
        structure: The configuration.
        options: The complete options of the engine.
    """
    kinds = [site.kind_name for site in structure.sites]
    pw = base['pw']
    pseudos = {kind: pw['pseudos'][kind] for kind in set(kinds)}
    flags = {'CONTROL': {'tprnfor': True, 'tstress': True}}
    flags['ELECTRONS'] = {'conv_thr': options['conv_thr_per_atom'] * len(kinds)}
    parameters = protocols.merge(flags, pw['parameters'].get_dict())
    system = parameters['SYSTEM'] = dict(parameters.get('SYSTEM', {}))
    if system.get('occupations') == 'smearing' and 'nbnd' not in system:
        occupied = math.ceil(sum(pseudos[kind].z_valence for kind in kinds) / 2)
        system['nbnd'] = occupied + max(4, math.ceil(options['extra_bands'] * occupied))
    settings = pw['settings'].get_dict() if 'settings' in pw else {}
    if 'kpoints' in base and is_gamma(base['kpoints']):
        settings['gamma_only'] = True
    pw['structure'], pw['pseudos'] = structure, pseudos
    pw['parameters'] = orm.Dict(protocols.merge(parameters, job.parameters))
    if settings | job.settings:
        pw['settings'] = orm.Dict(settings | job.settings)
    if job.steps:
        # a second run of a part of a trajectory would not be the same: the engine decides on that
        base['max_iterations'] = orm.Int(1)
        base['handler_overrides'] = orm.Dict(
            {'sanity_check_insufficient_bands': {'enabled': False}}
        )
    return dict(base)


def price_of(inputs: Mapping[str, Any]) -> PlaneWaves | None:
    """Return what a label costs with such inputs; None where they do not tell.

    Args:
        inputs: `base` and, perhaps, `options` of the engine; plain values where nodes stand for
            such.
    """
    base = inputs.get('base', {})
    pw = base.get('pw', {})
    system = pw.get('parameters', {}).get('SYSTEM', {})
    if not {'ecutwfc', 'ecutrho'} <= set(system) or not pw.get('pseudos'):
        return None
    mesh = None
    if 'kpoints' in base:
        try:
            a, b, c = base['kpoints'].get_kpoints_mesh()[0]
        except AttributeError:
            return None  # a list of points
        mesh = (a, b, c)
    smeared = system.get('occupations') == 'smearing'
    extra = qe.complete_options(inputs.get('options', {}))['extra_bands']
    return PlaneWaves(
        cutoff=system['ecutwfc'],
        density_cutoff=system['ecutrho'],
        valence={one.element: one.z_valence for one in pw['pseudos'].values()},
        mesh=mesh,
        distance=base.get('kpoints_distance', 0.2),
        extra_bands=extra if smeared else 0.0,
    )


def is_gamma(kpoints: orm.KpointsData) -> bool:
    """Return whether the k-points are a mesh of the Gamma point alone."""
    try:
        mesh, offset = kpoints.get_kpoints_mesh()
    except AttributeError:
        return False  # a list of points
    return list(mesh) == [1, 1, 1] and not any(offset)
