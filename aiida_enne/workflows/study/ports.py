"""Inputs of a study: its ports, and how a protocol fills them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from aiida import orm
from aiida.engine import ProcessSpec

from aiida_enne.aiida_private import inputs_of
from aiida_enne.calculations.ports import at_least, plain, port, validator_of
from aiida_enne.codes.ase import ENSEMBLE
from aiida_enne.science.plans.convergence import NAME as CONVERGENCE
from aiida_enne.science.plans.relaxations import ANY_LATTICE_CONSTANT
from aiida_enne.science.plans.scans import Base, read_scan
from aiida_enne.science.plans.study_costs import training_domains
from aiida_enne.science.plans.training_sets import Draw
from aiida_enne.workflows import protocols
from aiida_enne.workflows.audit import AuditWorkChain
from aiida_enne.workflows.protocols import machine
from aiida_enne.workflows.reference.ase_base import AseBaseWorkChain
from aiida_enne.workflows.reference.chosen import load_protocol
from aiida_enne.workflows.reference.liquid import LiquidWorkChain
from aiida_enne.workflows.reference.samples import SampleWorkChain
from aiida_enne.workflows.reference.sampling import read_sampler
from aiida_enne.workflows.study import converging, scanning
from aiida_enne.workflows.study.defect import DefectWorkChain
from aiida_enne.workflows.study.eos import EquationOfStateWorkChain
from aiida_enne.workflows.study.surface import SurfaceWorkChain
from aiida_enne.workflows.training.ensemble import EnsembleWorkChain

#: Namespaces of the reference, and what of their inputs the study sets.
REFERENCE = {
    'liquid': (LiquidWorkChain, ()),
    'sample': (SampleWorkChain, ()),
    'eos': (EquationOfStateWorkChain, ()),
    'defect': (DefectWorkChain, ('lattice_constant', 'own')),
    'surface': (SurfaceWorkChain, ('lattice_constant', 'own')),
}
OWNED_OF_ASE = tuple(f'ase.{name}' for name in ('configurations', 'task', 'seed', 'models'))
#: Relaxations by the ensemble that may fail.
ANY_NUMBER = 10**6


def define(spec: ProcessSpec) -> None:
    """Define the inputs."""
    left_out = {'required': False, 'populate_defaults': False}
    for name, (process, owned) in REFERENCE.items():
        options = dict(left_out)  # plumpy empties what it is given
        spec.expose_inputs(process, namespace=name, exclude=owned, namespace_options=options)
    converging.define(spec, REFERENCE)
    spec.input(
        'lattice_constant',
        **port(orm.Float, required=False),
        help='Edge of the conventional cell in Å; from the fit to diamond by default.',
    )
    spec.input('split', **port(orm.Dict), help='See `science.splits.draw`.')
    spec.input(
        'draw',
        **port(orm.Dict, validator_of(partial(Draw.from_dict, what='draw')), required=False),
        help='`size` and `seed` of the training set drawn from that of the split; all by default.',
    )
    spec.input(
        'min_densities',
        **port(orm.Int, at_least(1), required=False),
        help='Densities that must have melted for an ensemble to be trained, all by default.',
    )
    owned = ('dataset', 'split', 'splits')
    spec.expose_inputs(EnsembleWorkChain, namespace='ensemble', exclude=owned)
    owned = ('models', 'datasets', 'splits', 'part', 'trained_frames')
    spec.expose_inputs(AuditWorkChain, namespace='audit', exclude=owned)
    spec.expose_inputs(
        AseBaseWorkChain, namespace='own', exclude=OWNED_OF_ASE, namespace_options=dict(left_out)
    )
    spec.input('scans', **port(orm.Dict, default={}), help='By name, see `science.plans.scans`.')
    spec.input(
        'max_concurrent',
        **port(int, at_least(1), required=False),
        help='Engine work chains or training jobs at a time, shared by what runs side by side.',
    )
    spec.inputs.validator = validate


def validate(inputs: Mapping[str, Any], ports: Any) -> str | None:
    """Check what concerns two parts: what is trained on, the lattice constant, the scans."""
    if not set(REFERENCE) <= set(ports):
        return None  # a workflow has excluded them and validates by submitting
    if not {'liquid', 'sample'} & set(inputs):
        return 'nothing is trained on: give `liquid`, `sample` or both'
    needy = [name for name in ('defect', 'surface') if name in inputs]
    phases = inputs['eos']['volumes'].get_dict() if 'eos' in inputs else {}
    if needy and 'lattice_constant' not in inputs and 'diamond' not in phases:
        return (
            f'{" and ".join(needy)} need a lattice constant: give `lattice_constant`, or diamond '
            f'among the phases of `eos`, which are {sorted(phases)}'
        )
    return validate_scans(inputs) or converging.validate(inputs)


def validate_scans(inputs: Mapping[str, Any]) -> str | None:
    """Check the points of all scans, as far as they can be known before anything has run."""
    draw = scanning.draw_of(inputs)
    base = Base(
        size=draw.size,
        seeds=tuple(inputs['ensemble']['seeds'].get_list()),
        domains=training_domains(plain(inputs)),
        max_epochs=1,
        draw_seed=draw.seed,
    )
    for name, scan in inputs['scans'].get_dict().items():
        if not name.isidentifier():
            return f'the name of a scan must be an identifier, got {name!r}'
        try:
            read_scan(scan).points(base)
        except ValueError as exception:
            return f'scan {name}: {exception}'
    return None


def from_protocol(
    code: orm.AbstractCode,
    python: orm.AbstractCode,
    engine: str,
    protocol: str | None,
    overrides: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return all inputs of a study.

    Raises:
        ValueError: If there is no such protocol, or a value cannot be used.
    """
    chosen = load_protocol('study', engine, protocol, overrides)
    if 'method' in (given := (overrides or {}).get('split') or {}):
        chosen['split'] = given  # nothing of another method is left
    names = chosen.pop('protocols')
    sampler = find_sampler(chosen.pop('sampler'), python, engine)
    inputs: dict[str, Any] = {}
    parts = {name: chosen.pop(name) for name in REFERENCE}
    parts = {
        name: {'inputs': chosen['inputs']} | sampled_by(one, sampler)
        for name, one in parts.items()
        if one is not None
    }
    for name, given in parts.items():
        process, owned = REFERENCE[name]
        position = (ANY_LATTICE_CONSTANT,) if 'lattice_constant' in owned else ()
        builder = process.get_builder_from_protocol(
            code, *position, engine, protocol=names[name], overrides=given
        )
        filled = inputs_of(builder)
        inputs[name] = {key: value for key, value in filled.items() if key not in owned}
    del chosen['inputs']
    mine = (overrides or {}).get(CONVERGENCE) or {}
    asked = converging.fit(chosen.pop(CONVERGENCE), mine, inputs)
    if found := converging.from_protocol(asked, inputs, parts, code, engine, names):
        inputs[CONVERGENCE] = found
    given = chosen.pop('ensemble')
    training = protocols.ensemble_inputs(python, names['ensemble'], given)
    inputs['ensemble'] = protocols.with_code(EnsembleWorkChain.spec().inputs, training, python)
    audit = protocols.load('audit', names['audit'], chosen.pop('audit'))
    given = audit.pop('predict', None)
    predict = machine.place_prediction(
        protocols.load('predict', names['audit'], given), python, given
    )
    inputs['audit'] = protocols.with_code(AuditWorkChain.spec().inputs, audit | predict, python)
    if (own := chosen.pop('own')) is not None:
        inputs['own'] = own_engine(python, names['own'], own)
    chosen['scans'] = {k: v for k, v in (chosen['scans'] or {}).items() if v is not None}
    for name in ('split', 'scans', 'draw'):
        if (value := chosen.pop(name, None)) is not None:
            inputs[name] = orm.Dict(value)
    return inputs | {key: value for key, value in chosen.items() if value is not None}


def find_sampler(
    given: Mapping[str, Any] | None, python: orm.AbstractCode, engine: str
) -> dict[str, Any] | None:
    """Return what is said of the sampler of all parts, its code filled in; None for no sampler.

    Raises:
        ValueError: If it names no engine, or holds a word that is unknown.
    """
    if given is None:
        return None
    chosen = read_sampler(given)
    if chosen['engine'] == 'ase' != engine:
        chosen.setdefault('code', python)
    return chosen


def sampled_by(part: Mapping[str, Any], sampler: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the overrides of a part with the sampler of all, changed by what the part says of it.

    A part of which the sampler is null has none.
    """
    if sampler is None or part.get('sampler', {}) is None:
        return dict(part)
    return dict(part) | {'sampler': protocols.merge(sampler, part.get('sampler', {}))}


def own_engine(
    python: orm.AbstractCode, protocol: str, overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the inputs of the ASE engine with the ensemble as its calculator.

    Args:
        python: Python with NequIP.
        protocol: One of the protocols of the ASE engine.
        overrides: Of `base`; `gpus`, 1 of a job or none, is not a port but becomes the device.

    Raises:
        ValueError: If there are no such GPUs.
    """
    words, rest = machine.take_words(overrides)
    base = protocols.load('reference_ase', protocol, rest)['base']
    device = 'cuda' if words['gpus'] else 'cpu'
    options = base['ase']['metadata']['options']
    placed = machine.add(machine.job_options(python.computer, words), options)
    base['ase']['metadata'] = base['ase']['metadata'] | {'options': placed}
    base['ase']['calculator'] = {'preset': ENSEMBLE, 'keywords': {'device': device}}
    return protocols.with_code(AseBaseWorkChain.spec().inputs, base, python)
