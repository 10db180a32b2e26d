"""Evidence events as sentences. An event that nobody taught us to say is shown by its kind, never hidden."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from partwell.evidence.models import Event
from partwell.evidence.queries import FieldValue, fields_of
from partwell.web.presenting import name_of
from partwell.web.sentences import SENTENCES


def timeline(
    events: Iterable[Event], readable: Iterable[Mapping[str, FieldValue]] | None = None
) -> list[dict[str, Any]]:
    """Events for the timeline, in the order given: mark, moment, short hash and a sentence.

    `readable` holds, for each, the fields that its reader may read; without it, all are told.
    """
    if readable is None:
        return [describe(event) for event in events]
    return [describe(event, fields) for event, fields in zip(events, readable, strict=True)]


def describe(event: Event, readable: Mapping[str, FieldValue] | None = None) -> dict[str, Any]:
    """One event, from the fields that its reader may read, or from all of them. Erased values are said to be
    erased; where a sentence needs a field that is not there, the event is named plainly."""
    values = fields_of(event) if readable is None else readable
    fields = {name: "(erased)" if value.is_erased else value.value for name, value in values.items()}
    mark, sentence = SENTENCES.get(event.kind, ("accepted", _plain))
    who = name_of(str(fields.get("actor", "")))
    try:
        said = sentence(who, {"kind": event.kind, **fields})
    except (KeyError, TypeError, ValueError, AttributeError):
        said = _plain(who, {"kind": event.kind, **fields})
    return {"mark": mark, "at": event.occurred_at, "said": said, "hash": _short(event), "id": event.pk}


def _plain(who: str, fields: dict[str, Any]) -> str:
    noun, _, verb = str(fields["kind"]).partition(".")
    said = f"{noun.capitalize()} {verb.replace('_', ' ')}"
    about = fields.get("account") or fields.get("system") or fields.get("title")
    about = f": {about}" if about else ""
    return f"{said}{about}, by {who}"


def _short(event: Event) -> str:
    digest = hashlib.sha256(b"\0" + bytes(event.leaf)).hexdigest()
    return f"{digest[:4]}…{digest[-4:]}"
