"""Reading the record: events, what they say, and the proofs that they are in the tree."""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from partwell.evidence.models import Event, TreeHead, TreeNode
from partwell.evidence.tree import consistency_ranges, hashes_of, inclusion_ranges
from partwell.refusals import Invalid


@dataclass(frozen=True)
class FieldValue:
    """What an event says in one field; `value` is None when it was erased."""

    value: Any
    is_erased: bool = False


@dataclass(frozen=True)
class Page:
    """One page of events, newest first; `next` fetches the page after it, None at the end."""

    items: list[Event]
    next: str | None


def events_of(scope: str, *, after: str | None = None, limit: int = 50) -> Page:
    """The events of one scope, newest first. `after` is the `next` of the page before.

    Raises `Invalid` for a cursor that is not one of ours.
    """
    found = Event.objects.filter(scope=scope).order_by("-occurred_at", "-pk")
    if after:
        moment, key = _read_cursor(after)
        found = found.filter(Q(occurred_at__lt=moment) | Q(occurred_at=moment, pk__lt=key))
    rows = list(found[: limit + 1])
    if len(rows) <= limit:
        return Page(rows, None)
    last = rows[limit - 1]
    cursor = urlsafe_b64encode(f"{last.occurred_at.isoformat()} {last.pk}".encode()).decode()
    return Page(rows[:limit], cursor)


def _read_cursor(text: str) -> tuple[datetime, uuid.UUID]:
    try:
        moment, key = urlsafe_b64decode(text.encode()).decode().split(" ")
        return datetime.fromisoformat(moment), uuid.UUID(key)
    except ValueError:
        raise Invalid(
            "bad_cursor", "This is no page of the record. Start from the first page.", field="after"
        ) from None


def fields_of(event: Event) -> dict[str, FieldValue]:
    """What the event says, by field name; erased fields are marked."""
    return {
        name: FieldValue(field["value"]) if "value" in field else FieldValue(None, is_erased=True)
        for name, field in event.fields.items()
    }


def head() -> TreeHead | None:
    """The latest signed head; None before the first event was sequenced."""
    return TreeHead.objects.select_related("key").order_by("-size").first()


def head_covering(sequence: int) -> TreeHead | None:
    """The first head whose tree holds the event with this sequence."""
    return TreeHead.objects.select_related("key").filter(size__gt=sequence).order_by("size").first()


def inclusion_proof(sequence: int, size: int) -> list[bytes]:
    """The audit path of one event in the tree of `size` events, leaf end first."""
    if not 0 <= sequence < size:
        raise ValueError(f"a tree of {size} does not hold sequence {sequence}")
    return hashes_of(inclusion_ranges(sequence, size), read_nodes)


def consistency_proof(old: int, new: int) -> list[bytes]:
    """The proof that the tree of `old` events is the beginning of the tree of `new`."""
    return hashes_of(consistency_ranges(old, new), read_nodes)


def read_nodes(positions: Iterable[int]) -> dict[int, bytes]:
    """The stored hashes at these positions; those that are not there are left out."""
    return {place: bytes(node.digest) for place, node in TreeNode.objects.in_bulk(list(positions)).items()}
