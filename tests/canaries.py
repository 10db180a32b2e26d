"""Made-up secrets, looking for them in every spelling, and all that the database holds."""

from __future__ import annotations

import base64
import io
import secrets
from urllib.parse import quote

from django.db import connection


class Canaries:
    """Made-up secrets, by what they are. All are to be found nowhere."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    def new(self, what: str) -> str:
        return self.keep(what, f"canary-{secrets.token_urlsafe(15)}")

    def keep(self, what: str, value: str) -> str:
        assert len(value) >= 8, f"{what} is too short to be looked for"
        self.known[what] = value
        return value

    def found_in(self, texts: dict[str, bytes]) -> list[str]:
        """What was found where, in any spelling that a program may give it."""
        return [
            f"{what} in {where}"
            for what, value in self.known.items()
            for where, text in texts.items()
            if any(spelling in text for spelling in _spellings(value))
        ]


def _spellings(value: str) -> set[bytes]:
    # Base64 has three of them, by where in the whole the value begins; its ends depend on the neighbours.
    whole = {base64.b64encode(b"x" * shift + value.encode())[4 if shift else 0 : -4] for shift in range(3)}
    # What is left of a short one would be found by chance.
    long = {spelling for spelling in whole if len(spelling) >= 12}
    return {value.encode(), quote(value, safe="").encode(), value.encode().hex().encode()} | long


def whole_database() -> bytes:
    """Every row of every table."""
    out = io.BytesIO()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"select * from {connection.ops.quote_name(table)}")
            for row in cursor:
                for value in row:
                    out.write(bytes(value) if isinstance(value, memoryview | bytes) else str(value).encode())
                    out.write(b"\n")
    return out.getvalue()
