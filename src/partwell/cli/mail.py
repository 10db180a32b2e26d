"""`partwell mail …`"""

from __future__ import annotations

from typing import Annotated

import typer

from partwell import clock
from partwell.cli.acting import acting
from partwell.cli.output import AsJson, answer, listing, say, speaks, table
from partwell.people.authorisation import check_office
from partwell.refusals import Conflict
from partwell.signals.outbox import get_mail, send_again
from partwell.signals.queries import list_mail, mail_dict
from partwell.signals.sealing import SealBroken
from partwell.signals.sending import is_configured
from partwell.signals.states import MailState

app = typer.Typer(help="The outbox.", no_args_is_help=True)

MailId = Annotated[str, typer.Argument(metavar="MAIL", help="A mail's id, as in `partwell mail list`.")]


@app.command("list")
@speaks
def list_(
    state: Annotated[MailState | None, typer.Option(help="Only those in this state.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the latest mails and what became of them."""
    check_office(acting(None), "settings.view")
    items = [mail_dict(message) for message in list_mail(states=[state] if state else [])]
    if not is_configured() and not as_json:
        say("No mail server is set (PARTWELL_SMTP_URL), so mail stays here.")
    answer(
        listing(items),
        as_json=as_json,
        text=lambda: table(
            [(i["id"], i["state"], i["to"], i["subject"], i["last_error"]) for i in items],
            ("ID", "State", "To", "Subject", "Trouble"),
        ),
    )


@app.command()
@speaks
def show(mail_id: MailId, as_json: AsJson = False) -> None:
    """Show a waiting mail with its text, so that it can be handed over without a mail server."""
    check_office(acting(None), "settings.view")
    message = get_mail(mail_id)
    if is_configured():
        raise Conflict("mail_is_private", "There is a mail server, so a mail's text is for its reader alone.")
    try:
        text = message.text
    except SealBroken as error:
        raise Conflict(
            "mail_sealed", "The text was sealed under another PARTWELL_SECRET_KEY and cannot be read."
        ) from error
    answer(
        {**mail_dict(message), "text": text},
        as_json=as_json,
        text=f"To: {message.to}\nSubject: {message.subject}\n\n{text or '(erased: it was sent or dropped)'}",
    )


@app.command("send-again")
@speaks
def send_again_(mail_id: MailId, as_json: AsJson = False) -> None:
    """Queue a mail that failed once more."""
    actor = acting(None)
    check_office(actor, "settings.change")
    message = send_again(mail_id, actor=actor.label, now=clock.now())
    answer(mail_dict(message), as_json=as_json, text=f"Queued again: {message.subject} to {message.to}.")
