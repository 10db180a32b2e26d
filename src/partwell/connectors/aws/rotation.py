"""Giving a shared user a new access key, and showing that the old one is refused.

AWS lets a user have two keys at a time, so the new one is made and tried beside the old one, put where its
users find it, and only then is the old one switched off. Until then everything goes on as before.
"""

from __future__ import annotations

import asyncio
import secrets as random
from collections.abc import Callable, Mapping
from enum import StrEnum

from partwell.connector_kit.contract import (
    ConnectorError,
    ErrorKind,
    Outcome,
    Proof,
    Receipt,
    Rotation,
    Verdict,
)
from partwell.connectors.aws.answers import BAD_SIGNATURE, UNKNOWN_KEY, Refusal, text
from partwell.connectors.aws.credentials import INACTIVE, Credential, Credentials
from partwell.connectors.aws.service import Service
from partwell.connectors.aws.signing import Key
from partwell.connectors.aws.users import User

PAUSE_SECONDS = 1.0
Keep = Callable[[Mapping[str, str]], None]


class Tried(StrEnum):
    """What AWS said to a key."""

    LET_IN = "let in"
    REFUSED = "refused as unknown or inactive"
    WRONG_SECRET = "known, and refused for its secret"  # noqa: S105 - words, not a secret
    UNCLEAR = "not answered"


class KeyRotation:
    """Rotations of one connection. Keys take some seconds to spread in AWS; `patience` is in seconds."""

    def __init__(self, service: Service, credentials: Credentials, *, patience: float) -> None:
        self._service = service
        self._credentials = credentials
        self._patience = patience

    async def rotate(self, user: User, old_secret: str, keep: Keep) -> Rotation:
        """A new key for the user; then the old one is switched off and tried. Raises `ConnectorError`; then
        the old one goes on working, or it says otherwise."""
        old = _only(user, await self._credentials.access_keys(user.name))
        tried = Key(old.id, old_secret or random.token_urlsafe(30))
        before = await self._try_key(tried)
        if old_secret and before is not Tried.LET_IN:
            old_secret = ""  # the secret of another key proves no more than a made-up one
        told = await self._service.tell("CreateAccessKey", UserName=user.name)
        made = told.result.get("AccessKey")
        given = made if isinstance(made, dict) else {}
        new = Key(text(given, "AccessKeyId"), text(given, "SecretAccessKey"))
        try:
            if await self._try_until(new, Tried.LET_IN) is not Tried.LET_IN:
                raise ConnectorError(
                    ErrorKind.RETRYABLE, "AWS made a new key, and did not let it in yet. Try again later."
                )
            _put_away(keep, new)
        except ConnectorError as because:
            await self._undo(user, new, because)
            raise
        try:
            request_id = await self._credentials.set_status(user.name, old, INACTIVE)
        except ConnectorError as error:
            raise ConnectorError(
                error.kind,
                f"The new key {new.id} was put away and works. The old one {old.id} could not be switched "
                f"off: do it by hand. {error.message}",
                retry_at=error.retry_at,
            ) from None
        receipt = Receipt(
            Outcome.DONE,
            f"{user.name} has the new access key {new.id}; the old one {old.id} is inactive, and kept. "
            "Delete it before the next rotation: AWS allows two keys.",
            request_id,
            {"created": new.id, "inactive": old.id},
        )
        return Rotation(receipt, await self._proof(user, old, new, tried, before, is_known=bool(old_secret)))

    async def _proof(
        self, user: User, old: Credential, new: Key, tried: Key, before: Tried, *, is_known: bool
    ) -> Proof:
        # Keys take a while to spread: one refusal may come from a place that knows it already.
        after = await self._try_until(tried, Tried.REFUSED)
        again = await self._try_key(new)
        after = await self._try_key(tried) if after is Tried.REFUSED else after
        try:
            now = {each.id: each.is_active for each in await self._credentials.access_keys(user.name)}
        except ConnectorError as error:
            read = f"AWS took both changes, and could not be read afterwards: {error.message}"
            return Proof(Verdict.UNVERIFIABLE, read)
        if now.get(old.id, False) or not now.get(new.id, False):
            return Proof(
                Verdict.FAILED, "Read afresh: the old key is not inactive, or the new one is not active."
            )
        read = "Read afresh: the new key is active, the old one inactive."
        with_what = "its own secret" if is_known else "a made-up secret (its own is not known here)"
        probe = f"The old key, tried with {with_what}: {before} before, {after} afterwards; the new: {again}."
        if after is Tried.LET_IN:
            read += (
                " AWS still lets the old one in. That may take some minutes: try it again, then attest it."
            )
            return Proof(Verdict.FAILED, read, probe)
        calibrated = before is (Tried.LET_IN if is_known else Tried.WRONG_SECRET)
        if calibrated and after is Tried.REFUSED and again is Tried.LET_IN:
            return Proof(Verdict.CONFIRMED, read, probe)
        return Proof(Verdict.UNVERIFIABLE, f"{read} That the old one is refused could not be shown.", probe)

    async def _undo(self, user: User, new: Key, because: ConnectorError) -> None:
        try:
            await self._service.tell("DeleteAccessKey", UserName=user.name, AccessKeyId=new.id)
        except ConnectorError as error:
            raise ConnectorError(
                because.kind,
                f"{because.message} The new key {new.id}, which nobody has, could not be deleted: "
                f"do it by hand. {error.message}",
            ) from None

    async def _try_until(self, key: Key, wanted: Tried) -> Tried:
        clock = asyncio.get_running_loop()
        deadline = clock.time() + self._patience
        while (tried := await self._try_key(key)) is not wanted and clock.time() < deadline:
            await asyncio.sleep(PAUSE_SECONDS)
        return tried

    async def _try_key(self, key: Key) -> Tried:
        try:
            await self._service.caller(key)
        except Refusal as refusal:
            if refusal.code in UNKNOWN_KEY:
                return Tried.REFUSED
            return Tried.WRONG_SECRET if refusal.code in BAD_SIGNATURE else Tried.UNCLEAR
        except ConnectorError:
            return Tried.UNCLEAR
        return Tried.LET_IN


def _only(user: User, keys: list[Credential]) -> Credential:
    """The one key that is to be changed. With two, AWS takes no third."""
    if len(keys) > 1:
        said = ", ".join(f"{key.id} ({key.status.lower()})" for key in keys)
        raise ConnectorError(
            ErrorKind.CONFLICT,
            f"{user.name} has two access keys already, {said}, and AWS allows no third. "
            "Delete the one that is not used, then rotate. Nothing was changed.",
        )
    if not keys or not keys[0].is_active:
        raise ConnectorError(
            ErrorKind.CONFLICT, f"{user.name} has no active access key to rotate. Nothing was changed."
        )
    return keys[0]


def _put_away(keep: Keep, new: Key) -> None:
    try:
        keep({"access_key_id": new.id, "secret_access_key": new.secret})
    except ConnectorError:
        raise
    except Exception as error:
        # Only the kind of the fault: its text may hold the secret.
        raise ConnectorError(
            ErrorKind.RETRYABLE,
            f"The new key could not be put where its users find it ({type(error).__name__}). "
            "It was deleted again; the old one goes on working.",
        ) from None
