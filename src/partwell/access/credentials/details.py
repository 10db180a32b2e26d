"""What is on record of a credential, from texts as people and files give them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from partwell.access.credentials.states import CredentialKind, Direction
from partwell.access.models import Credential, System
from partwell.connector_kit import registry
from partwell.people.imports import values
from partwell.people.imports.columns import Column
from partwell.people.imports.values import BadValue
from partwell.people.models import Client, Contact, Person
from partwell.people.queries import find_client, find_person
from partwell.refusals import Invalid, Refusal

ROTATE = "rotate"


def used_at(text: str) -> str:
    """Where a secret is used, without what of an address may itself be secret: only its host stays."""
    if "://" not in text:
        return text
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise BadValue("it is no address", "Write the host alone, as db.example.com.") from None
    return f"{host}:{port}" if port else host


def kind(text: str) -> str:
    """A kind of credential, as it is stored."""
    known = {member.value for member in CredentialKind}
    word = text.lower().replace(" ", "_").replace("-", "_")
    if word not in known:
        raise BadValue("it is no kind of credential", f"Write one of {', '.join(sorted(known))}.")
    return word


def direction(text: str) -> str:
    """Whose a client login is."""
    if text.lower() not in (Direction.THEIRS, Direction.OURS):
        raise BadValue("it is no direction", "Write theirs (we know it) or ours (they know it).")
    return text.lower()


def interval(text: str) -> int:
    """Days between two changes, at least one."""
    days = values.days(text)
    if days == 0:
        raise BadValue("it is no interval", "Write 1 or more, or leave it blank.")
    return days


def _text(name: str, longest: int, meaning: str, **options: Any) -> Column:
    return Column(name, meaning, longest=longest, **options)


COLUMNS = (
    _text("name", 200, "What people call the secret. Never the secret itself.", is_required=True),
    Column("kind", "password, api_key, portal, door_code, client_login or other.", kind,
           empty="password", keeps_blank=True),
    Column("used_at", "Where it is used. Of an address only the host is kept.", used_at),
    _text("login", 200, "The user name that goes with it, which is no secret."),
    Column("owner_email", "Who answers for it and changes it; a colleague in the register.", values.email),
    _text("client_ref", 200, "For a client login: the client's reference, or its name."),
    Column("direction", "For a client login: theirs (we know it) or ours (they know it).", direction),
    _text("system", 60, "The connected system in which it can be changed by a connector."),
    _text("account", 400, "The account's login or identifier in that system."),
    Column("rotated_on", "When it was changed last.", values.iso_date, empty=None),
    Column("rotate_every_days", "After how many days it has to be changed anyway.", interval, empty=None),
    Column("holders", "Who knows it: addresses, separated by `;`. An import adds, it ends none.",
           values.emails, empty=(), keeps_blank=True),
    Column("since", "Since when those holders know it; the day of the import unless given.",
           values.iso_date, empty=None, keeps_blank=True),
)  # fmt: skip
"""The columns of the register's own CSV file, and the fields that the faces take."""

DETAILS = tuple(column for column in COLUMNS if column.name not in ("holders", "since"))
_PLAIN = {"name": "name", "kind": "kind", "used_at": "used_at", "login": "login", "direction": "direction"}
_PLAIN |= {"account": "external_id", "rotated_on": "rotated_on_date"}
_PLAIN |= {"rotate_every_days": "rotate_every_days"}


def read(given: Mapping[str, Any]) -> dict[str, Any]:
    """Texts of `DETAILS` as values. Raises `Invalid` that names the field and never repeats the text."""
    known = {column.name: column for column in DETAILS}
    found = {}
    for name, raw in given.items():
        if name not in known:
            raise Invalid("unknown_field", f"There is no field {name}.", field=name)
        try:
            found[name] = value_of(known[name], raw)
        except BadValue as bad:
            raise Invalid("invalid", f"{name}: {bad.reason}. {bad.way_out}", field=name) from None
    return found


def value_of(column: Column, raw: object) -> Any:
    """One value of a column. Raises `BadValue` whose words never repeat the text: it may be a secret."""
    text = values.clean("" if raw is None else str(raw))
    if not text:
        if column.is_required:
            raise BadValue("it is blank, and must not be", "Fill it in.")
        return column.empty
    try:
        value = text if column.parse is None else column.parse(text)
    except BadValue as bad:
        if bad.value is None:
            raise
        raise BadValue("one of the addresses in it is none", "Separate several addresses with ;") from None
    if isinstance(value, str) and len(value) > column.longest:
        raise BadValue(f"it has {len(value)} characters, at most {column.longest} fit", "Shorten it.")
    return value


class Register:
    """Finds people, clients and systems by what a file or a form calls them; each is asked for once."""

    def __init__(self) -> None:
        self._people: dict[str, Person | Refusal] = {}
        self._clients: dict[str, Client | Refusal] = {}
        self._systems = {system.name: system for system in System.objects.all()}

    def person(self, email: str, field: str) -> Person:
        """A colleague by address. Raises `Invalid`."""
        if email not in self._people:
            try:
                self._people[email] = find_person(email)
            except Refusal as refusal:
                self._people[email] = refusal
        found = self._people[email]
        if isinstance(found, Refusal):
            raise Invalid(
                "unknown_person",
                "Nobody in the register, or more than one, has this address. Check it, or import them first.",
                field=field,
            )
        return found

    def client(self, text: str) -> Client:
        """A client by reference or name. Raises `Invalid`."""
        if text not in self._clients:
            try:
                self._clients[text] = find_client(text)
            except Refusal as refusal:
                self._clients[text] = refusal
        found = self._clients[text]
        if isinstance(found, Refusal):
            raise Invalid(
                "unknown_client",
                "No client, or more than one, has this reference or name. Correct it, or import the client.",
                field="client_ref",
            )
        return found

    def system(self, name: str) -> System:
        """A connected system by name. Raises `Invalid`."""
        if name not in self._systems:
            raise Invalid(
                "unknown_system",
                "No connected system has this name. Leave it out, or connect it.",
                field="system",
            )
        return self._systems[name]

    def holder(self, email: str, client: Client | None) -> Person | Contact:
        """Who knows a secret: a colleague, or where it is between us and a client, a contact there."""
        contacts = Contact.objects.filter(email__iexact=email, client=client) if client else None
        if contacts is not None and (contact := contacts.first()) is not None:
            return contact
        return self.person(email, "holders")


def put(credential: Credential, given: Mapping[str, Any], register: Register) -> None:
    """Write values (see `read`) into an unsaved change of a row. Raises `Invalid` for what does not fit."""
    for name, value in given.items():
        if name in _PLAIN:
            setattr(credential, _PLAIN[name], value)
    if "owner_email" in given:
        owner = register.person(given["owner_email"], "owner_email") if given["owner_email"] else None
        credential.owner, credential.owner_name = owner, owner.name if owner else ""
    if "client_ref" in given:
        client = register.client(given["client_ref"]) if given["client_ref"] else None
        credential.client, credential.client_name = client, client.name if client else ""
    if "system" in given:
        credential.system = register.system(given["system"]) if given["system"] else None
    _check(credential)


def _check(credential: Credential) -> None:
    if bool(credential.client_name) != bool(credential.direction):
        raise Invalid(
            "direction_missing",
            "A client login names the client and whose it is: theirs or ours. Anything else names neither.",
            field="direction" if credential.client_name else "client_ref",
        )
    if bool(credential.system) != bool(credential.external_id):
        raise Invalid(
            "account_missing",
            "Name the system and the account in it, or neither.",
            field="account" if credential.system else "system",
        )
    if credential.system is not None and not rotates(credential.system):
        raise Invalid(
            "cannot_rotate",
            f"{credential.system.title} cannot change a secret by its connector. Leave the system out; a "
            "person changes it and says so.",
            field="system",
        )


def rotates(system: System) -> bool:
    """Whether the system's connector can give a shared account a new secret here."""
    found = registry.find(system.connector)
    return found is not None and ROTATE in found.manifest.capabilities and ROTATE not in system.without


def shown(credential: Credential) -> dict[str, Any]:
    """What is on record, by the names of `DETAILS`."""
    plain = {name: getattr(credential, field) for name, field in _PLAIN.items()}
    return {
        **plain,
        "owner_email": credential.owner.email if credential.owner else "",
        "client_ref": (credential.client.client_ref or credential.client.name) if credential.client else "",
        "system": credential.system.name if credential.system else "",
    }


def as_text(value: Any) -> str:
    """A value as a cell or an event shows it."""
    return value.isoformat() if isinstance(value, date) else values.shown(value)
