"""The leaf: the bytes of an event that the tree commits to. No Django here.

A leaf is canonical JSON `{"fields": {name: hex}, "id": …, "v": 1}`, where hex is
SHA-256(salt ‖ canonical JSON of the value). Salts are 16 random bytes, so a hash of a short value (a name,
a date) cannot be guessed once the salt is erased. The spelling itself is defined in `verifier.py`, which
travels in every pack, so that the product and the pack cannot come to differ.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from partwell.evidence.verifier import SALT_BYTES, canonical, field_digest, leaf_from_digests

Salted = Mapping[str, Mapping[str, Any]]


def salt_fields(fields: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give each field a fresh salt: `{name: {"salt", "value"}}`.

    Raises `TypeError` for a value that JSON has no spelling for.
    """
    # Asked for together: each call of the system for randomness costs more than the bytes.
    salts = secrets.token_bytes(SALT_BYTES * len(fields))
    return {
        name: {
            "salt": salts[number * SALT_BYTES : (number + 1) * SALT_BYTES].hex(),
            "value": portable(value),
        }
        for number, (name, value) in enumerate(fields.items())
    }


def portable(value: Any) -> Any:
    """`value` in the part of JSON that both databases give back exactly as they got it.

    PostgreSQL respells floats (1e16 comes back whole) and refuses NUL and lone surrogates, either of which
    would break a digest or the action itself. So a float becomes its shortest decimal text, NUL becomes
    U+FFFD and a lone surrogate a question mark.
    """
    if isinstance(value, str):
        return str(value).encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        return {portable(str(key)): portable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [portable(item) for item in value]
    raise TypeError(f"evidence keeps JSON values; {type(value).__name__} is none, give it as text")


def digest_of(field: Mapping[str, Any]) -> str:
    """The digest of one stored field: computed from salt and value, or, when erased, the one that was kept.

    Raises `ValueError` when the field is neither.
    """
    if "value" in field:
        return field_digest(str(field.get("salt", "")), field["value"])
    if isinstance(field.get("digest"), str):
        return str(field["digest"])
    raise ValueError("a stored field has either salt and value or a digest")


def leaf_bytes(event_id: str, salted: Salted) -> bytes:
    """The leaf of an event whose fields were salted by `salt_fields`; erased ones count by their digest."""
    return leaf_from_digests(event_id, {name: digest_of(field) for name, field in salted.items()})


__all__ = ["canonical", "digest_of", "field_digest", "leaf_bytes", "portable", "salt_fields"]
