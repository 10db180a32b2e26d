"""What shared credentials look like. None of these holds a secret's value."""

from __future__ import annotations

from typing import Any

from ninja import Schema
from pydantic import Field

from partwell.api.shapes.office import ImportShape


class CredentialShape(Schema):
    """One shared secret, by what is on record of it."""

    id: str
    name: str
    kind: str = Field(description="password, api_key, portal, door_code, client_login or other.")
    used_at: str
    login: str
    owner: str
    owner_email: str = Field(description="Empty where nobody owns it: IT/Security sees to it.")
    client: str
    client_ref: str
    direction: str = Field(description="theirs or ours for a client login, else empty.")
    system: str = Field(description="Where a connector changes it; empty where a person does.")
    account: str
    rotated_on: str | None
    rotate_every_days: int | None
    due_on: str | None
    is_due: bool
    is_retired: bool


class HolderShape(Schema):
    """Somebody who knows it, or knew it until a day."""

    id: int
    name: str
    email: str
    is_contact: bool
    since: str
    until: str | None


class CredentialView(CredentialShape):
    """A credential with who knows it; `holders` is null for whoever only knows it too."""

    holders: list[HolderShape] | None


class CredentialImport(ImportShape):
    """As of any import; `left_out` counts notes, cards, identities, and the same login twice."""

    read_as: str
    left_out: int


class RotationShape(Schema):
    """One secret to be changed for one departure, which is named only to those who may read of it."""

    id: str
    credential_id: str
    credential: str
    journey: str | None
    subject: str | None
    owner: str = Field(description="Empty where nobody owns it: IT/Security sees to it.")
    state: str = Field(
        description="open, requested, accepted, verified, failed, attested, not_needed or withdrawn."
    )
    by: str = Field(description="connector or person; empty before.")
    due_at: str
    reason: str
    proof: dict[str, Any] | None
    told: int = Field(description="How many who go on knowing it were told by mail.")
    settled_at: str | None
    settled_by: str
    by_connector: bool = Field(description="Whether a connector can change it, asked for by a person.")
    is_client: bool
