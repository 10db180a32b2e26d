"""`partwell receivers …`: who outside is told when somebody's sessions end."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer

from partwell import clock
from partwell.cli.acting import As, acting
from partwell.cli.output import AsJson, answer, listing, speaks, table
from partwell.departures.policies import scopes_of_others
from partwell.refusals import NotFound
from partwell.signals import receivers
from partwell.signals.delivery import deliver_now
from partwell.signals.queries import (
    get_receiver,
    get_signal,
    key_dict,
    list_receivers,
    list_signals,
    receiver_dict,
    signal_dict,
)
from partwell.signals.states import SignalState

app = typer.Typer(help="Receivers of signed security events.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="As `partwell receivers list` shows it.")]
Title = Annotated[str | None, typer.Option(help="As people call it.")]
Authorization = Annotated[
    str | None,
    typer.Option(help="Where the whole value of the Authorization header is kept: env:NAME or file:/PATH."),
]
CaFile = Annotated[str | None, typer.Option(help="Certificates of a private authority, as a path.")]
Signals = Annotated[
    list[str] | None,
    typer.Option("--signal", help="session-revoked, account-disabled, account-enabled; once for each."),
]
Format = Annotated[
    str | None, typer.Option("--subject-format", help="How people are named: email, account or iss_sub.")
]
Issuer = Annotated[
    str | None, typer.Option("--subject-issuer", help="For iss_sub: the issuer of its identity provider.")
]


@app.command("list")
@speaks
def list_(as_email: As = None, as_json: AsJson = False) -> None:
    """List receivers."""
    items = [receiver_dict(receiver) for receiver in list_receivers(actor=acting(as_email))]
    answer(
        listing(items),
        as_json=as_json,
        text=lambda: table(
            [
                (i["name"], i["endpoint"], " ".join(i["signals"]), "on" if i["is_enabled"] else "off")
                for i in items
            ],
            ("NAME", "ENDPOINT", "SIGNALS", "IS"),
        ),
    )


@app.command("add")
@speaks
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, hyphens.")],
    endpoint: Annotated[str, typer.Option(help="Where it listens, an https address.")],
    audience: Annotated[str, typer.Option(help="Which audience it expects in a token.")],
    title: Title = None,
    authorization: Authorization = None,
    ca_file: CaFile = None,
    signals: Signals = None,
    subject_format: Format = None,
    subject_issuer: Issuer = None,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Register a receiver. Nothing is sent to it yet."""
    receiver = receivers.add_receiver(
        name=name,
        description=_given(
            endpoint=endpoint,
            audience=audience,
            title=title,
            authorization=authorization,
            ca_file=ca_file,
            signals=signals or None,
            subject_format=subject_format,
            subject_issuer=subject_issuer,
        ),
        actor=acting(as_email),
        now=clock.now(),
    )
    answer(
        receiver_dict(receiver),
        as_json=as_json,
        text=f"{receiver.title} is registered. Test it: partwell receivers test {receiver.name}",
    )


@app.command("change")
@speaks
def change(
    name: Name,
    endpoint: Annotated[str | None, typer.Option(help="Where it listens, an https address.")] = None,
    audience: Annotated[str | None, typer.Option(help="Which audience it expects in a token.")] = None,
    title: Title = None,
    authorization: Authorization = None,
    ca_file: CaFile = None,
    signals: Signals = None,
    subject_format: Format = None,
    subject_issuer: Issuer = None,
    is_enabled: Annotated[bool | None, typer.Option("--on/--off", help="Whether it is told.")] = None,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Change a receiver; what is not given stays. Switched off, what waits for it is given up."""
    actor = acting(as_email)
    receiver = receivers.change_receiver(
        receiver=get_receiver(name, actor=actor),
        changes=_given(
            endpoint=endpoint,
            audience=audience,
            title=title,
            authorization=authorization,
            ca_file=ca_file,
            signals=signals or None,
            subject_format=subject_format,
            subject_issuer=subject_issuer,
            is_enabled=is_enabled,
        ),
        actor=actor,
        now=clock.now(),
    )
    state = "on" if receiver.is_enabled else "off"
    answer(receiver_dict(receiver), as_json=as_json, text=f"{receiver.title} is kept. It is {state}.")


@app.command("test")
@speaks
def test(name: Name, as_email: As = None, as_json: AsJson = False) -> None:
    """Send the verification event, once, and say what came back."""
    actor = acting(as_email)
    receiver = get_receiver(name, actor=actor)
    event = deliver_now(receivers.test_receiver(receiver=receiver, actor=actor, now=clock.now()))
    words = {
        SignalState.ACCEPTED: f"{receiver.title} took the verification event.",
        SignalState.QUEUED: "A worker is sending it. See: partwell receivers signals " + receiver.name,
    }
    text = words.get(SignalState(event.state), f"{receiver.title} did not take it. {event.answer}")
    answer(signal_dict(event), as_json=as_json, text=text)
    if event.state == SignalState.FAILED:
        raise typer.Exit(1)


@app.command("signals")
@speaks
def signals_(name: Name, as_email: As = None, as_json: AsJson = False) -> None:
    """List what a receiver was told, newest first; not about whom."""
    actor = acting(as_email)
    found = list_signals(get_receiver(name, actor=actor), without=scopes_of_others(actor))
    items = [signal_dict(event) for event in found]
    answer(
        listing(items),
        as_json=as_json,
        text=lambda: table(
            [(i["id"], i["signal"], i["state"], i["created_at"][:19], i["answer"]) for i in items],
            ("ID", "SIGNAL", "STATE", "QUEUED", "ANSWER"),
        ),
    )


@app.command("send-again")
@speaks
def send_again(
    name: Name,
    signal_id: Annotated[str, typer.Argument(metavar="ID", help="As `partwell receivers signals` shows it.")],
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Queue a signal that failed once more, as the same token."""
    actor = acting(as_email)
    event = get_signal(get_receiver(name, actor=actor), _uuid(signal_id), without=scopes_of_others(actor))
    event = receivers.send_signal_again(event=event, actor=actor, now=clock.now())
    answer(signal_dict(event), as_json=as_json, text="It is queued. A worker sends it.")


@app.command("rotate-key")
@speaks
def rotate_key(as_email: As = None, as_json: AsJson = False) -> None:
    """Put a new signing key in use; the one before it stays published for thirty days."""
    key = receivers.rotate_signing_key(actor=acting(as_email), now=clock.now())
    answer(key_dict(key), as_json=as_json, text=f"Signals are signed with the key {key.kid} from now on.")


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound("signal") from error
