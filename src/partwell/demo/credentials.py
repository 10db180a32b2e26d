"""What the people of the demo firm share: by name only, as the register keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from partwell.access.credentials.operations import add_credential, add_holder
from partwell.demo import systems
from partwell.demo.firm import address
from partwell.people.actors import Actor
from partwell.people.models import Contact


@dataclass(frozen=True)
class Shared:
    """One secret: who answers for it, who knows it, and how many days ago it was changed."""

    name: str
    kind: str
    owner: str
    known_by: tuple[str, ...]
    used_at: str = ""
    login: str = ""
    changed: int = 0
    more: dict[str, str] = field(default_factory=dict)


BOT = "deploy-bot"
SHARED = (
    Shared(
        "Orders database, reporting role",
        "password",
        "Joon-ho Baek",
        ("Joon-ho Baek", "Marit Lindqvist", "Priya Raman"),
        "orders-db.harbourvale.example",
        "reporting",
        140,
        {"rotate_every_days": "180"},
    ),
    Shared(
        "GitHub, deployment account",
        "password",
        "Joon-ho Baek",
        ("Joon-ho Baek", "Marit Lindqvist", "Tomasz Wrona"),
        "github.example",
        BOT,
        410,
        {"rotate_every_days": "365", "system": "github", "account": BOT},
    ),
    Shared(
        "Domain registrar",
        "portal",
        "Priya Raman",
        ("Priya Raman", "Tomasz Wrona"),
        "registrar.example",
        "harbourvale",
        60,
    ),
    Shared(
        "Social media, team login",
        "password",
        "Camille Roche",
        ("Camille Roche", "Mei Tanaka", "Saoirse Kelly"),
        "social.example",
        "harbourandvale",
        200,
    ),
    Shared("Berlin office, side door", "door_code", "", ("Amara Osei", "Marit Lindqvist"), "Berlin office"),
    Shared(
        "Hosting panel of Brightwater",
        "client_login",
        "Saoirse Kelly",
        ("Saoirse Kelly", "Marit Lindqvist"),
        "panel.brightwater-dental.example",
        "harbourvale",
        90,
        {"client_ref": "BDG", "direction": "theirs"},
    ),
    Shared(
        "Preview sites for Kestrel",
        "client_login",
        "Lukas Brandt",
        ("Lukas Brandt",),
        "preview.harbourvale.example",
        "kestrel",
        30,
        {"client_ref": "KES", "direction": "ours"},
    ),
)


def share_all(*, actor: Actor, now: datetime, today: date) -> None:
    """Put all of it on record, with who knows each; what is ours, the client's contacts know too."""
    systems.store().add_account("github", BOT, login=BOT, emails=[], name="Deployments")
    for shared in SHARED:
        given = {
            "name": shared.name,
            "kind": shared.kind,
            "owner_email": address(shared.owner) if shared.owner else "",
            "used_at": shared.used_at,
            "login": shared.login,
            **shared.more,
        }
        if shared.changed:
            given["rotated_on"] = (today - timedelta(days=shared.changed)).isoformat()
        credential = add_credential(given=given, actor=actor, now=now)
        holders = [address(name) for name in shared.known_by]
        if credential.direction == "ours":
            holders += Contact.objects.filter(client=credential.client).values_list("email", flat=True)
        since = today - timedelta(days=max(shared.changed, 30))
        for email in holders:
            add_holder(credential=credential, email=email, since=since, actor=actor, now=now)
