"""A profile on SQLite with AiiDA's own broker and a daemon of two workers."""

import pytest

from tests.services.conftest import SLOW
from tests.services.site import Site


@pytest.fixture(scope='package')
def site(tmp_path_factory, aiida_config_factory, aiida_profile_factory):
    """Return AiiDA on SQLite and `core.zeromq` with a running daemon."""
    folder = tmp_path_factory.mktemp('embedded')
    (folder / 'slow.py').write_text(SLOW)
    with (
        aiida_config_factory(folder / 'aiida') as config,
        aiida_profile_factory(config, broker_backend='core.zeromq') as profile,
    ):
        made = Site(profile, folder / 'work', folder)
        made.start_daemon()
        try:
            yield made
        finally:
            made.stop_daemon()


@pytest.fixture(scope='package')
def local(site):
    """Return this Python on localhost."""
    return site.add_local()
