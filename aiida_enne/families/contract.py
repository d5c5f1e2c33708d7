"""The contract of a family of models as checks, for the tests of any package that registers one."""

from __future__ import annotations

import json
from typing import Any

from aiida_enne import families
from aiida_enne.families.interface import Family
from aiida_enne.science.contracts import ContractError, require

DATA = ('dataset', 'level of theory', 'split')


def check_family(name: str, parameters: dict[str, Any]) -> Family:
    """Check everything that a family defines, with all its strategies, and return it.

    Args:
        name: Under which it is registered.
        parameters: Of a training that it accepts.

    Raises:
        ContractError: If something is missing, of another type or says what it must not.
    """
    family = families.load(name)
    require(isinstance(family, Family), f'{family} lacks members of `interface.Family`')
    require(family.name == name, f'it is registered as {name!r} and calls itself {family.name!r}')
    require(families.family_of(parameters) is family, f'it does not own the model of {parameters}')
    require('sequential' in family.strategies, 'there is no strategy `sequential`')
    require(
        set(family.kernels) <= set(family.strategies) and all(family.kernels.values()),
        f'each of the `kernels` has a name and goes with a strategy, got {family.kernels}',
    )
    jobs = {name: families.scripts_of(family, name) for name in families.strategies_of(family)}
    jobs['prediction'] = {script: family.script(script) for script in family.prediction_scripts}
    for job, texts in jobs.items():
        require(bool(texts), f'{job!r} has no scripts')
        for script, text in texts.items():
            require(bool(text.strip()), f'the script {script} is empty')
    require(
        family.gain >= 1 and ('vectorised' in family.kernels) == (family.gain > 1),
        f'a kernel of `vectorised` goes with a `gain` above 1, got {family.gain}',
    )
    _check_training(family, parameters)
    for members in (1, 30):
        chosen, reason = family.choose(parameters, members=members, frames=100)
        require(chosen in family.strategies, f'it chooses {chosen!r}, not one of its strategies')
        require(bool(reason), 'it chooses a strategy without a reason')
    model = parameters['training_module']['model']
    require(bool(family.describe(model)), 'a model is described by nothing')
    for seconds in (family.step_seconds(model), family.inference_seconds(model)):
        require(seconds > 0, f'a cost must be positive, got {seconds}')
    try:
        family.step_seconds({})
    except ValueError:
        return family
    raise ContractError('the cost of a model of unknown size must be a ValueError')


def _check_training(family: Family, parameters: dict[str, Any]) -> None:
    before = json.dumps(parameters)
    require(family.check(parameters) is None, f'it refuses {parameters}')
    require(family.check({}) is not None, 'it accepts no parameters at all')
    one, two = (family.render(parameters, seed=seed, elements=['Cu']) for seed in (1, 2))
    require(one != two, 'the seed does not enter the configuration')
    require(one == family.render(parameters, seed=1, elements=['Cu']), 'it is not reproducible')
    require(json.dumps(parameters) == before, 'the parameters were changed')
    identities = {
        family.identity(parameters, seed=seed, elements=elements, data=data, kernel=kernel)
        for seed, elements, data, kernel in (
            (1, ['Cu'], DATA, ''),
            (2, ['Cu'], DATA, ''),
            (1, ['Al', 'Cu'], DATA, ''),
            (1, ['Cu'], ('another', *DATA[1:]), ''),
            (1, ['Cu'], DATA, 'a kernel'),
        )
    }
    require(len(identities) == 5, 'the identity of a model misses seed, elements, data or kernel')
    turned = dict(reversed(parameters.items()))
    same = family.identity(turned, seed=1, elements=['Cu'], data=DATA)
    require(same in identities, 'the identity depends on the order of keys')
