"""IAM and STS over the guarded transport: signed requests, pages, and the clock on AWS's side."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind
from partwell.connector_kit.limiter import DEFAULT_CLASS
from partwell.connector_kit.transport import Transport
from partwell.connectors.aws.answers import request_id, result_of, rows
from partwell.connectors.aws.signing import Key, signed

IAM, STS = "iam", "sts"
_VERSIONS = {IAM: "2010-05-08", STS: "2011-06-15"}
_READING = re.compile(r"(Get|List|Simulate)[A-Z]")
MAX_PAGES = 1000


@dataclass(frozen=True)
class Told:
    """What AWS answered to a request, and its own id for it. A new key's secret is in the result."""

    result: dict[str, Any] = field(repr=False)
    request_id: str


class Service:
    """The two services behind one connection."""

    def __init__(self, connection: Connection) -> None:
        settings = connection.settings
        self._connection = connection
        self._transport: Transport = connection.transport
        self._region = str(settings.get("region", "us-east-1"))
        self._urls = {
            IAM: str(settings.get("endpoint", "https://iam.amazonaws.com")).rstrip("/") + "/",
            STS: str(settings.get("sts_endpoint", "https://sts.amazonaws.com")).rstrip("/") + "/",
        }
        self._allow_plain = bool(settings.get("allow_plain"))
        self._timeout = float(settings.get("timeout_seconds", 20))
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        """The time on AWS's side or on ours, whichever is later."""
        now: datetime = self._connection.now()
        return now + max(self._ahead, timedelta(0))

    async def ask(self, action: str, **parameters: Any) -> dict[str, Any]:
        """Ask IAM something. Raises `ConnectorError`."""
        return (await self._call(IAM, action, parameters, self._own_key())).result

    async def tell(self, action: str, **parameters: Any) -> Told:
        """Have IAM change something. Raises `ConnectorError`."""
        return await self._call(IAM, action, parameters, self._own_key())

    async def caller(self, key: Key | None = None) -> dict[str, Any]:
        """Who a key belongs to, Partwell's own by default. No policy can forbid the question."""
        return (await self._call(STS, "GetCallerIdentity", {}, key or self._own_key())).result

    async def results(self, action: str, **parameters: Any) -> AsyncIterator[dict[str, Any]]:
        """The pages of a list, each let go before the next. Raises where a page is broken."""
        marker, seen = "", set[str]()
        for _ in range(MAX_PAGES):
            result = await self.ask(action, **parameters, **({"Marker": marker} if marker else {}))
            yield result
            is_more = result.get("IsTruncated") == "true"
            marker = str(result.get("Marker") or "")
            if not marker and not is_more:
                return
            if not marker:
                raise ConnectorError(
                    ErrorKind.RETRYABLE, f"AWS's {action} has more pages, and does not say where."
                )
            if marker in seen:
                raise ConnectorError(ErrorKind.RETRYABLE, f"AWS's pages of {action} repeat themselves.")
            seen.add(marker)
        raise ConnectorError(ErrorKind.INVALID, f"AWS's {action} returned more than {MAX_PAGES} pages.")

    async def all(self, action: str, name: str, **parameters: Any) -> list[dict[str, Any]]:
        """The whole list `name`."""
        return [each async for page in self.results(action, **parameters) for each in rows(page, name)]

    def _own_key(self) -> Key:
        return Key(self._secret("access_key"), self._secret("secret_key"))

    def _secret(self, name: str) -> str:
        return self._connection.secrets.resolve(str(self._connection.settings[name]))

    async def _call(self, service: str, action: str, parameters: Mapping[str, Any], key: Key) -> Told:
        given = {"Action": action, "Version": _VERSIONS[service], **_flat(parameters)}
        body = urlencode(given).encode()
        url = self._urls[service]
        reads = bool(_READING.match(action))
        answer = await self._transport.request(
            "POST",
            url,
            headers=signed(url, body, key=key, service=service, region=self._region),
            content=body,
            allow_plain=self._allow_plain,
            timeout=self._timeout,
            limit=STS if service == STS else DEFAULT_CLASS if reads else "writes",
            changes_nothing=reads,
        )
        if self._transport.read_only and not reads:
            return Told({}, "")  # nothing was sent, and the transport's own answer is not AWS's XML
        self._note_clock(answer.headers.get("date", ""))
        return Told(result_of(action, answer, now=self._connection.now()), request_id(answer))

    def _note_clock(self, date: str) -> None:
        try:
            theirs = parsedate_to_datetime(date)
        except (ValueError, TypeError):
            return
        if theirs.tzinfo is not None:
            self._ahead = theirs - self._connection.now()


def _flat(value: Any, name: str = "") -> dict[str, str]:
    """Parameters as the Query protocol writes them: `A.member.1.B=…`."""
    if isinstance(value, Mapping):
        parts = {f"{name}.{key}" if name else str(key): each for key, each in value.items()}
    elif isinstance(value, list):
        parts = {f"{name}.member.{number}": each for number, each in enumerate(value, 1)}
    else:
        return {name: str(value)}
    return {key: text for part, each in parts.items() for key, text in _flat(each, part).items()}
