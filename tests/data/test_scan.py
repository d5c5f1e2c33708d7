"""Tests for `ScanData`."""

import pytest
from aiida.common.exceptions import ValidationError

from aiida_enne.data.scan import ScanData
from aiida_enne.science.plans.points import Trained

POINTS = {
    f'n_train_{n}': Trained(values={'n_train': n}, n_train=n, members={'seed_1': f'{n}' * 32})
    for n in (10, 20)
}
ROLES = {'training': 'd' * 64}


def test_a_scan_gives_back_what_went_in_and_says_what_it_is(aiida_profile_clean):
    node = ScanData.from_points('sizes', POINTS, ROLES).store()
    assert (node.kind, node.points, node.roles) == ('sizes', POINTS, ROLES)
    assert node.get_description() == 'sizes: 2 members at 2 points'


def test_equal_content_has_an_equal_hash_and_any_other_has_not(aiida_profile_clean):
    one = ScanData.from_points('sizes', POINTS, ROLES).store()
    turned = ScanData.from_points('sizes', dict(reversed(POINTS.items())), ROLES).store()
    assert one.sha256 == turned.sha256
    assert one.base.caching.get_hash() == turned.base.caching.get_hash()
    for other in (
        ScanData.from_points('grid', POINTS, ROLES),
        ScanData.from_points('sizes', POINTS, {'liquid': 'd' * 64}),
        ScanData.from_points('sizes', {'n_train_10': POINTS['n_train_10']}, ROLES),
    ):
        assert other.sha256 != one.sha256


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'kind': 'moods'}, '`kind of a scan` must be one of'),
        ({'points': {}}, 'at least one'),
        ({'points': {'a': {'values': {}, 'n_trian': 1}}}, r'a: unknown n_trian \(did you mean'),
        ({'roles': {'liquid': 'e' * 64}}, 'not the one that `sha256` describes'),
    ],
)
def test_what_is_no_scan_is_not_stored(aiida_profile_clean, change, message):
    node = ScanData.from_points('sizes', POINTS, ROLES)
    node.base.attributes.set_many(change)
    with pytest.raises(ValidationError, match=message):
        node.store()
