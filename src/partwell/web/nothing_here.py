"""What a list says while it is empty: what would stand there, why one wants it, and the next step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from partwell.people.actors import Actor
from partwell.people.authorisation import load_matrix
from partwell.people.roles import ROLE_LABELS, Role
from partwell.web.navigation import may_follow

SINGLE = frozenset({Role.LINE_MANAGER, Role.ACCOUNT_MANAGER, Role.EXECUTIVE, Role.ADMIN})
"""Roles that are said of a person; the others are teams."""


@dataclass(frozen=True)
class Nothing:
    """One empty list. The next step is at `name`, for whom the matrix's row `operation` allows it; everybody
    else reads who can `deed`. Without an operation the step is everybody's."""

    title: str
    text: str
    name: str
    action: str
    icon: str = ""
    operation: str = ""
    deed: str = ""


NOTHING: dict[str, Nothing] = {
    "people": Nothing(
        "Nobody is in the register yet",
        "Everybody who works here stands in it, with who leads whom: that decides who gets which step. "
        "People come from a CSV file, and every change is shown before it applies.",
        "web:people_import",
        "Import people",
        "file-import",
        "people.import",
        "import people",
    ),
    "clients": Nothing(
        "No client is here yet",
        "Firms that buy from you stand here with their contacts and contracts, so that their endings are "
        "planned too. They come from a CSV file, and every change is shown before it applies.",
        "web:clients_import",
        "Import clients",
        "file-import",
        "clients.import",
        "import clients",
    ),
    "journeys": Nothing(
        "Nobody is leaving right now",
        "When someone gives notice, or a contract ends, start here. You need a name, two dates and a reason.",
        "web:departure_start",
        "New departure",
        "plus",
        "journeys.start",
        "start a departure",
    ),
    "steps": Nothing(
        "Nothing waits for you",
        "Steps appear here when a journey gives you one. Whoever leaves next, you will see it in time.",
        "web:departures",
        "Look at the journeys",
        "route",
    ),
    "access": Nothing(
        "No access needs you now",
        "When somebody leaves, their access is planned, approved, cut and proven here, in every system that "
        "is connected.",
        "web:systems",
        "Look at the connections",
        "plug-connected",
        "systems.view",
        "connect systems",
    ),
    "ghosts": Nothing(
        "No system is connected yet",
        "Once systems are connected, all their accounts are compared here with everybody who has left: what "
        "came back, what nobody knew of, what is still used, and what is nobody’s.",
        "web:system_add",
        "Connect a system",
        "plus",
        "systems.add",
        "connect a system",
    ),
    "credentials": Nothing(
        "No shared secret is on record yet",
        "Begin with what would hurt: the social media login, the bank portal, the Wi-Fi, the door code. Say "
        "who knows each, and each departure will ask for the right ones to be changed.",
        "web:credential_add",
        "Add a credential",
        "plus",
        "credentials.add",
        "put one on record",
    ),
    "templates": Nothing(
        "No template is published yet",
        "A template says what has to be done when somebody leaves, by whom and when. Partwell publishes its "
        "own when it starts; yours are written here.",
        "web:drafts",
        "Write a template",
        "edit",
        "templates.begin_draft",
        "write one",
    ),
    "systems": Nothing(
        "No system is connected yet",
        "Start with the directory that people sign in with, then add what they reach without it.",
        "web:system_add",
        "Connect a system",
        "plus",
        "systems.add",
        "connect one",
    ),
    "receivers": Nothing(
        "Nobody outside is told yet",
        "Systems that Partwell cuts by itself need no signal. Register what keeps sessions of its own.",
        "web:receiver_add",
        "Register a receiver",
        "plus",
        "receivers.add",
        "register one",
    ),
    "coming": Nothing(
        "Nothing comes to you",
        "When somebody leaves and their work goes to you, you find it here: what it is, since when you have "
        "it, and until when.",
        "web:home",
        "Go to Today",
        "sun-high",
    ),
    "rounds": Nothing(
        "No round yet",
        "For a site that closes or a team that ends: one list, one look at everything, one approval.",
        "web:round_prepare",
        "New round",
        "plus",
        "rounds.prepare",
        "prepare one",
    ),
    "loads": Nothing(
        "No step is open in a journey that you may read",
        "Once journeys run, this says who carries how much of them, and who carries too much.",
        "web:departures",
        "Look at the journeys",
        "route",
    ),
    "compare": Nothing(
        "Choose two templates",
        "Partwell compares one for a client with one for a colleague by itself as soon as both are "
        "published.",
        "web:templates",
        "Look at the templates",
        "layout-list",
        "templates.view",
        "publish them",
    ),
}


def say_nothing(what: str, actor: Actor, *, may: Any = None) -> dict[str, Any]:
    """What the empty list `what` says to this actor. `may` overrules the matrix where the register decides
    who may take the step."""
    found = NOTHING[what]
    if may_follow(actor, found.operation) if may is None else may:
        return {
            "title": found.title,
            "text": found.text,
            "url": reverse(found.name),
            "action": found.action,
            "icon_name": found.icon,
        }
    return {"title": found.title, "text": f"{found.text} {who_can(found.operation)} can {found.deed}."}


def who_can(operation: str) -> str:
    """Whose roles an operation's row names, as the beginning of a sentence: “HR or a line manager”."""
    allow = load_matrix().operations[operation].allow
    names = [_one_of(role) for role in ROLE_LABELS if role.value in allow]
    said = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
    return said[0].upper() + said[1:]


def _one_of(role: Role) -> str:
    label = ROLE_LABELS[role]
    if role not in SINGLE:
        return label
    return f"{'an' if label[0] in 'AEIOU' else 'a'} {label.lower()}"
