"""People who are signed in at the OpenID providers of the tests."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.servers.oidc import OidcServer


@pytest.fixture
def person(oidc_server: OidcServer):
    found = oidc_server.sign_in()
    with closing(found.browser):
        yield found


@pytest.fixture
def colleague(oidc_server: OidcServer):
    found = oidc_server.sign_in()
    with closing(found.browser):
        yield found


@pytest.fixture
def plain_person(plain_oidc_server: OidcServer):
    found = plain_oidc_server.sign_in()
    with closing(found.browser):
        yield found
