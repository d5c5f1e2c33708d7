"""What schedulers call a GPU: a number of them, as the line of a job script that asks for it."""

import re

#: Directives by scheduler and by name; the first of a scheduler is its default.
FLAVOURS: dict[str, dict[str, str]] = {
    'core.slurm': {
        'gres': '#SBATCH --gres=gpu:{kind}{gpus}',
        'gpus': '#SBATCH --gpus={kind}{gpus}',
        'gpus-per-node': '#SBATCH --gpus-per-node={kind}{gpus}',
        'gpus-per-task': '#SBATCH --gpus-per-task={kind}{gpus}',
    },
    'hyperqueue': {'resource': '#HQ --resource gpus/{kind}={gpus}'},
}
#: The plugin of HyperQueue writes no directives but its own; HyperQueue itself reads those that
#: follow them, so there they are the first lines that the computer puts before every job.
IN_PREPEND_TEXT = ('hyperqueue',)
#: Without a queue nobody hands out GPUs: a job sees all there are.
WITHOUT_QUEUE = ('core.direct',)

WORD = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.+-]*')


def gpu_directive(
    scheduler: str, gpus: int, *, directive: str | None = None, kind: str | None = None
) -> str:
    """Return the line that asks for GPUs; empty where none is needed.

    Args:
        scheduler: Entry point of the scheduler, e.g. `core.slurm`.
        gpus: GPUs of a job.
        directive: Name of a flavour of the scheduler, or a whole line with `{gpus}` for the number.
        kind: Type of the GPU where the scheduler tells them apart, e.g. `h100`.

    Raises:
        ValueError: If a value is not what is said here, or nobody knows the scheduler's word.
    """
    if type(gpus) is not int or gpus < 0:
        raise ValueError(f'`gpus` must be a whole number of GPUs, 0 or more, got {gpus!r}')
    if kind is not None and not WORD.fullmatch(kind):
        raise ValueError(f'the type of the GPU must be one word like `h100`, got {kind!r}')
    if not gpus:
        return ''
    # a whole line with a place for the number of GPUs
    is_line = directive is not None and directive.startswith('#') and directive.isprintable()
    if directive is not None and is_line and '{gpus}' in directive:
        return directive.replace('{gpus}', str(gpus)).replace('{type}', kind or '')
    if scheduler in WITHOUT_QUEUE and directive is None:
        return ''
    flavours = FLAVOURS.get(scheduler, {})
    name = directive or next(iter(flavours), None)
    if name not in flavours:
        known = f'one of {list(flavours)} or ' if flavours else ''
        raise ValueError(
            f'the directive for GPUs of `{scheduler}` must be {known}a line that begins with # and '
            f'holds {{gpus}} for their number, got {directive!r}'
        )
    # a type comes with a colon in SLURM; HyperQueue's resource is named by the maker
    text = (kind or 'nvidia') if scheduler == 'hyperqueue' else (f'{kind}:' if kind else '')
    return flavours[name].format(gpus=gpus, kind=text)


def cores(scheduler: str, number: int) -> dict[str, int]:
    """Return the resources of a job of one task with so many cores, in the scheduler's words."""
    if scheduler == 'hyperqueue':
        return {'num_cpus': number}
    resources = {'num_machines': 1, 'num_mpiprocs_per_machine': 1}
    if scheduler not in WITHOUT_QUEUE and number > 1:
        resources['num_cores_per_mpiproc'] = number
    return resources
