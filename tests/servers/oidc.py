"""An OpenID Connect provider (oidc-provider, a process of node) on a free port, and people who sign in."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from json import dumps
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from tests.servers.catalogue import server
from tests.servers.running import free_port, running

SCRIPT = Path(__file__).parent / "oidc_provider" / "provider.mjs"
BACK = "https://app.firm.test/back"
_numbers = count(1)


@dataclass
class SignedIn:
    """Somebody with an open session, and the tokens that the application got for them."""

    sub: str
    browser: httpx.Client = field(repr=False)
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)

    @property
    def email(self) -> str:
        return f"{self.sub}@firm.test"


@dataclass(frozen=True)
class OidcServer:
    """A running provider. `secret` is that of each of its clients: `app`, which gets people's tokens,
    `partwell`, and `stranger`, who is shown no token as active."""

    url: str
    secret: str = field(repr=False)
    bearer: str = field(repr=False)
    is_plain: bool = False

    def sign_in(self) -> SignedIn:
        """A fresh person, signed in to the application by way of the provider's own pages."""
        person = SignedIn(f"person{next(_numbers)}", httpx.Client(timeout=10), "", "")
        page = self._authorize(person.browser)
        assert page.status_code == 200 and "Sign in" in page.text, page
        answer = person.browser.post(page.url, data={"sub": person.sub})
        code = parse_qs(urlsplit(self._follow(person.browser, answer)).query)["code"][0]
        tokens = self._token(grant_type="authorization_code", code=code, redirect_uri=BACK)
        assert tokens.status_code == 200, tokens.text
        person.access_token = tokens.json()["access_token"]
        person.refresh_token = tokens.json()["refresh_token"]
        return person

    def has_session(self, person: SignedIn) -> bool:
        """Whether the provider lets the browser into the application without signing in again."""
        answer = self._authorize(person.browser)
        if answer.is_redirect:
            return "code" in parse_qs(urlsplit(answer.headers["location"]).query)
        assert answer.status_code == 200 and "Sign in" in answer.text, answer
        return False

    def refresh(self, token: str) -> httpx.Response:
        """The answer to the application that wants new tokens."""
        return self._token(grant_type="refresh_token", refresh_token=token)

    def is_active(self, token: str) -> bool:
        """What introspection says of a token."""
        answer = httpx.post(
            f"{self.url}/token/introspection", data={"token": token}, auth=("partwell", self.secret)
        )
        return bool(answer.json()["active"])

    def userinfo(self, token: str) -> int:
        """The status of the answer to an access token that asks whose it is."""
        return httpx.get(f"{self.url}/me", headers={"authorization": f"Bearer {token}"}).status_code

    def _authorize(self, browser: httpx.Client) -> httpx.Response:
        """A page of the provider's, or the redirect that leads back to the application."""
        asked = {"client_id": "app", "response_type": "code", "scope": "openid email", "redirect_uri": BACK}
        answer = browser.get(f"{self.url}/auth", params=asked)
        while answer.is_redirect and not answer.headers["location"].startswith(BACK):
            answer = browser.get(urljoin(str(answer.url), answer.headers["location"]))
        return answer

    def _follow(self, browser: httpx.Client, answer: httpx.Response) -> str:
        """Where redirects lead, at the application."""
        while not (where := urljoin(str(answer.url), answer.headers["location"])).startswith(BACK):
            answer = browser.get(where)
        return where

    def _token(self, **form: str) -> httpx.Response:
        if self.is_plain:
            return httpx.post(f"{self.url}/token", data=self._client() | form)
        return httpx.post(f"{self.url}/token", data=form, auth=("app", self.secret))

    def _client(self) -> dict[str, Any]:
        return {"client_id": "app", "client_secret": self.secret}


@contextmanager
def oidc(folder: Path, *, is_plain: bool = False) -> Iterator[OidcServer]:
    """A fresh provider. A plain one offers neither introspection nor global revocation, and takes the
    client's secret in the body alone."""
    folder.mkdir()
    port = free_port()
    found = OidcServer(
        f"http://127.0.0.1:{port}", secrets.token_hex(16), secrets.token_hex(16), is_plain=is_plain
    )
    given = {
        "modules": str(server("oidc-provider").folder / "node_modules"),
        "port": port,
        "secret": found.secret,
        "bearer": found.bearer,
        "plain": is_plain,
    }

    def is_ready() -> bool:
        try:
            return httpx.get(f"{found.url}/.well-known/openid-configuration", timeout=1).status_code == 200
        except httpx.HTTPError:
            return False

    with running(["node", str(SCRIPT), dumps(given)], ready=is_ready, log=folder / "provider.log"):
        yield found
