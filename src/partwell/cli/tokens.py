"""`partwell tokens …`"""

from __future__ import annotations

from typing import Annotated

import typer

from partwell import clock
from partwell.cli.acting import As, acting
from partwell.cli.output import AsJson, answer, listing, say, speaks, table
from partwell.people.token_operations import (
    DEFAULT_DAYS,
    create_token,
    list_tokens,
    revoke_token,
    token_dict,
)

app = typer.Typer(help="API tokens.", no_args_is_help=True)


@app.command()
@speaks
def create(
    scope: Annotated[list[str], typer.Option(help="read, write or access; give it again for several.")],
    email: Annotated[str, typer.Option(help="Whose token it is; the only administrator's otherwise.")] = "",
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    days: Annotated[int, typer.Option(help="How long it lives.")] = DEFAULT_DAYS,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Create a token. It acts as its user, and its secret is shown this once."""
    wanted = [part for text in scope for part in text.replace(",", " ").split()]
    token, secret = create_token(
        scopes=wanted, email=email, name=name, days=days, actor=acting(as_email), now=clock.now()
    )
    answer({**token_dict(token, now=clock.now()), "token": secret}, as_json=as_json, text=secret)
    if not as_json:
        say(f"It acts as {token.user.email} until {token.expires_at:%Y-%m-%d}. It is not shown again.")


@app.command("list")
@speaks
def list_(as_email: As = None, as_json: AsJson = False) -> None:
    """List tokens, without their secrets."""
    now = clock.now()
    items = [token_dict(token, now=now) for token in list_tokens(actor=acting(as_email))]
    answer(
        listing(items),
        as_json=as_json,
        text=lambda: table(
            [
                (i["id"], i["name"], i["user"], " ".join(i["scopes"]), i["expires_at"][:10], i["state"])
                for i in items
            ],
            ("ID", "NAME", "USER", "SCOPES", "EXPIRES", "STATE"),
        ),
    )


@app.command()
@speaks
def revoke(
    token_id: Annotated[int, typer.Argument(metavar="ID", help="As `partwell tokens list` shows it.")],
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """End a token at once."""
    token = revoke_token(token_id=token_id, actor=acting(as_email), now=clock.now())
    answer(token_dict(token, now=clock.now()), as_json=as_json, text=f"“{token.name}” is revoked.")
