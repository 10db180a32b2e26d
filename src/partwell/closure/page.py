"""The readable page of a pack: one file, no script, nothing fetched; every value escaped."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.template import Context, Engine

from partwell.closure.audiences import AUDIENCE_LABELS
from partwell.evidence.heads import head_text
from partwell.evidence.keys import group

if TYPE_CHECKING:
    from partwell.closure.packs import PackContent

_OWN_LINE = ("kind", "at", "scope", "actor")


def render_page(content: PackContent) -> str:
    """The page as HTML. Times are shown in the departure's timezone, once named."""
    departure, zone = content.departure, ZoneInfo(content.departure.timezone)
    return (
        _engine()
        .get_template("pack.html")
        .render(
            Context(
                {
                    "title": _title(content),
                    "departure": departure,
                    "audience": AUDIENCE_LABELS[content.audience],
                    "timezone": departure.timezone,
                    "exported_at": _moment(content.exported_at, zone),
                    "rows": [_row(event, zone) for event in content.events],
                    "files": content.files,
                    "files_left_out": content.files_left_out,
                    "events_left_out": content.events_left_out,
                    "head": head_text(content.head),
                    "fingerprint": group(content.head.key_id),
                    "size": content.head.size,
                }
            )
        )
    )


def render_sample(values: dict[str, Any]) -> str:
    """The page of a sample's pack, from values that are shown as they are."""
    return _engine().get_template("sample.html").render(Context(values))


@lru_cache(maxsize=1)
def _engine() -> Engine:
    return Engine(dirs=[str(Path(__file__).parent)], autoescape=True)


def _title(content: PackContent) -> str:
    """An auditor's pack names nobody; the departure's number is enough to ask about it."""
    if content.audience == "auditor":
        return f"Departure {str(content.departure.pk)[:8]}"
    return content.departure.subject_name


def _row(event: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    said = {name: kept["value"] for name, kept in event["fields"].items() if "value" in kept}
    unsaid = {name: kept["state"] for name, kept in event["fields"].items() if "value" not in kept}
    return {
        "id": event["id"],
        "sequence": event["sequence"],
        "what": _words(str(said.get("kind", ""))),
        "who": said.get("actor") or (f"actor {unsaid['actor']}" if "actor" in unsaid else ""),
        "when": _moment(datetime.fromisoformat(said["at"]), zone),
        "fields": [(_words(name), _plain(said[name])) for name in sorted(said) if name not in _OWN_LINE],
        "unsaid": [(_words(name), state) for name, state in sorted(unsaid.items()) if name != "actor"],
    }


def _words(name: str) -> str:
    return name.replace(".", " ").replace("_", " ").strip().capitalize()


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value)
    if isinstance(value, dict):
        return "; ".join(f"{_words(key)}: {_plain(item)}" for key, item in value.items())
    if value is None or value == "":
        return "–"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _moment(moment: datetime, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M:%S}"
