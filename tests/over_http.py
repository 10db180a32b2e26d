"""An installation over real HTTP: its API as a token uses it, its pages as somebody signed in does."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from tests.signing_in import PASSWORD, code_now

# What a system is asked may take its whole time limit.
LONGEST_SECONDS = 60
PROBLEM = {"type", "title", "status", "detail", "code", "field"}


class Caller:
    """The API as one person's token uses it."""

    def __init__(self, url: str, token: str) -> None:
        self.http = httpx.Client(
            base_url=f"{url}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=LONGEST_SECONDS,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def answer(
        self, method: str, path: str, body: Any = None, *, key: str = "", **options: Any
    ) -> httpx.Response:
        """Whatever comes back; `body` goes as JSON, `key` as the Idempotency-Key."""
        if body is not None:
            options["json"] = body
        return self.http.request(method, path, headers=_with_key(key), **options)

    def get(self, path: str, **parameters: Any) -> Any:
        """The JSON of what is read."""
        return _json(self.answer("GET", path, params=parameters), 200)

    def post(self, path: str, body: Any = None, *, status: int = 200, key: str = "") -> Any:
        """The JSON of what a call answers that must go through."""
        return _json(self.answer("POST", path, body, key=key), status)

    def send_csv(self, path: str, text: str, *, key: str = "") -> httpx.Response:
        """Whatever comes back for a CSV file."""
        headers = {"Content-Type": "text/csv", **_with_key(key)}
        return self.http.post(path, content=text.encode(), headers=headers)

    def send_file(self, path: str, file: Path, *, status: int = 201, **options: Any) -> Any:
        """The JSON of what a call answers that takes a file."""
        with file.open("rb") as stream:
            return _json(self.http.post(path, files={"file": (file.name, stream)}, **options), status)

    def refused(self, status: int, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The problem (RFC 9457) with which a call is refused."""
        return problem_of(self.answer(method, path, body, **options), status)

    def every(self, path: str, *, limit: int, **parameters: Any) -> list[Any]:
        """A whole list, read page by page; no page is longer than `limit`, and only the last may be empty."""
        items: list[Any] = []
        cursor: str | None = None
        while True:
            page = self.get(path, limit=limit, **parameters, **({"cursor": cursor} if cursor else {}))
            assert len(page["items"]) <= limit
            items += page["items"]
            cursor = page["next"]
            if cursor is None:
                return items
            assert len(page["items"]) == limit, "a page before the last one is full"


def problem_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The refusal in an answer, which must have this status and say all that a problem says."""
    assert answer.status_code == status, f"{answer.request.url} → {answer.status_code} {answer.text}"
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert set(body) >= PROBLEM and body["status"] == status and body["detail"]
    assert body["type"] == f"urn:partwell:problem:{body['code']}"
    return body


def _with_key(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key} if key else {}


def _json(answer: httpx.Response, status: int) -> Any:
    assert answer.status_code == status, f"{answer.request.url} → {answer.status_code} {answer.text}"
    return answer.json()


class SignedIn:
    """Somebody at the pages, without a browser: reads a form as it stands there, and sends it."""

    def __init__(self, url: str, email: str, secret: str) -> None:
        """Sign in with password and second factor, as the pages ask for them."""
        self.http = httpx.Client(base_url=url, timeout=LONGEST_SECONDS, follow_redirects=True)
        asked = self.submit("/account/login/", login=email, password=PASSWORD)
        assert "Your second factor" in asked.text
        home = self.submit(asked.url.path, code=code_now(secret))
        assert (home.status_code, home.url.path) == (200, "/")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def submit(self, page: str, *, form: str = "", **typed: str) -> httpx.Response:
        """Send the form of a page that leads to the address `form`, or to the page itself: what is hidden in
        it and what is typed. Returns the page to which that leads."""
        found = self.http.get(page)
        forms = _forms(found.text)
        address = form or page
        hidden = forms.get(address, None if form else forms.get(""))
        assert hidden is not None, f"{page} ({found.status_code}) has no form that leads to {address}"
        # As a browser says where it comes from: what was refused leads back there.
        return self.http.post(address, data={**hidden, **typed}, headers={"Referer": str(found.url)})

    def has_form(self, page: str, form: str) -> bool:
        """Whether a page offers a form to this address."""
        return form in _forms(self.http.get(page).text)


def _forms(page: str) -> dict[str, dict[str, str]]:
    """The forms of a page by the path that each leads to, with its hidden fields."""
    reader = _FormReader()
    reader.feed(page)
    return reader.forms


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self._inside: dict[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = self.forms.setdefault(urlsplit(named.get("action", "")).path, {})
        elif tag == "input" and named.get("type") == "hidden" and self._inside is not None:
            self._inside[named["name"]] = named.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = None
