"""Two studies at once on PostgreSQL, through SSH and SLURM."""

import pytest

from tests.services.site import GPU
from tests.services.two import assert_complete, submit_two

pytestmark = [pytest.mark.services, pytest.mark.slow]


def test_two_studies_at_once(site, cluster):
    """Two of the twelve jobs run at a time, one on each GPU; the others wait."""
    assert_complete(site, submit_two(site, cluster, GPU))
