import numpy as np
import pytest

from aiida_enne.science.uncertainty.scans import compare, row


def rows(rng, level, members=5, **axes):
    """Return a grid of points whose members' errors have a given MAE."""
    made = []
    names = list(axes)
    for index, combination in enumerate(
        np.stack(np.meshgrid(*axes.values()), -1).reshape(-1, len(axes))
    ):
        values = dict(zip(names, combination.tolist(), strict=True))
        scale = level(**values) * np.sqrt(np.pi / 2)
        made.append(row(f'point {index}', values, scale * rng.normal(size=(members, 4000))))
    return made


def test_a_row_is_what_numpy_says(rng):
    errors = rng.normal(size=(4, 50))
    found = row('a', {'l_max': 2}, errors, ddof=1)
    assert found.member_maes == pytest.approx(np.abs(errors).mean(axis=1))
    assert found.mae == pytest.approx(np.abs(errors.mean(axis=0)).mean())
    assert found.rmse == pytest.approx(np.sqrt((errors.mean(axis=0) ** 2).mean()))
    assert found.spread == pytest.approx(errors.std(axis=0, ddof=1).mean())
    assert found.member_mae == found.member_maes.mean()
    assert found.member_mae_std == pytest.approx(found.member_maes.std(ddof=1))
    # averaging members never makes the error larger than theirs on average
    assert found.mae <= found.member_mae


def test_one_member_has_no_spread(rng):
    found = row('a', {}, rng.normal(size=(1, 9)))
    assert np.isnan(found.spread)
    assert np.isnan(found.member_mae_std)


def test_a_grid_is_compared_along_each_of_its_axes(rng):
    made = rows(
        rng,
        lambda l_max, n_train: [0.2, 0.12, 0.09, 0.08][int(l_max)],
        l_max=[3, 1, 0, 2],
        n_train=[5000, 500],
    )
    by_l = compare(made, 'l_max')
    assert [one.held for one in by_l] == [{'n_train': 500}, {'n_train': 5000}]
    for one in by_l:
        assert one.values == (0, 1, 2, 3)
        assert one.member_mae == pytest.approx([0.2, 0.12, 0.09, 0.08], rel=0.03)
        assert one.best == 3
        assert one.relative_range == pytest.approx(1.5, rel=0.05)
        assert one.last_change == pytest.approx(-1 / 9, abs=0.03)
        assert one.n_seeds.tolist() == 4 * [5]
        assert not one.flat(0.1)
        assert one.converged_at(0.2) == 2
    by_n = compare(made, 'n_train')
    assert len(by_n) == 4
    for one in by_n:
        assert one.values == (500, 5000)
        assert one.flat(0.05)
        assert one.converged_at(0.05) == 500


def test_points_with_the_same_values_are_more_seeds(rng):
    made = [row(str(k), {'densities': 2}, rng.normal(size=(3, 10))) for k in range(2)]
    (found,) = compare(made, 'densities')
    every = np.concatenate([one.member_maes for one in made])
    assert found.n_seeds.tolist() == [6]
    assert found.member_mae == pytest.approx([every.mean()])
    assert found.member_mae_std == pytest.approx([every.std(ddof=1)])
    assert np.isnan(found.last_change)


def test_text_is_a_value_too(rng):
    made = [row(v, {'kind': v}, rng.normal(size=(2, 5))) for v in ('b', 'a')]
    assert compare(made, 'kind')[0].values == ('a', 'b')


def test_what_cannot_be_compared_is_refused(rng):
    with pytest.raises(ValueError, match="a value of 'l_max'"):
        compare([], 'l_max')
    with pytest.raises(ValueError, match="a value of 'l_max'"):
        compare([row('a', {'n': 1}, rng.normal(size=(2, 5)))], 'l_max')
    mixed = [row('a', {'n': 1}, np.ones((2, 5))), row('b', {'n': 1, 'm': 2}, np.ones((2, 5)))]
    with pytest.raises(ValueError, match='the same others'):
        compare(mixed, 'n')
    for errors in (np.zeros((0, 5)), np.zeros(5), np.full((2, 5), np.nan)):
        with pytest.raises(ValueError, match='a: errors must be finite'):
            row('a', {}, errors)
