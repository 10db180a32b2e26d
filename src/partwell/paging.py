"""Opaque cursors for keyset paging: where a page ended, in a form that nobody needs to read."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any
from uuid import UUID

from partwell.refusals import Invalid


def encode_cursor(key: tuple[Any, ...] | None) -> str | None:
    """A sort key as an opaque cursor; None stays None (there is no next page)."""
    if key is None:
        return None
    raw = json.dumps([str(part) for part in key], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_cursor(cursor: str | None, parts: int) -> tuple[str, ...] | None:
    """The sort key of a cursor with this many parts, as text. Raises `Invalid` for one that we never gave."""
    if not cursor:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError as error:
        raise _unknown() from error
    if not isinstance(key, list) or len(key) != parts or not all(isinstance(part, str) for part in key):
        raise _unknown()
    return tuple(key)


def decode_place(cursor: str | None) -> tuple[datetime, UUID] | None:
    """As `decode_cursor`, for lists that are sorted by a moment and then by an id."""
    key = decode_cursor(cursor, 2)
    if key is None:
        return None
    try:
        moment, row = datetime.fromisoformat(key[0]), UUID(key[1])
    except ValueError as error:
        raise _unknown() from error
    if moment.tzinfo is None:
        raise _unknown()
    return moment, row


def _unknown() -> Invalid:
    return Invalid("cursor_unknown", "This cursor is not one of ours. Begin without one.", field="cursor")
