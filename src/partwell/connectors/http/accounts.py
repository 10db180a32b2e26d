"""Accounts and groups as the declared fields show them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from partwell.connector_kit.contract import Account, ConnectorError, Entitlement, ErrorKind, Identity
from partwell.connectors.http.conditions import MISSING, at, same
from partwell.connectors.http.model import Entitlements, Fields, Find, HttpDeclaration


def account_of(
    fields: Fields,
    document: Mapping[str, Any],
    *,
    matched_by: str = "",
    entitlements: tuple[Entitlement, ...] = (),
) -> Account:
    """The account that a document shows. Raises RETRYABLE when it has no identifier or no login."""
    return Account(
        external_id=needed_text(document, fields.id),
        login=needed_text(document, fields.login),
        display_name=text_at(document, fields.display_name),
        is_active=_is_active(fields, document),
        matched_by=matched_by,
        entitlements=entitlements,
        emails=tuple(dict.fromkeys(email.lower() for email in _emails(fields, document))),
        employee_number=text_at(document, fields.employee_number),
        last_used_at=_moment(text_at(document, fields.last_used_at)),
    )


def values_of(account: Account) -> dict[str, str]:
    """What of an account a request may hold."""
    return {"account.id": account.external_id, "account.login": account.login}


def entitlement_of(declared: Entitlements, item: Mapping[str, Any]) -> Entitlement:
    """One group of a list."""
    external_id = needed_text(item, declared.id)
    return Entitlement(declared.kind, external_id, text_at(item, declared.name) or external_id)


def facts(declared: HttpDeclaration, identity: Identity) -> list[tuple[Find, str]]:
    """What to look up. Raises UNSUPPORTED when nothing that is known of the person can be: to call that
    “no account” would be a guess."""
    known = {
        "employee_number": (identity.employee_number,),
        "username": identity.usernames,
        "email": identity.emails,
    }
    wanted = [(find, value) for find in declared.find for value in known[find.by] if value]
    if not wanted and any(any(values) for values in known.values()):
        ways = " or ".join(sorted({find.by.replace("_", " ") for find in declared.find}))
        raise ConnectorError(
            ErrorKind.UNSUPPORTED, f"People are looked up by {ways} here, and of this one it is not known."
        )
    return wanted


def compared(by: str, value: str, account: Account) -> bool:
    """Whether a found account is really the one that was looked up. Case does not count."""
    known = {
        "employee_number": {account.employee_number},
        "username": {account.login},
        "email": {*account.emails, account.login},
    }[by]
    return value.casefold() in {each.casefold() for each in known if each}


def needed_text(document: Mapping[str, Any], pointer: str) -> str:
    """Text or a whole number as text. Raises RETRYABLE where there is none."""
    found = text_at(document, pointer)
    if not found:
        raise ConnectorError(ErrorKind.RETRYABLE, f"The answer shows nothing at “{pointer}”.")
    return found


def text_at(document: Any, pointer: str | None) -> str:
    """Text or a whole number as text; empty where there is none."""
    found = MISSING if pointer is None else at(document, pointer)
    if isinstance(found, bool) or not isinstance(found, str | int):
        return ""
    return str(found)


def _emails(fields: Fields, document: Mapping[str, Any]) -> list[str]:
    found = []
    for place in fields.emails:
        value = at(document, place.at)
        members = value if isinstance(value, list) else [value]
        found += [text_at(member, place.each) for member in members if member is not MISSING]
    return [email for email in found if email]


def _is_active(fields: Fields, document: Mapping[str, Any]) -> bool | None:
    if fields.is_active is None:
        return None
    found = at(document, fields.is_active.at)
    if any(same(found, each) for each in fields.is_active.active):
        return True
    return False if any(same(found, each) for each in fields.is_active.inactive) else None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
