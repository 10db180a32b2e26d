"""One signal on its way to its receiver (RFC 8935), and what the answer means.

What a receiver writes in its own words is kept only for a verification event, which names nobody: about a
person it could repeat whom it is about, to readers who may not know.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType

from django.conf import settings

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.transport import Answer, Transport
from partwell.connector_kit.values import ConnectorError, ErrorKind
from partwell.signals.models import Receiver, SecurityEvent
from partwell.signals.outbox import one_line
from partwell.signals.sealing import SealBroken, unseal
from partwell.signals.signing import NoSigningKey, sign
from partwell.signals.states import Signal

ANSWER_SECONDS = 15.0
MAX_ANSWER_BYTES = 64 * 1024
# What a token itself is refused for; it would be refused again. The other errors of RFC 8935, section 2.4,
# are about keys and credentials, which somebody may put right.
REFUSED_FOR_GOOD = frozenset({"invalid_request", "invalid_issuer", "invalid_audience"})
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,59}")
NO_IDENTIFIER = (
    "Nothing is on record by which this receiver would know the person, so it was not told. Tell it by hand."
)


@dataclass(frozen=True)
class Trouble:
    """Why a receiver has not taken a signal: this one for good, or the receiver for now."""

    words: str
    is_permanent: bool = False
    retry_after: timedelta | None = None


def guarded() -> Transport:
    """The guarded way out, with the operator's allow-list."""
    return Transport(
        AllowList.parse(settings.OUTBOUND_ALLOW), timeout=ANSWER_SECONDS, max_answer_bytes=MAX_ANSWER_BYTES
    )


class Push:
    """A connection to one receiver, for several signals in turn."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._transport = guarded()
        self._loop = asyncio.new_event_loop()

    def __enter__(self) -> Push:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._loop.run_until_complete(self._transport.aclose())
        finally:
            self._loop.close()

    def send(self, event: SecurityEvent, *, now: datetime) -> Trouble | None:
        """None when the receiver answered 202, else what was in the way."""
        try:
            claims = json.loads(unseal(event.sealed_claims))
            if "sub_id" not in claims:
                return Trouble(NO_IDENTIFIER, is_permanent=True)
            token = sign(claims)
        except (SealBroken, NoSigningKey):
            return Trouble(
                "It cannot be signed: the secret key of this installation is another one.", is_permanent=True
            )
        try:
            headers, secret = self._headers()
            answer = self._loop.run_until_complete(
                self._transport.request(
                    "POST",
                    self._receiver.endpoint,
                    headers=headers,
                    content=token.encode(),
                    ca_file=self._receiver.ca_file,
                )
            )
        except ConnectorError as error:
            return Trouble(error.message)
        return _judge(answer, quote=event.signal == Signal.VERIFICATION, never=(secret, token), now=now)

    def _headers(self) -> tuple[dict[str, str], str]:
        headers = {"content-type": "application/secevent+jwt", "accept": "application/json"}
        reference = self._receiver.authorization
        if not reference:
            return headers, ""
        secret = ReferencedSecrets().resolve(reference)
        if not (secret.isascii() and secret.isprintable()):
            raise ConnectorError(
                ErrorKind.INVALID, f"The secret '{reference}' holds signs that a header cannot carry."
            )
        return {**headers, "authorization": secret}, secret


def _judge(answer: Answer, *, quote: bool, never: tuple[str, ...], now: datetime) -> Trouble | None:
    """What an answer means for the signal; of its words nothing is kept that repeats what was sent."""
    status = answer.status
    if status == 202:
        return None
    if status == 400 and (said := _error_of(answer)):
        code, description = said
        words = f"It refused the token: {code}"
        if any(code in part for part in never if part):
            words = "It refused the token, in words that repeat what was sent"
        elif quote and description and not _repeats(description, never):
            words += f", “{description}”"
        return Trouble(f"{words}.", is_permanent=code in REFUSED_FOR_GOOD)
    pause = _retry_after(answer.headers, now)
    if status in (401, 403):
        return Trouble(f"It does not let us in ({status}): look at the authorisation.", retry_after=pause)
    if status == 429:
        return Trouble("It asks us to slow down (429).", retry_after=pause)
    if 200 <= status < 300:
        return Trouble(f"It answered {status} where 202 says that a token was taken: it may be lost.")
    if 300 <= status < 400:
        return Trouble(f"It wants us to go elsewhere ({status}), and we do not follow. Change the endpoint.")
    return Trouble(f"It answered {status}.", retry_after=pause)


def _error_of(answer: Answer) -> tuple[str, str] | None:
    """The error code and its description, where the answer is one of RFC 8935, section 2.3."""
    try:
        said = answer.json()
    except ConnectorError:
        return None
    code = said.get("err") if isinstance(said, Mapping) else None
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return None
    description = said.get("description")
    return code, one_line(description)[:300] if isinstance(description, str) else ""


def _repeats(text: str, never: tuple[str, ...]) -> bool:
    """Whether a text holds what was sent, or a word of it that could be a secret."""
    words = [word for sent in never for word in re.split(r"[\s.]+", sent) if len(word) >= 8]
    return any(word in text for word in (*words, *filter(None, never)))


def _retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long a receiver asks to be left alone: seconds, or a date (RFC 9110, section 10.2.3)."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal():
        return timedelta(seconds=min(int(text[:9]), 86400))
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return min(max(moment - now, timedelta()), timedelta(days=1))
