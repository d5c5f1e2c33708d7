"""What an improvement refuses before anything is trained."""

import pytest

from aiida_enne.data.dataset import DatasetData
from aiida_enne.workflows import protocols
from tests.improving import builder_of, copper, make_data


@pytest.fixture(scope='module')
def data(python_code):
    """Return what is trained on, what judges, and a pool that knows some of both."""
    return make_data()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'arms': {'one': {'kind': 'randm'}}}, 'did you mean `random`'),
        ({'improving': {'round': 2}}, 'did you mean `rounds`'),
        ({'improving': {'warm': 'yes'}}, '`warm` must be true or false'),
        ({'improving': {'batch': 12}}, 'the `pool` only 11 configurations'),
        ({'exploration': {'temperatures': [300]}}, '`exploration`'),
        (
            {'arms': {'own': {'kind': 'uncertainty', 'estimator': 'recalibrated'}}},
            'takes 4 or more members, there are 2',
        ),
        ({'audit': {'ddofs': 1}}, 'ddofs'),
        (
            {'label': {'inputs': {'calculator': 'lammps-sw-si'}}},
            "the engine `ase` labels at 'Stillinger-Weber",
        ),
        ({'ensembel': {}}, 'did you mean `ensemble`'),
        ({'ensemble': {'atomic_energies': 'mean'}}, 'must be one of least_squares, isolated'),
        ({'ensemble': {'atomic_energies': {'Si': 1.0}}}, "give ['Cu'], too"),
        ({'ensemble': {'atomic_energies': 'isolated'}}, 'label isolated atoms'),
        ({'protocols': {'ensemble': 'fine-tune'}}, 'needs a `base_model`'),
    ],
)
def test_inputs_of_no_use_are_refused(python_code, data, change, message):
    try:
        why = protocols.complaint(builder_of(python_code, data, **change))
    except ValueError as exception:
        why = str(exception)
    assert why
    assert message in why


def test_held_out_data_must_not_be_trained_on(python_code, data):
    other = DatasetData.from_atoms(copper(range(60, 62)), level_of_theory='PBE').store()
    cases = (
        (data | {'held_out': data['dataset']}, 'must not hold what is trained on'),
        (data | {'held_out': other}, 'errors would compare two levels of theory'),
        ({k: v for k, v in data.items() if k != 'pool'}, 'there are no candidates'),
    )
    for given, message in cases:
        assert message in (protocols.complaint(builder_of(python_code, given)) or '')


def test_a_compound_starts_from_energies_that_its_training_sets_say(python_code, data):
    chosen = {'ensemble': {'atomic_energies': 'least_squares'}}
    builder = builder_of(python_code, data, **chosen)
    assert builder.ensemble.atomic_energies.value == 'least_squares'
    assert protocols.complaint(builder) is None
