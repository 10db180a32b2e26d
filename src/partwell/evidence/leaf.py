"""The leaf: the bytes of an event that the tree commits to. No Django here; the pack's verifier mirrors it.

A leaf is canonical JSON `{"fields": {name: hex}, "id": …, "v": 1}`, where hex is
SHA-256(salt ‖ canonical JSON of the value). Salts are 16 random bytes, so a hash of a short value (a name,
a date) cannot be guessed once the salt is erased.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

VERSION = 1


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, no white space, UTF-8: one value, one spelling."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def field_digest(salt: str, value: Any) -> str:
    """The hex digest that a leaf holds for one field; `salt` is hex."""
    return hashlib.sha256(bytes.fromhex(salt) + canonical(value)).hexdigest()


def salt_fields(fields: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give each field a fresh salt: `{name: {"salt", "value"}}`."""
    return {name: {"salt": secrets.token_hex(16), "value": value} for name, value in fields.items()}


def leaf_bytes(event_id: str, salted: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The leaf of an event whose fields were salted by `salt_fields`."""
    digests = {name: field_digest(f["salt"], f["value"]) for name, f in salted.items()}
    return canonical({"v": VERSION, "id": event_id, "fields": digests})
