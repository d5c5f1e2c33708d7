"""Tests for cutting and joining: it is as if nothing had been cut."""

from dataclasses import replace

import numpy as np
import pytest

from aiida_enne.science.data import labelling


def label(piece, kept=None):
    """Return a piece as an engine gives it: with its own numbering, here and there a failure."""
    chosen = np.arange(len(piece)) if kept is None else np.array(kept)
    return replace(piece.select(chosen), info={'configuration': chosen.astype(float)})


@pytest.mark.parametrize('size', [1, 3, 10, 99])
def test_pieces_join_to_the_whole(configurations, size):
    pieces = labelling.cut(configurations.unlabelled(), size)
    assert sum(map(len, pieces)) == len(configurations)
    assert max(map(len, pieces)) <= size
    labelled = {n: label(piece) for n, piece in enumerate(labelling.cut(configurations, size))}
    joined = labelling.join(configurations, labelled, size)
    expected = replace(configurations, info={'configuration': np.arange(10.0)})
    for name, array in expected.as_arrays().items():
        np.testing.assert_array_equal(joined.as_arrays()[name], array, err_msg=name)
    assert labelling.list_failures(configurations, joined, {}) == []


def test_what_is_not_there_is_listed(configurations):
    pieces = labelling.cut(configurations, 4)
    joined = labelling.join(configurations, {2: label(pieces[2]), 0: label(pieces[0], [1, 3])}, 4)
    assert joined.info['configuration'].tolist() == [1, 3, 8, 9]
    assert joined.blocks.tolist() == configurations.blocks[[1, 3, 8, 9]].tolist()
    failures = labelling.list_failures(configurations, joined, {0: 'no SCF', 8: 'unused'})
    assert [item['configuration'] for item in failures] == [0, 2, 4, 5, 6, 7]
    assert [item['message'] for item in failures[:2]] == ['no SCF', 'no reason was given']
    assert failures[0]['domain'] == 'cold'


def test_pieces_that_do_not_fit_are_refused(configurations):
    pieces = labelling.cut(configurations, 5)
    with pytest.raises(ValueError, match='piece 0 do not tell'):
        labelling.join(configurations, {0: pieces[0]}, 5)
    with pytest.raises(ValueError, match='labelled twice'):
        labelling.join(configurations, {0: label(pieces[0], [1, 1])}, 5)
    other = replace(label(pieces[0]), numbers=pieces[0].numbers + 1)
    with pytest.raises(ValueError, match='other atoms'):
        labelling.join(configurations, {0: other}, 5)
    with pytest.raises(ValueError, match='at least 1 configuration, got 0'):
        labelling.cut(configurations, 0)
    assert labelling.join(configurations, {}, 5) is None
