"""What jobs need on a computer, as `aiida-enne setup` noted it, and GPUs as inputs.

`gpus`, `gpu_directive`, `gpu_type` and `members_per_gpu` are words of the protocols, no ports: they
become the scheduler's directive, the device and the number of processes.
"""

from collections.abc import Mapping
from typing import Any

from aiida import orm

from aiida_enne import families
from aiida_enne.calculations.nequip_train import AUTO
from aiida_enne.machines import schedulers

#: Property of a computer: queue, account, qos and GPUs of its jobs.
PROPERTY = 'aiida_enne'
WORDS = ('gpus', 'gpu_directive', 'gpu_type', 'members_per_gpu')


def known_of(computer: orm.Computer | None) -> dict[str, Any]:
    """Return what `aiida-enne setup` noted of a computer; empty where it was made otherwise."""
    return {} if computer is None else dict(computer.get_property(PROPERTY, {}))


def queue(computer: orm.Computer | None) -> dict[str, str]:
    """Return where a job queues and who pays, as far as that is known."""
    known = known_of(computer)
    return {name: known[name] for name in ('queue_name', 'account', 'qos') if name in known}


def job_options(computer: orm.Computer | None, gpus: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a job: where it queues, who pays, and the directive for its GPUs.

    Args:
        computer: Where the job runs.
        gpus: The words of the protocol; those that are absent or null are the computer's.

    Raises:
        ValueError: If the number or the directive of the GPUs cannot be used.
    """
    known, options = known_of(computer), queue(computer)
    number, scheduler = gpus.get('gpus') or 0, scheduler_of(computer)
    directive = schedulers.gpu_directive(
        scheduler,
        number,
        directive=_first(gpus.get('gpu_directive'), known.get('gpu_directive')),
        kind=_first(gpus.get('gpu_type'), known.get('gpu_type')),
    )
    if scheduler in schedulers.IN_PREPEND_TEXT:
        if number != known.get('gpus', 0):
            raise ValueError(
                f'`gpus` is {number}, but jobs of this computer ask {scheduler} for '
                f'{known.get("gpus", 0)}: make another computer with `gpus: {{per_job: {number}}}` '
                'by `aiida-enne setup`'
            )
    elif directive:
        options['custom_scheduler_commands'] = directive
    return options


def place_training(
    inputs: dict[str, Any], code: orm.AbstractCode, overrides: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Turn the words for GPUs of an ensemble's protocol into ports of its jobs.

    On GPUs `members_per_gpu` members share each, one process each, or all in one process where
    `strategy` is `vectorised`; without GPUs `strategy` and `processes` say how members share the
    cores, and `auto` lets the ensemble choose. What the overrides set themselves is left alone.

    Raises:
        ValueError: If a word has a value that it cannot have.
    """
    words, rest = take_words(inputs)
    train, given = dict(rest['training']['train']), dict(overrides or {})
    computer, gpus = code.computer, words['gpus']
    if gpus:
        members = _first(words['members_per_gpu'], known_of(computer).get('members_per_gpu'), 1)
        if type(members) is not int or members < 1:
            raise ValueError(f'`members_per_gpu` must be 1 or more, got {members!r}')
        packed = gpus * members
        how = train.get('strategy', AUTO)
        how = 'parallel' if how in (AUTO, 'sequential') else how
        at_a_time = gpus if how == 'vectorised' else packed
        train |= {'strategy': how, 'processes': at_a_time, 'gpus': gpus}
        if 'members_per_job' not in given:
            rest['members_per_job'] = packed
    family = families.family_of(train['parameters'])
    chosen = train.get('strategy', '')
    if chosen in family.kernels:
        train['kernel'] = family.kernels[chosen]
    elif chosen in ('vectorised', 'fused'):
        raise ValueError(f'{family.name} has no strategy `{chosen}`; use `auto`')
    accelerator = 'training.train.parameters.trainer.accelerator'
    if not has(given, accelerator):
        trainer = train['parameters']['trainer'] | {'accelerator': 'gpu' if gpus else 'cpu'}
        train['parameters'] = train['parameters'] | {'trainer': trainer}
    options = train['metadata']['options'] | {}
    if not has(given, 'training.train.metadata.options.resources'):
        alone = train.get('strategy', 'sequential') == 'sequential'
        at_a_time = 1 if alone else train.get('processes', 1)
        options['resources'] = schedulers.cores(scheduler_of(computer), at_a_time)
    train['metadata'] = train['metadata'] | {'options': add(job_options(computer, words), options)}
    return rest | {'training': rest['training'] | {'train': train}}


def place_prediction(
    inputs: dict[str, Any], code: orm.AbstractCode, overrides: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Turn the words for GPUs of a prediction's protocol into ports of its jobs.

    Raises:
        ValueError: If a word has a value that it cannot have; a prediction uses one GPU at most.
    """
    words, rest = take_words(inputs)
    gpus = words['gpus']
    if gpus not in (0, 1):
        raise ValueError(
            f'a job of predictions uses no more than one GPU, `gpus` is {gpus!r}; with fewer '
            '`members_per_job` more jobs share the work'
        )
    predict, given = dict(rest['predict']), dict(overrides or {})
    if not has(given, 'predict.device'):
        predict['device'] = 'cuda' if gpus else 'cpu'
    options = predict['metadata']['options'] | {}
    if not has(given, 'predict.metadata.options.resources'):
        threads = predict.get('threads') or 1
        options['resources'] = schedulers.cores(scheduler_of(code.computer), threads)
    placed = add(job_options(code.computer, words), options)
    predict['metadata'] = predict['metadata'] | {'options': placed}
    return rest | {'predict': predict}


def take_words(inputs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the words for GPUs, and all other inputs.

    Raises:
        ValueError: If `gpus` is not a number of GPUs.
    """
    words = {name: inputs.get(name) for name in WORDS}
    words['gpus'] = gpus = words['gpus'] or 0
    if type(gpus) is not int or gpus < 0:
        raise ValueError(f'`gpus` must be a whole number of GPUs, 0 or more, got {gpus!r}')
    return words, {name: value for name, value in inputs.items() if name not in WORDS}


def add(placed: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return both; the options win, but for commands of the scheduler, where both are kept."""
    lines = [one.get('custom_scheduler_commands') for one in (placed, options)]
    merged = placed | dict(options)
    if any(lines):
        merged['custom_scheduler_commands'] = '\n'.join(filter(None, lines))
    return merged


def has(given: Mapping[str, Any], path: str) -> bool:
    """Return whether nested overrides say something of their own."""
    place: Any = given
    for name in path.split('.'):
        if not isinstance(place, Mapping) or name not in place:
            return False
        place = place[name]
    return True


def scheduler_of(computer: orm.Computer | None) -> str:
    """Return the entry point of the scheduler of a computer."""
    return 'core.direct' if computer is None else str(computer.scheduler_type)


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
