"""A profile on SQLite with AiiDA's own broker and a daemon of two workers."""

import pytest

from tests.embedded.site import EmbeddedSite
from tests.services.conftest import SLOW


@pytest.fixture(scope='package')
def site(tmp_path_factory, aiida_config_factory, aiida_profile_factory):
    """Return AiiDA on SQLite and `core.zeromq` with a running daemon."""
    folder = tmp_path_factory.mktemp('embedded')
    (folder / 'slow.py').write_text(SLOW)
    with (
        aiida_config_factory(folder / 'aiida') as config,
        aiida_profile_factory(config, broker_backend='core.zeromq') as profile,
    ):
        made = EmbeddedSite(profile, folder / 'work', folder)
        try:
            made.start_daemon()
            yield made
        finally:
            made.stop_daemon()


@pytest.fixture(scope='package')
def local(site):
    """Return this Python on localhost."""
    return site.add_local()
