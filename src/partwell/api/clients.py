"""Clients with their contacts: list, look up, import, export."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router

from partwell.api.answers import listing, reply
from partwell.api.authentication import actor_of
from partwell.api.contracts import contract_dict
from partwell.api.idempotency import idempotent
from partwell.api.registers import CSV_BODY, CSV_FILE, export, import_
from partwell.api.shapes import Cursor, Limit, Listing
from partwell.api.shapes.office import ClientDetail, ClientShape, ImportShape
from partwell.people import queries
from partwell.people.models import Client

router = Router(tags=["clients"])
RowId = Annotated[int, Path(ge=1, le=2**62)]


@router.get("", response=Listing[ClientShape])
def list_clients(
    request: HttpRequest,
    search: Annotated[str, Query(max_length=100)] = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> HttpResponse:
    """The clients by name."""
    clients, after = queries.list_clients(actor=actor_of(request), search=search, after=cursor, limit=limit)
    return listing([client_dict(client) for client in clients], after)


@router.get("/export", openapi_extra=CSV_FILE)
def export_clients(request: HttpRequest) -> HttpResponse:
    """Clients and contacts as CSV."""
    return export(request, "clients")


@router.post("/import", response=ImportShape, openapi_extra=CSV_BODY)
@idempotent
def import_clients(request: HttpRequest, dry_run: bool = False) -> HttpResponse:
    """Bring clients and contacts up to date from CSV, all or nothing."""
    return import_(request, "clients", dry_run)


@router.get("/{client_id}", response=ClientDetail)
def show_client(request: HttpRequest, client_id: RowId) -> HttpResponse:
    """One client with contacts and contracts."""
    client = queries.view_client(client_id, actor=actor_of(request))
    return reply(
        {
            **client_dict(client),
            "contacts": [{"name": c.name, "email": c.email} for c in client.contacts.all()],
            "contracts": [contract_dict(contract, client) for contract in client.contracts.all()],
        }
    )


def client_dict(client: Client) -> dict[str, Any]:
    """A client as a program reads it."""
    return {
        "id": client.pk,
        "client_ref": client.client_ref,
        "name": client.name,
        "tier": client.tier,
        "country": client.country,
        "account_manager_email": client.account_manager.email if client.account_manager else None,
        "ended_on": client.ended_on_date.isoformat() if client.ended_on_date else None,
    }
