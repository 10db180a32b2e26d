"""The register of shared credentials: list, read, add, change, retire, and who knows each."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router
from pydantic import Field

from partwell import clock
from partwell.access.credentials import imports, operations, queries
from partwell.access.models import Credential
from partwell.api.answers import listing, problem, reply
from partwell.api.authentication import actor_of
from partwell.api.bodies import OCTETS, octets_of
from partwell.api.idempotency import idempotent
from partwell.api.registers import CSV_FILE
from partwell.api.shapes import Body, Cursor, Day, Limit, Line, Listing, Why
from partwell.api.shapes.credentials import CredentialImport, CredentialShape, CredentialView

router = Router(tags=["shared credentials"])
RowId = Annotated[int, Path(ge=1, le=2**62)]
FILE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {OCTETS: {"schema": {"type": "string", "format": "binary"}}},
    }
}
Days = Annotated[int, Field(ge=1, le=3650)]


class CredentialChange(Body):
    """What to put on record; what is left out stays. There is no field for the secret itself."""

    name: Line | None = None
    kind: Line | None = None
    used_at: Line | None = None
    login: Line | None = None
    owner_email: Line | None = None
    client_ref: Line | None = None
    direction: Line | None = None
    system: Line | None = None
    account: Annotated[str, Field(max_length=400)] | None = None
    rotated_on: Day | None = None
    rotate_every_days: Days | None = None

    def given(self) -> dict[str, Any]:
        """Only what the caller named; null clears a field."""
        return {
            name: "" if value is None else str(value) for name, value in self.dict(exclude_unset=True).items()
        }


class NewCredential(CredentialChange):
    """A credential to put on record. There is no field for the secret itself."""

    name: Line


class NewHolder(Body):
    """Who knows it: a colleague, or a contact of the client. `since` is today unless given."""

    email: Line
    since: Day | None = None


@router.get("", response=Listing[CredentialShape])
def list_credentials(
    request: HttpRequest,
    search: Annotated[str, Query(max_length=100)] = "",
    kind: Annotated[str, Query(max_length=20)] = "",
    only: Annotated[str, Query(max_length=20, description="mine, due, unowned or retired.")] = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> HttpResponse:
    """The credentials that the token's user owns, knows or looks after, by name."""
    found, after = queries.list_credentials(
        actor=actor_of(request),
        today=_today(),
        search=search,
        kind=kind,
        only=only,
        after=cursor,
        limit=limit,
    )
    return listing([queries.credential_dict(each, today=_today()) for each in found], after)


@router.post("", response={201: CredentialView})
@idempotent
def add(request: HttpRequest, body: NewCredential) -> HttpResponse:
    """Put a credential on record: that it exists, never its value."""
    made = operations.add_credential(given=body.given(), actor=actor_of(request), now=clock.now())
    return _view(request, made, 201)


@router.get("/export", openapi_extra=CSV_FILE)
def export(request: HttpRequest) -> HttpResponse:
    """The credentials in use as CSV, with who knows each."""
    data = imports.export_credentials(actor=actor_of(request), now=clock.now())
    headers = {
        "Content-Disposition": 'attachment; filename="credentials.csv"',
        "Cache-Control": "private, no-store",
    }
    return HttpResponse(data, content_type="text/csv; charset=utf-8", headers=headers)


@router.post("/import", response=CredentialImport, openapi_extra=FILE_BODY)
@idempotent
def import_(
    request: HttpRequest,
    dry_run: bool = False,
    owner_email: Annotated[str, Query(max_length=254, description="Owner of entries that have none.")] = "",
    holders: Annotated[
        str, Query(max_length=5000, description="Who knows all of them: addresses, separated by `;`.")
    ] = "",
) -> HttpResponse:
    """Bring the register up to date from its own CSV or a password manager's export, all or nothing. Of an
    export only titles, hosts and user names are read; its secrets are kept nowhere."""
    report = imports.import_credentials(
        data=octets_of(request),
        for_all=imports.ForAll(owner_email, holders),
        actor=actor_of(request),
        now=clock.now(),
        dry_run=dry_run,
    )
    if dry_run or report.is_ok:
        return reply(report.as_dict())
    bad = report.bad_lines
    return problem(
        422,
        "bad_lines",
        f"{len(bad)} problems were found, so nothing was imported. Correct the file.",
        field=bad[0].field,
        bad_lines=[line.as_dict() for line in bad],
    )


@router.get("/{credential_id}", response=CredentialView)
def show(request: HttpRequest, credential_id: UUID) -> HttpResponse:
    """One credential, with who knows it."""
    return _view(request, queries.get_credential(actor_of(request), credential_id))


@router.patch("/{credential_id}", response=CredentialView)
@idempotent
def change(request: HttpRequest, credential_id: UUID, body: CredentialChange) -> HttpResponse:
    """Change what is on record."""
    actor = actor_of(request)
    changed = operations.change_credential(
        credential=queries.get_credential(actor, credential_id),
        given=body.given(),
        actor=actor,
        now=clock.now(),
    )
    return _view(request, changed)


@router.post("/{credential_id}/retire", response=CredentialView)
@idempotent
def retire(request: HttpRequest, credential_id: UUID, body: Why) -> HttpResponse:
    """Take it off the register because it opens nothing any more."""
    actor = actor_of(request)
    retired = operations.retire_credential(
        credential=queries.get_credential(actor, credential_id),
        reason=body.reason,
        actor=actor,
        now=clock.now(),
    )
    return _view(request, retired)


@router.post("/{credential_id}/holders", response={201: CredentialView})
@idempotent
def add_holder(request: HttpRequest, credential_id: UUID, body: NewHolder) -> HttpResponse:
    """Say that somebody knows it."""
    actor = actor_of(request)
    found = queries.get_credential(actor, credential_id)
    operations.add_holder(credential=found, email=body.email, since=body.since, actor=actor, now=clock.now())
    return _view(request, found, 201)


@router.post("/{credential_id}/holders/{holder_id}/end", response=CredentialView)
@idempotent
def end_holder(request: HttpRequest, credential_id: UUID, holder_id: RowId, body: Why) -> HttpResponse:
    """Say that somebody does not know it any more, and how that can be."""
    actor = actor_of(request)
    found = queries.get_credential(actor, credential_id)
    operations.end_holder(
        holder=queries.get_holder(actor, found, holder_id),
        reason=body.reason,
        actor=actor,
        now=clock.now(),
    )
    return _view(request, found)


def _today() -> date:
    return clock.today_in("UTC", now=clock.now())


def _view(request: HttpRequest, credential: Credential, status: int = 200) -> HttpResponse:
    return reply(queries.credential_view(actor_of(request), credential, today=_today()), status)
