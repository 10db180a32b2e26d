"""API tokens: list and revoke. Making one needs a person with a second factor, on the web or the console."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router

from partwell import clock
from partwell.api.answers import listing, page_of, reply
from partwell.api.authentication import actor_of
from partwell.api.idempotency import idempotent
from partwell.api.shapes import Cursor, Limit, Listing
from partwell.api.shapes.office import TokenShape
from partwell.people.token_operations import list_tokens, revoke_token, token_dict

router = Router(tags=["tokens"])
RowId = Annotated[int, Path(ge=1, le=2**62)]


@router.get("", response=Listing[TokenShape])
def list_all(request: HttpRequest, cursor: Cursor = None, limit: Limit = 50) -> HttpResponse:
    """One's own tokens, everybody's for administrators; never their secrets."""
    found = list_tokens(actor=actor_of(request))
    page, after = page_of(found, key=lambda token: str(token.pk), cursor=cursor, limit=limit)
    return listing([token_dict(token, now=clock.now()) for token in page], after)


@router.post("/{token_id}/revoke", response=TokenShape)
@idempotent
def revoke(request: HttpRequest, token_id: RowId) -> HttpResponse:
    """End a token, one's own included: the next call with it is refused."""
    now = clock.now()
    return reply(token_dict(revoke_token(token_id=token_id, actor=actor_of(request), now=now), now=now))
