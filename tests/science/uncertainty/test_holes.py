"""Findings of audits with holes: nothing undefined is formatted, and the worst comes first."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_enne.science.uncertainty.findings import find

#: What no sentence may show: a hole of Python's, formatted.
HOLE = re.compile(r'\b(None|nan|inf)\b')
HOLES = st.sampled_from([None, 0.0, 'absent'])


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_sentences_of_audits_with_holes(audited, data):
    """Any scalar but the counts may be undefined, zero or missing in any domain."""
    domains, parameters = audited.domains, audited.parameters
    counts = {'n_members', 'n_configurations', 'n_blocks', 'n_trajectories', 'n_force_components'}
    punched = {}
    for name, known in domains.items():
        keys = sorted(set(known) - counts)
        holes = data.draw(st.dictionaries(st.sampled_from(keys), HOLES, max_size=len(keys)))
        every = data.draw(st.sampled_from(['', 'energy', 'force']))
        holes |= {key: None for key in keys if every and key.startswith(every)}
        punched[name] = {
            key: holes.get(key, value) for key, value in known.items() if holes.get(key) != 'absent'
        }
    found = find(punched, parameters)
    assert not [one.text for one in found if HOLE.search(one.text)]
    for prefix in ('energy', 'force'):
        silent = [
            name
            for name, one in punched.items()
            if one.get(f'{prefix}_spread_rms') == 0 and (one.get(f'{prefix}_rmse') or 0) > 0
        ]
        heads = [one.text for one in found if one.topic == 'silent']
        for name in silent:
            assert any(name in text for text in heads)
        if silent:
            assert found[0].topic == 'silent'
