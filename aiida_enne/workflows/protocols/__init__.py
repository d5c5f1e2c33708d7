"""Named sets of inputs, read from the YAML files beside this module."""

from collections.abc import Callable, Collection, Iterator, Mapping
from importlib.resources import files
from typing import Any

import yaml
from aiida import orm
from aiida.engine import PortNamespace, Process, ProcessBuilder
from aiida.plugins import WorkflowFactory

from aiida_enne import families
from aiida_enne.aiida_private import fill_builder, inputs_of
from aiida_enne.data.base_model import BaseModelData
from aiida_enne.data.model import ModelData
from aiida_enne.families.nequip import starting
from aiida_enne.science.options import nearest
from aiida_enne.workflows.protocols import places
from aiida_enne.workflows.protocols.machine import WORDS, place_training, queue

#: Keys whose values are overrides of other workflows, which check them themselves.
DELEGATED = {
    'audit': ('predict',),
    'defect': ('sampler',),
    'eos': ('sampler',),
    'improve': ('ensemble', 'label', 'prediction', 'own'),
    'liquid': ('sampler',),
    'sample': ('sampler',),
    'stiffness': ('label', 'prediction'),
    'study': (
        'liquid',
        'sample',
        'eos',
        'defect',
        'surface',
        'ensemble',
        'audit',
        'own',
        'sampler',
    ),
    'surface': ('sampler',),
}

#: Workflows no mapping of which can be left out by None.
COMPLETE = ('audit', 'ensemble', 'predict')


def read(workflow: str) -> dict[str, Any]:
    """Return the whole protocol file of a workflow."""
    return dict(yaml.safe_load((files(__package__) / f'{workflow}.yaml').read_text()))


def load(
    workflow: str, protocol: str | None = None, overrides: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the inputs of a protocol: the defaults, then the protocol, then the overrides.

    Raises:
        ValueError: If the workflow has no protocol of that name, or the overrides have a key that
            neither it nor its protocols know.
    """
    book = read(workflow)
    name = book['default_protocol'] if protocol is None else protocol
    if name not in book['protocols']:
        raise ValueError(
            f'{name!r} is not a protocol of {workflow!r}{nearest(name, book["protocols"])}; choose '
            f'from {sorted(book["protocols"])}'
        )
    check_overrides(workflow, book, overrides or {})
    return merge(merge(book['default_inputs'], book['protocols'][name]['inputs']), overrides or {})


def check_overrides(workflow: str, book: Mapping[str, Any], overrides: Mapping[str, Any]) -> None:
    """Refuse keys that are neither ports of the workflow nor words of its protocols.

    What plain values hold, as the configuration of a trainer, is checked by those who read it.

    Raises:
        ValueError: If there is one; it names its place and the nearest known key.
    """
    words = set(WORDS) | set(book['default_inputs'])
    words |= {key for one in book['protocols'].values() for key in one['inputs']}
    if not isinstance(overrides, Mapping):
        raise ValueError(f'overrides of {workflow!r} must be a mapping, got {overrides!r}')
    process: Any = WorkflowFactory(f'enne.{workflow.replace("_", ".")}')
    parts = DELEGATED.get(workflow, ())
    for key in (key for key in parts if key in overrides):
        _check_mapping(key, overrides[key])
    for key, value in book['default_inputs'].items():
        if key in overrides and isinstance(value, Mapping) and workflow in COMPLETE:
            _check_mapping(key, overrides[key], may_be_none=False)
    own = {key: one for key, one in overrides.items() if key not in parts}
    _check_keys(process.spec().inputs, own, words, '', lambda: places_of(workflow, book))


def places_of(workflow: str, book: Mapping[str, Any]) -> set[str]:
    """Return dotted paths of all that overrides of a workflow can set, by ports and protocols."""
    process: Any = WorkflowFactory(f'enne.{workflow.replace("_", ".")}')
    found = {*places.in_ports(process.spec().inputs), *places.in_values(book['default_inputs'])}
    for one in book['protocols'].values():
        found.update(places.in_values(one['inputs']))
    parts = [
        part
        for part in DELEGATED.get(workflow, ())
        if (files(__package__) / f'{part}.yaml').is_file()
    ]
    found = {path for path in found if path.partition('.')[0] not in parts}
    for part in parts:
        found |= {part, *(f'{part}.{path}' for path in places_of(part, read(part)))}
    return found


def _check_keys(
    ports: PortNamespace,
    given: Mapping[str, Any],
    words: Collection[str],
    place: str,
    every: Callable[[], Collection[str]],
) -> None:
    known = set(ports) | set(words)
    for key, value in given.items():
        if not isinstance(key, str):
            raise ValueError(f'a key of `{place or "overrides"}` must be text, got {key!r}')
        if key not in known and (len(ports) or not ports.dynamic):
            raise ValueError(
                f'unknown key `{place}{key}`{places.hint(key, known, every())}; '
                f'known here: {sorted(known)}'
            )
        nested = ports.get(key)
        if getattr(nested, 'valid_type', None) is orm.List and isinstance(value, Mapping):
            raise ValueError(f'`{place}{key}` must be a list, got {value!r}')
        if isinstance(nested, PortNamespace):
            _check_mapping(f'{place}{key}', value)
            if value is not None:
                _check_keys(nested, value, (), f'{place}{key}.', every)


def _check_mapping(place: str, value: Any, *, may_be_none: bool = True) -> None:
    if not isinstance(value, Mapping) and not (value is None and may_be_none):
        raise ValueError(f'`{place}` must be a mapping, got {value!r}')


def merge(base: Mapping[str, Any], update: Mapping[str, Any], place: str = '') -> dict[str, Any]:
    """Merge nested mappings into a new one; `update` wins.

    Raises:
        ValueError: If a mapping would be replaced by a number or a text.
    """
    merged = dict(base)
    for key, value in update.items():
        former = merged.get(key)
        if isinstance(former, Mapping) and not isinstance(value, list):
            _check_mapping(f'{place}{key}', value)
        both = isinstance(value, Mapping) and isinstance(former, Mapping)
        merged[key] = merge(merged[key], value, f'{place}{key}.') if both else value
    return merged


def ensemble_inputs(
    code: orm.AbstractCode,
    protocol: str | None,
    overrides: Mapping[str, Any] | None,
    base_model: BaseModelData | ModelData | None = None,
) -> dict[str, Any]:
    """Return the inputs of an ensemble by its protocol, placed on the computer of a code.

    The word `family` of the overrides puts another family's model in the place of NequIP's. A model
    that is `ModelFromPackage` or `ModelFromCheckpoint` is the base model, in clear.

    Raises:
        ValueError: If there is no such protocol or family, a word has a value that it cannot
            have, or there is no base model where one is needed.
    """
    given = dict(overrides or {})
    family = families.load(given.pop('family', 'nequip'))
    check_overrides('ensemble', read('ensemble'), given)
    inputs = load('ensemble', protocol)
    if model := family.model(protocol or read('ensemble')['default_protocol']):
        parameters = inputs['training']['train']['parameters']
        parameters['training_module'] = parameters['training_module'] | {'model': model}
    inputs = merge(inputs, given)
    train = inputs['training']['train']
    if base_model is not None:
        train['parameters'] = starting.resolve(train['parameters'], base_model.get_model())
        train['base_model'] = base_model
    elif starting.needs_base(train['parameters']):
        raise ValueError(
            f'the protocol {protocol!r} needs a `base_model`: a NequIP package, which '
            '`aiida-enne ensemble base FILE` stores, or a trained member'
        )
    return place_training(inputs, code, given)


def fill(process_class: type[Process], inputs: dict[str, Any], code: orm.AbstractCode) -> Any:
    """Return a builder with the inputs, and the code in every port of that name.

    Args:
        process_class: Whose builder is filled.
        inputs: Nested plain values and nodes; ports turn plain values into nodes.
        code: Put wherever the specification has a required port `code`.
    """
    builder = process_class.get_builder()
    fill_builder(builder, with_code(process_class.spec().inputs, inputs, code))
    return builder


#: What AiiDA says before the complaint of the validator of all inputs.
WHOLE = "Error occurred validating port 'inputs': "


def complaint(builder: ProcessBuilder) -> str | None:
    """Return why a process would refuse the inputs of its builder, or None if it takes them."""
    ports = builder.process_class.spec().inputs
    error = ports.validate(ports.pre_process(inputs_of(builder)))
    # what concerns several inputs is said of none of them: the port of all says nothing to a reader
    return None if error is None else str(error).removeprefix(WHOLE)


def misspelt(builder: ProcessBuilder) -> str:
    """Return which keys of the trainings of a builder the trainer does not know."""
    for parameters in _trainings(inputs_of(builder)):
        if reason := families.family_of(parameters).misspelt(parameters):
            return reason
    return ''


def _trainings(inputs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the parameters of every training among nested inputs."""
    for name, value in inputs.items():
        if name == 'train' and isinstance(value, Mapping) and 'parameters' in value:
            yield value['parameters'].get_dict()
        elif isinstance(value, Mapping):
            yield from _trainings(value)


def with_code(
    ports: PortNamespace, inputs: Mapping[str, Any], code: orm.AbstractCode
) -> dict[str, Any]:
    """Return inputs with the code in every port of that name, plain mappings as nodes.

    Jobs are given the queue that `aiida-enne setup` noted of the computer of their code.
    """
    filled = dict(inputs)
    for name, port in ports.items():
        if isinstance(port, PortNamespace):
            if nested := with_code(port, filled.get(name, {}), code):
                filled[name] = nested
        elif name == 'code' and name not in filled:
            filled[name] = code
        elif isinstance(filled.get(name), dict) and not port.is_metadata:
            filled[name] = orm.Dict(filled[name])  # a builder takes a plain one for a namespace
    if 'code' in filled and 'options' in ports.get('metadata', {}):
        metadata = filled.get('metadata', {})
        options = queue(filled['code'].computer) | metadata.get('options', {})
        filled['metadata'] = metadata | {'options': options}
    return filled
