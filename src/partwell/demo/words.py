"""What the demo's people write: notes on steps, and the files that they attach."""

from __future__ import annotations

import csv
import io
from functools import cache
from importlib import resources

import yaml

from partwell.departures.models import Departure
from partwell.journeys.models import Step
from partwell.people.roles import Role

USUAL: dict[Role, str] = {
    Role.HR: "Amara Osei",
    Role.IT_SECURITY: "Tomasz Wrona",
    Role.FINANCE: "Daniel Achterberg",
    Role.LEGAL: "Ingrid Solheim",
    Role.EXECUTIVE: "Helen Marsh",
    Role.LINE_MANAGER: "Joon-ho Baek",
    Role.ACCOUNT_MANAGER: "Nadia Ferreira",
}
"""Who takes a step that belongs to a team, or to nobody yet."""

_ELSE: dict[Role, str] = {
    Role.HR: "Done and filed in the personnel folder.",
    Role.IT_SECURITY: "Done, and checked by a second look in the console.",
    Role.FINANCE: "Booked, and checked by a second pair of eyes.",
    Role.LEGAL: "Reviewed; the paper is in the matter’s folder.",
    Role.EXECUTIVE: "Discussed and decided in the Monday meeting.",
    Role.LINE_MANAGER: "Settled with the team; minutes are in our folder.",
    Role.ACCOUNT_MANAGER: "Agreed with the client and confirmed by mail.",
    Role.DEPARTING: "Done. Ask me until my last day if anything is unclear.",
}

_LISTS = ("list-", "make-return-list", "export-client-data")
_LETTERS = ("confirm-", "acknowledge-", "send-", "explain-", "remind-", "agree-reference", "write-dismissal")


@cache
def _notes() -> dict[str, str]:
    """The notes beside this module, by the key of their step."""
    text = resources.files("partwell.demo").joinpath("notes.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def note_of(step: Step) -> str:
    """What the step's owner notes when it is done."""
    return _notes().get(step.key, _ELSE[Role(step.role)])


def link_of(departure: Departure) -> str:
    """Where the client's record is kept."""
    ref = departure.client.client_ref if departure.client else departure.subject_department
    return f"https://crm.harbourvale.example/accounts/{ref.lower()}"


def file_of(step: Step) -> tuple[str, bytes]:
    """Name and content of the file that proves this step: a mail, a list or a signed text."""
    subject = step.journey.departure.subject_name
    about = f"{step.key}-{subject.split()[-1].lower()}".replace("&", "and")
    if step.key.startswith(_LISTS):
        return f"{about}.csv", _list(step)
    if step.key.startswith(_LETTERS):
        return f"{about}.eml", _letter(step)
    text = f"{step.title}\n{subject}\n\n{note_of(step)}\n\nSigned: {_signer(step)}, Harbour & Vale\n"
    return f"{about}.txt", text.encode()


def _signer(step: Step) -> str:
    return step.owner_name or USUAL.get(Role(step.role), step.journey.departure.subject_name)


def _letter(step: Step) -> bytes:
    departure = step.journey.departure
    to = departure.subject_email or "people@harbourvale.example"
    return (
        f"From: people@harbourvale.example\nTo: {to}\nSubject: {step.title}\n"
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n"
        f"Dear {departure.subject_name},\n\n"
        f"your last working day with us is {departure.last_working_date:%d %B %Y}. "
        "This letter is for your records; please answer if anything in it is not as we agreed.\n\n"
        f"With kind regards\n{_signer(step)}\nHarbour & Vale\n"
    ).encode()


def _list(step: Step) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("item", "number", "state"))
    if step.key == "list-known-secrets":
        writer.writerows(
            (
                ("deploy key of the build server", "vault: ci/deploy", "to be changed first"),
                ("mail relay", "vault: mail/relay", "to be changed"),
                ("CDN console", "vault: web/cdn", "to be changed"),
            )
        )
    elif "access" in step.key:
        writer.writerows(
            (
                ("client portal", "two users", "ours to close"),
                ("their registrar", "one shared sign-in", "theirs to close, last"),
                ("their web analytics", "read only", "theirs to close"),
            )
        )
    else:
        writer.writerows(
            (
                ("MacBook Pro 14", "HV-2107", "in use"),
                ("iPhone 14", "HV-2108", "in use"),
                ("security key", "two pieces", "in use"),
                ("door badge", "00417", "in use"),
            )
        )
    return text.getvalue().encode()
