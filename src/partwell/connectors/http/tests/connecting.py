"""From a declaration's text to a connector, as the registry makes it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import Connection
from partwell.connector_kit.declared import read
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.transport import Transport
from partwell.connectors.http.connector import HttpConnector, declared_class
from partwell.connectors.http.declaration import KIND

EXAMPLES = Path(__file__).parent.parent / "examples"
DIRECTORY = (EXAMPLES / "directory.yaml").read_text()
SCIM = (EXAMPLES / "scim.yaml").read_text()


def changed(text: str, old: str, new: str) -> str:
    """The text with one passage changed, which has to be in it."""
    assert old in text, old
    return text.replace(old, new)


@lru_cache
def _class(text: str) -> type[HttpConnector]:
    declared, problems = read(text, file=Path("declared.yaml"), kind=KIND)
    assert declared is not None and not problems, problems
    return declared_class(declared, "d" * 64)


def connect(
    text: str,
    url: str,
    *,
    token: str,
    transport: Transport | None = None,
    now: Any = lambda: datetime.now(UTC),
    **settings: Any,
) -> HttpConnector:
    return _class(text)(
        Connection(
            name="service",
            settings={"url": url, "allow_plain": True, "token": "env:TOKEN", **settings},
            secrets=ReferencedSecrets({"TOKEN": token}),
            transport=transport or Transport(AllowList.parse(["127.0.0.1"])),
            now=now,
        )
    )
