"""Tests for ensembles whose members begin with models that there are."""

import pytest
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager

from aiida_enne.data.model import ModelData, beginning
from aiida_enne.families.nequip import training
from aiida_enne.workflows import protocols
from aiida_enne.workflows.training.ensemble import EnsembleWorkChain


@pytest.fixture
def build(dataset, split, train_code):
    """Return a function: `builder = build(**overrides)`."""

    def run(**overrides):
        return EnsembleWorkChain.get_builder_from_protocol(
            train_code, dataset, split, protocol='test', overrides=overrides
        )

    return run


@pytest.fixture
def begun(build, dataset, split):
    """Return a function that stores a model as a training with these inputs would leave it."""

    def run(number, **changes):
        config = training.render(
            build().training.train.parameters.get_dict(), seed=number, elements=dataset.elements
        )
        config['training_module']['model'] |= changes
        return ModelData.from_files(
            b'weights',
            config,
            identity=str(number),
            seed=number,
            weights_sha256=f'{number:064x}',
            elements=dataset.elements,
        ).store()

    return run


def test_members_begin_with_the_models_given_to_them(build, begun, dataset, split):
    """Each job is given those of its members; its identity has what it began with."""
    initial = {f'seed_{seed}': begun(seed + 10) for seed in (1, 3)}
    builder = build(seeds=[1, 2, 3], members_per_job=2)
    builder.initial_models = initial
    process = instantiate_process(get_manager().get_runner(), builder)
    process.find_known()
    given = {}
    for name in process.ctx.waiting:
        given |= dict(process.job(name)[1]['train'].get('initial_models', {}))
    assert given == initial

    def identity(model):
        train = builder.training.train.parameters.get_dict()
        data = (dataset.sha256, dataset.level_of_theory, split.sha256, *beginning(model))
        return training.identity(train, seed=1, elements=dataset.elements, data=data)

    found = [identity(model) for model in (None, initial['seed_1'], initial['seed_3'])]
    assert len(set(found)) == 3


def test_models_to_begin_with_must_fit(build, begun):
    def refusal(**initial):
        builder = build()
        builder.initial_models = initial
        return protocols.complaint(builder) or ''

    assert refusal(seed_1=begun(11), seed_2=begun(12)) == ''
    assert "`initial_models` holds ['seed_9'], the members are" in refusal(seed_9=begun(11))
    said = refusal(seed_1=begun(11, num_features=16))
    assert 'seed_1 cannot begin with' in said
    assert '`num_features` is 4 here, 16 there' in said
    assert "`type_names` is ['Cu'] here" in refusal(seed_1=begun(11, type_names=['Al', 'Cu']))
    foreign = begun(11, _target_='nequip.model.ModelFromPackage')
    assert 'takes its weights from elsewhere' in refusal(seed_1=foreign)
