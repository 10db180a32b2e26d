"""What a connector would send to change something: noted for people to read, without secrets.

A transport that has `Notes` and is read-only shows calls in place of sending them. Secrets are left out
twice: by the name of the field that holds them, and by their value wherever it stands, as far as they were
resolved for this connection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus

from partwell.connector_kit.values import Secrets

HIDDEN = "(not shown)"
LONGEST_TEXT = 600
LONGEST_BODY = 4000
# So many calls are kept of one verb on one account; of the rest, how many they are.
MOST_CALLS = 100
_SECRET_NAMES = re.compile(
    r"pass(word|wd|phrase)|secret|token|authori[sz]ation|assertion|credential|(private|api|access)[_-]?key",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Call:
    """One call that changes something. `method` is the protocol's own word for it, `target` the address or
    name that it goes to, `body` what is sent along, where anything is."""

    method: str
    target: str
    body: Any = None

    def as_dict(self) -> dict[str, Any]:
        """As people and programs see it."""
        return {"method": self.method, "target": self.target, "body": self.body}


class Notes:
    """The calls of one connection, in order, without secrets. `total` counts those that were not kept too."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.total = 0
        self._secrets: set[str] = set()

    def __repr__(self) -> str:
        return f"Notes({self.total} calls)"

    def note(self, call: Call) -> None:
        """Keep a call, redacted."""
        self.total += 1
        if len(self.calls) < MOST_CALLS:
            target = self.without_secrets(call.target)[:LONGEST_TEXT]
            self.calls.append(Call(call.method, target, _short(self._shown(call.body))))

    def take(self) -> tuple[list[Call], int]:
        """What was noted since the last time, and how many calls that were."""
        calls, total = self.calls, self.total
        self.calls, self.total = [], 0
        return calls, total

    def hide(self, secret: str) -> None:
        """Leave this value out wherever it stands, also as an address or JSON writes it."""
        # Three characters stand in too many words to be recognised; no real secret is so short.
        if len(secret) > 3:
            self._secrets |= {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}

    def without_secrets(self, text: str) -> str:
        """The text as people may read it."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return text

    def _shown(self, value: Any) -> Any:
        if isinstance(value, bytes):
            return self._shown(_read(value))
        if isinstance(value, str):
            return self.without_secrets(value)[:LONGEST_TEXT]
        if isinstance(value, Mapping):
            return {
                self.without_secrets(str(name)): HIDDEN
                if _SECRET_NAMES.search(str(name))
                else self._shown(each)
                for name, each in value.items()
            }
        if isinstance(value, list | tuple):
            return [self._shown(each) for each in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.without_secrets(str(value))[:LONGEST_TEXT]


class NotingSecrets:
    """Resolves as `secrets` does, and lets the notes leave out what was resolved."""

    def __init__(self, secrets: Secrets, notes: Notes) -> None:
        self._secrets, self._notes = secrets, notes

    def __repr__(self) -> str:
        return "NotingSecrets()"

    def resolve(self, reference: str) -> str:
        """The secret behind `reference`; raises as the secrets behind this do."""
        value = self._secrets.resolve(reference)
        self._notes.hide(value)
        return value


def _read(content: bytes) -> Any:
    """A body that was given as bytes: JSON, a form, or text."""
    text = content.decode("utf-8", errors="replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pairs = parse_qsl(text)
        return dict(pairs) if pairs else text


def _short(body: Any) -> Any:
    """The body, or the beginning of it as text where it is long."""
    written = json.dumps(body, ensure_ascii=False)
    return body if len(written) <= LONGEST_BODY else f"{written[:LONGEST_BODY]} …"
