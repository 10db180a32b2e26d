"""Contracts with clients: list, look up, import, export."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router

from partwell.api.answers import listing, reply
from partwell.api.authentication import actor_of
from partwell.api.idempotency import idempotent
from partwell.api.registers import CSV_BODY, CSV_FILE, export, import_
from partwell.api.shapes import Cursor, Limit, Listing
from partwell.api.shapes.office import ContractShape, ImportShape
from partwell.people import queries
from partwell.people.models import Client, Contract

router = Router(tags=["contracts"])
RowId = Annotated[int, Path(ge=1, le=2**62)]


@router.get("", response=Listing[ContractShape])
def list_contracts(
    request: HttpRequest,
    client: Annotated[int | None, Query(ge=1, le=2**62, description="Of this client alone.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> HttpResponse:
    """The contracts, oldest entry first."""
    found, after = queries.list_contracts(
        actor=actor_of(request), client_id=client, after=cursor, limit=limit
    )
    return listing([contract_dict(contract, contract.client) for contract in found], after)


@router.get("/export", openapi_extra=CSV_FILE)
def export_contracts(request: HttpRequest) -> HttpResponse:
    """Contracts as CSV."""
    return export(request, "contracts")


@router.post("/import", response=ImportShape, openapi_extra=CSV_BODY)
@idempotent
def import_contracts(request: HttpRequest, dry_run: bool = False) -> HttpResponse:
    """Bring contracts up to date from CSV, all or nothing."""
    return import_(request, "contracts", dry_run)


@router.get("/{contract_id}", response=ContractShape)
def show_contract(request: HttpRequest, contract_id: RowId) -> HttpResponse:
    """One contract."""
    contract = queries.view_contract(contract_id, actor=actor_of(request))
    return reply(contract_dict(contract, contract.client))


def contract_dict(contract: Contract, client: Client) -> dict[str, Any]:
    """A contract as a program reads it."""
    return {
        "id": contract.pk,
        "client_id": client.pk,
        "client_ref": client.client_ref,
        "client": client.name,
        "title": contract.title,
        "start_date": contract.start_date.isoformat() if contract.start_date else None,
        "end_date": contract.end_date.isoformat() if contract.end_date else None,
        "notice_days": contract.notice_days,
        "governing_law": contract.governing_law,
    }
