"""What the side bar offers. An item appears once its page exists and is for this actor."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse

from partwell.people.actors import Actor
from partwell.people.authorisation import load_matrix


@dataclass(frozen=True)
class Item:
    """One link: its title, the URL name it leads to, its icon and whose it is.

    `operation` is the row of the authorisation matrix that decides who sees the link; empty for all.
    The page itself decides again.
    """

    title: str
    name: str
    icon: str
    operation: str = ""


SECTIONS: tuple[tuple[str, tuple[Item, ...]], ...] = (
    (
        "",
        (
            Item("Today", "web:home", "sun-high"),
            Item("Journeys", "web:departures", "route"),
            Item("Rounds", "web:rounds", "list-check", "rounds.view"),
            Item("My steps", "web:my_steps", "checklist"),
            Item("Access", "web:access_overview", "shield-lock"),
            Item("Ghosts", "web:ghosts", "user-x", "ghosts.view"),
            Item("Credentials", "web:credentials", "key"),
            Item("People", "web:people", "users", "people.view"),
            Item("Clients", "web:clients", "briefcase", "clients.view"),
            Item("How it goes", "web:process", "chart-dots", "process.view"),
            Item("Evidence", "web:evidence", "rubber-stamp", "evidence.verify"),
        ),
    ),
    (
        "Set up",
        (
            Item("Templates", "web:templates", "layout-list", "templates.view"),
            Item("Connections", "web:systems", "plug-connected", "systems.view"),
            Item("Settings", "web:settings", "settings", "settings.view"),
        ),
    ),
)


# For whoever leaves and can still sign in, once they are sure to know; nobody else is offered it.
MY_DEPARTURE = Item("My departure", "web:my_departure", "door-exit")

# For whoever something is handed over to.
COMING = Item("What comes to you", "web:coming", "heart-handshake")

# Pages of one departure that belong to a section of their own.
INSIDE_DEPARTURES = {"access": "web:access_overview", "evidence": "web:evidence"}


def address_of(name: str) -> str:
    """Where a page is, or nothing while this installation has no such page."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def may_follow(actor: Actor, operation: str) -> bool:
    """Whether an office operation's row names a role that the actor holds."""
    if not operation:
        return True
    return bool({grant.role.value for grant in actor.grants} & load_matrix().operations[operation].allow)


def sections_for(
    actor: Actor,
    path: str,
    counts: dict[str, tuple[str, str]],
    *,
    leaves: bool = False,
    receives: bool = False,
) -> list[dict[str, object]]:
    """The side bar for one page: sections with a title and items with url, icon, count and `is_here`.

    `leaves` says that the actor's own departure has a page for them, `receives` that something is handed over
    to them.
    """
    parts = path.strip("/").split("/")
    if len(parts) > 2 and parts[0] == "departures" and parts[2] in INSIDE_DEPARTURES:
        path = address_of(INSIDE_DEPARTURES[parts[2]])
    sections: list[dict[str, object]] = []
    for title, items in SECTIONS:
        links = []
        if receives and not title:
            items = (*items, COMING)
        if leaves and not title:
            items = (*items, MY_DEPARTURE)
        for item in items:
            url = address_of(item.name)
            if not url or not may_follow(actor, item.operation):
                continue
            count, counted = counts.get(item.name, ("", ""))
            links.append(
                {
                    "title": item.title,
                    "url": url,
                    "icon": item.icon,
                    "count": count,
                    "counted": counted,
                    "is_here": path == url if url == "/" else path.startswith(url),
                }
            )
        if links:
            # "links", not "items": a template would find the dict's own method of that name.
            sections.append({"title": title, "links": links})
    return sections
