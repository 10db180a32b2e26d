"""How every endpoint answers: JSON, pages of a list, and problems after RFC 9457."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from http import HTTPStatus
from typing import Any, TypeVar
from uuid import UUID

from django.http import HttpResponse

from partwell.paging import decode_cursor, encode_cursor
from partwell.refusals import FreshSignInNeeded, Invalid, Refusal

PROBLEM_TYPE = "application/problem+json"
T = TypeVar("T")


def reply(data: Any, status: int = 200) -> HttpResponse:
    """`data` as JSON; private to the one who asked."""
    body = json.dumps(data, ensure_ascii=False, default=_plain)
    response = HttpResponse(body, status=status, content_type="application/json")
    response["Cache-Control"] = "private, no-store"
    return response


def listing(items: Iterable[Any], cursor: str | None = None) -> HttpResponse:
    """One page of a list; `next` fetches the page after it, null at the end."""
    return reply({"items": list(items), "next": cursor})


def page_of(
    rows: Sequence[T], *, key: Callable[[T], str], cursor: str | None, limit: int
) -> tuple[Sequence[T], str | None]:
    """A page of a list that is short enough to be in memory, in its own order, and the next cursor."""
    start = 0
    if wanted := decode_cursor(cursor, 1):
        places = [place for place, row in enumerate(rows, start=1) if key(row) == wanted[0]]
        if not places:
            raise Invalid(
                "cursor_unknown", "This cursor leads nowhere any more. Begin without one.", field="cursor"
            )
        start = places[0]
    page = rows[start : start + limit]
    return page, encode_cursor((key(page[-1]),)) if start + limit < len(rows) else None


def problem(status: int, code: str, detail: str, *, field: str = "", **more: Any) -> HttpResponse:
    """A refusal as `application/problem+json`; `code` is stable, `detail` is for people."""
    body = {
        "type": f"urn:partwell:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "field": field,
        **more,
    }
    response = HttpResponse(
        json.dumps(body, ensure_ascii=False, default=_plain), status=status, content_type=PROBLEM_TYPE
    )
    response["Cache-Control"] = "no-store"
    return response


def refused(refusal: Refusal) -> HttpResponse:
    """The answer to what an operation declined."""
    message = refusal.message
    if isinstance(refusal, FreshSignInNeeded):
        message = "This needs a person who signs in on the web with a second factor; a token cannot do it."
    return problem(refusal.status, refusal.code, message, field=refusal.field, **getattr(refusal, "more", {}))


class UnsupportedMedia(Refusal):
    """The body is of a type that this endpoint does not read."""

    status = 415

    def __init__(self, given: str, wanted: str) -> None:
        super().__init__(
            "unsupported_media_type",
            f"The body is “{given or 'of no stated type'}”. Send it as {wanted}.",
            field="Content-Type",
        )


class TooLarge(Refusal):
    """The body is larger than what is read here."""

    status = 413

    def __init__(self) -> None:
        super().__init__("body_too_large", "The body is larger than what is read here. Send less at once.")


class TooMany(Refusal):
    """The token has made too many calls within a minute."""

    status = 429

    def __init__(self, calls: int) -> None:
        super().__init__(
            "too_many_calls", f"This token made more than {calls:,} calls within a minute. Wait a minute."
        )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
