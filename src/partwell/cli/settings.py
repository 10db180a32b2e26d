"""`partwell settings …`: whose installation this is."""

from __future__ import annotations

from typing import Annotated

import typer

from partwell import clock
from partwell.cli.acting import As, acting
from partwell.cli.output import AsJson, answer, speaks
from partwell.people.operations import change_settings
from partwell.people.queries import settings_dict, view_settings

app = typer.Typer(help="Whose installation this is, and where.", no_args_is_help=True)


@app.command()
@speaks
def show(as_email: As = None, as_json: AsJson = False) -> None:
    """Show company, country and timezone."""
    data = settings_dict(view_settings(actor=acting(as_email)))
    answer(data, as_json=as_json, text=lambda: _as_text(data))


@app.command()
@speaks
def change(
    company: Annotated[str | None, typer.Option(help="The name of your company.")] = None,
    country: Annotated[str | None, typer.Option(help="Two letters such as DE.")] = None,
    timezone: Annotated[str | None, typer.Option(help="Such as Europe/Berlin.")] = None,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Change them; what is not given stays."""
    actor = acting(as_email)
    here = view_settings(actor=actor)
    changed = change_settings(
        company=here.company_name if company is None else company,
        country=here.country if country is None else country,
        timezone=here.timezone if timezone is None else timezone,
        actor=actor,
        now=clock.now(),
    )
    data = settings_dict(changed)
    answer(data, as_json=as_json, text=lambda: _as_text(data))


def _as_text(data: dict[str, str]) -> str:
    return f"{data['company']}, {data['country'] or 'no country'}, {data['timezone'] or 'no timezone'}"
