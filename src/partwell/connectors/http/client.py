"""Sending the declared requests, and what their answers mean: success, accepted, absent, or unknown."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from json import dumps
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind
from partwell.connector_kit.pacing import next_link, retry_at
from partwell.connector_kit.transport import Answer, Transport
from partwell.connectors.http.conditions import MISSING, at, document_of, meets, same
from partwell.connectors.http.model import HttpDeclaration, Listing, Paging, Request
from partwell.connectors.http.placeholders import body_of, path_of, text_of


class Meaning(StrEnum):
    """What a declared answer says."""

    SUCCESS = "success"
    ACCEPTED = "accepted"
    ABSENT = "absent"


@dataclass(frozen=True)
class Reply:
    """An answer that the declaration knows."""

    meaning: Meaning
    answer: Answer

    def document(self) -> Any:
        """The answer's JSON. Raises RETRYABLE when it is none."""
        return self.answer.json()


class Client:
    """The target behind one connection, asked as its file declares."""

    def __init__(self, connection: Connection, declared: HttpDeclaration) -> None:
        self._connection = connection
        self._declared = declared
        settings = connection.settings
        self.transport: Transport = connection.transport
        self._base = str(settings["url"]).rstrip("/")
        if urlsplit(self._base).query or urlsplit(self._base).fragment:
            raise ConnectorError(ErrorKind.INVALID, "The url ends with its path: no '?' and no '#'.")
        self._ca_file = str(settings.get("ca_file", ""))
        self._allow_plain = bool(settings.get("allow_plain", False))
        self._timeout = float(settings.get("timeout_seconds", 20))
        self._values = {
            f"settings.{name}": str(settings[name])
            for name, rule in declared.settings.items()
            if not rule.secret and name in settings
        }

    async def ask(self, request: Request, values: Mapping[str, str]) -> Reply:
        """Send one request. Raises for every answer that the file does not declare; none is guessed at."""
        filled = {**self._values, **values}
        query = {name: text_of(text, filled) for name, text in request.query.items()}
        url = self._base + path_of(request.path, filled) + (f"?{urlencode(query)}" if query else "")
        return await self._send(request, url, filled)

    async def check_alive(self) -> None:
        """Before an absence is believed, the test has to answer as declared: a wrong address, a proxy or a
        service that is down says 404 as well."""
        await self.ask(self._declared.test, {})

    async def pages(self, listing: Listing, values: Mapping[str, str]) -> AsyncIterator[list[dict[str, Any]]]:
        """The items of a list, page by page. Raises where a page fails, repeats or is missing."""
        filled = {**self._values, **values}
        request, paging = listing.request, listing.paging
        first = {name: text_of(text, filled) for name, text in request.query.items()}
        base = self._base + path_of(request.path, filled)
        if paging and paging.style in ("page", "offset"):
            first[paging.query] = str(paging.first)
        url = base + (f"?{urlencode(first)}" if first else "")
        seen: list[Any] = []
        asked = {url}
        count = 0
        for number in range(paging.max_pages if paging else 1):
            reply = await self._send(request, url, filled)
            if paging is None and _link(url, reply.answer):
                raise _unknown("It has further pages, and the file declares no paging.", reply.answer)
            if reply.meaning is Meaning.ABSENT:
                if number:
                    raise _unknown("A later page is said not to exist.", reply.answer)
                await self.check_alive()
                return
            document = reply.document()
            items = _items(listing, document, reply.answer)
            total = _total(paging, document, reply.answer)
            if items and any(same(items, page) for page in seen):
                raise _unknown("The same page came twice.", reply.answer)
            seen = [items]  # a target that ignores the parameter repeats the page at once
            count += len(items)
            yield items
            query = _next_query(paging, document, items, number, count, total)
            if query is not None and paging is not None:
                url = f"{base}?{urlencode({**first, paging.query: query})}"
            elif paging is not None and paging.style == "link" and (link := _link(url, reply.answer)):
                url = self._same_place(link, reply.answer)
            else:
                if total is not None and count < total:
                    raise _unknown(f"It counts {total} in all, but the pages end at {count}.", reply.answer)
                return
            if url in asked:
                raise _unknown("The pages go round in a circle.", reply.answer)
            asked.add(url)
        raise ConnectorError(
            ErrorKind.INVALID, f"There are more than {len(asked) - 1} pages; nothing is concluded."
        )

    async def _send(self, request: Request, url: str, values: Mapping[str, str]) -> Reply:
        headers = {
            "accept": "application/json",
            **_lower(self._declared.headers),
            **_lower(request.headers),
            **self._credentials(),
        }
        content = None
        if request.body is not None:
            content = dumps(body_of(request.body, values)).encode()
            headers.setdefault("content-type", "application/json")
        answer = await self.transport.request(
            request.method,
            url,
            headers=headers,
            content=content,
            ca_file=self._ca_file,
            allow_plain=self._allow_plain,
            timeout=self._timeout,
            changes_nothing=request.changes_nothing,
            expects=next(iter([*request.success.status, *request.accepted]), 200),
        )
        return Reply(self._meaning(request, answer), answer)

    def _credentials(self) -> dict[str, str]:
        auth = self._declared.auth
        (name,) = auth.secrets.values()
        secret = self._connection.secrets.resolve(str(self._connection.settings[name]))
        if auth.username:
            user = str(self._connection.settings[auth.username])
            return {"authorization": "Basic " + b64encode(f"{user}:{secret}".encode()).decode()}
        if any(c < " " or c > "~" for c in secret):
            raise ConnectorError(
                ErrorKind.DENIED, f"The secret in “{name}” holds characters that no header can."
            )
        return {"authorization": f"Bearer {secret}"} if auth.bearer else {auth.header.lower(): secret}

    def _meaning(self, request: Request, answer: Answer) -> Meaning:
        if _is_page(answer):
            raise self._undeclared(request, answer, "a page of HTML, which is not an answer")
        success, absent = meets(request.success, answer), meets(request.absent, answer)
        if success and absent:
            raise self._undeclared(request, answer, "what counts as success and as absence at once")
        if absent:
            return Meaning.ABSENT
        if answer.status in request.accepted:
            return Meaning.ACCEPTED
        if success:
            return Meaning.SUCCESS
        raise self._undeclared(request, answer, "which the file does not declare for this request")

    def _undeclared(self, request: Request, answer: Answer, why: str) -> ConnectorError:
        kind, when = ErrorKind.RETRYABLE, None
        message = f"{request.method} {request.path} was answered {answer.status}, {why}."
        after = answer.headers.get("retry-after", "")
        if answer.status == 429 or (answer.status == 503 and after):
            kind, when = ErrorKind.THROTTLED, retry_at(after, now=self._connection.now())
        elif answer.status in (401, 403):
            kind = ErrorKind.DENIED
            scopes = "; ".join(self._declared.scopes)
            message += " The credentials are not valid, or not allowed to do this."
            message += f" They need: {scopes}." if scopes else ""
        elif 300 <= answer.status < 400:
            kind = ErrorKind.INVALID
            message += " Redirects are not followed: enter the final address."
        return ConnectorError(kind, message, retry_at=when, request_id=answer.request_id)

    def _same_place(self, link: str, answer: Answer) -> str:
        """A next page is asked where the first one was, and nowhere else: our credentials go with it."""
        ours, theirs = urlsplit(self._base), urlsplit(link)
        if (ours.scheme, ours.netloc.lower()) != (theirs.scheme, theirs.netloc.lower()):
            raise _unknown("The next page is said to be at another address, which is not followed.", answer)
        return theirs._replace(fragment="").geturl()


def _link(url: str, answer: Answer) -> str:
    found = next_link(answer.headers.get("link", ""))
    return urljoin(url, found) if found else ""


def _next_query(
    paging: Paging | None, document: Any, items: list[Any], number: int, count: int, total: int | None
) -> str | None:
    """The value of the paging parameter for the next page; None when this was the last."""
    if paging is None or paging.style == "link":
        return None
    if paging.style == "cursor":
        cursor = at(document, paging.cursor)
        if cursor is MISSING or cursor is None or cursor == "":
            return None
        if isinstance(cursor, bool) or not isinstance(cursor, str | int):
            raise ConnectorError(
                ErrorKind.RETRYABLE, f"The cursor at {paging.cursor} is neither text nor number."
            )
        return str(cursor)
    if not items or (total is not None and count >= total):
        return None
    return str(paging.first + (number + 1 if paging.style == "page" else count))


def _items(listing: Listing, document: Any, answer: Answer) -> list[dict[str, Any]]:
    found = at(document, listing.items)
    if found is MISSING and listing.paging and _total(listing.paging, document, answer) == 0:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise _unknown(f"There is no list of objects at “{listing.items or 'the whole answer'}”.", answer)
    return found


def _total(paging: Paging | None, document: Any, answer: Answer) -> int | None:
    if paging is None or not paging.total:
        return None
    found = at(document, paging.total)
    if isinstance(found, bool) or not isinstance(found, int):
        raise _unknown(f"There is no number at “{paging.total}”.", answer)
    return found


def _is_page(answer: Answer) -> bool:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    return (
        bool(answer.body)
        and kind in ("text/html", "application/xhtml+xml")
        and document_of(answer) is MISSING
    )


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _unknown(message: str, answer: Answer) -> ConnectorError:
    return ConnectorError(ErrorKind.RETRYABLE, message, request_id=answer.request_id)
