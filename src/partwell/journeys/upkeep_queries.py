"""Reading who answers for each template, and when somebody last read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from partwell.journeys.models import TemplateUpkeep, TemplateVersion
from partwell.journeys.template_operations import LIBRARY_ACTOR
from partwell.journeys.template_queries import latest, latest_versions
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, load_matrix
from partwell.people.models import RoleGrant, User

READ_EVERY = timedelta(days=365)


class Lack(StrEnum):
    """What a template is without."""

    NO_OWNER = "no_owner"
    OWNER_GONE = "owner_gone"
    NEVER_READ = "never_read"
    UNREAD = "unread"


@dataclass(frozen=True)
class Upkeep:
    """A template's latest version with its owner and its last reading.

    Whoever published a version here has read it; what came with the product nobody here has.
    """

    version: TemplateVersion
    row: TemplateUpkeep | None

    @property
    def owner_name(self) -> str:
        return self.row.owner_name if self.row else ""

    @property
    def last_read(self) -> tuple[datetime, str] | None:
        """When somebody here last read it, and who; None where nobody did."""
        readings = []
        if self.row is not None and self.row.reviewed_at is not None:
            readings.append((self.row.reviewed_at, self.row.reviewed_by))
        if self.version.published_by != LIBRARY_ACTOR.label:
            readings.append((self.version.published_at, self.version.published_by))
        return max(readings, default=None)

    def lacks(self, now: datetime) -> tuple[Lack, ...]:
        """What it is without at this moment; nothing where all is well."""
        found = []
        owner = self.row.owner if self.row else None
        if owner is None:
            found.append(Lack.NO_OWNER)
        elif not owner.is_active:
            found.append(Lack.OWNER_GONE)
        if self.last_read is None:
            found.append(Lack.NEVER_READ)
        elif self.last_read[0] <= now - READ_EVERY:
            found.append(Lack.UNREAD)
        return tuple(found)

    def as_dict(self, now: datetime) -> dict[str, Any]:
        """As the API and the command line show it."""
        read = self.last_read
        return {
            "id": self.version.template_id,
            "title": self.version.title,
            "version": self.version.version,
            "owner": self.owner_name or None,
            "last_read_at": read[0].isoformat() if read else None,
            "last_read_by": read[1] if read else None,
            "review_note": self.row.review_note if self.row else "",
            "lacks": [lack.value for lack in self.lacks(now)],
        }


def list_upkeep(*, actor: Actor) -> list[Upkeep]:
    """Every template's upkeep, by id. Two queries."""
    check_office(actor, "templates.view")
    return read_upkeep()


def read_upkeep() -> list[Upkeep]:
    """As `list_upkeep`, for whoever has been let in."""
    rows = {row.template_id: row for row in TemplateUpkeep.objects.select_related("owner")}
    return [Upkeep(version, rows.get(version.template_id)) for version in latest_versions().defer("source")]


def show_upkeep(*, template_id: str, actor: Actor) -> Upkeep:
    """One template's upkeep. Raises `NotFound`."""
    return upkeep_of(latest(template_id), actor=actor)


def upkeep_of(version: TemplateVersion, *, actor: Actor) -> Upkeep:
    """As `show_upkeep`, for whoever has the latest version at hand."""
    check_office(actor, "templates.view")
    row = TemplateUpkeep.objects.select_related("owner").filter(template_id=version.template_id).first()
    return Upkeep(version, row)


def may_own() -> QuerySet[User]:
    """The accounts that can be given a template: those that may read templates, by name."""
    readers = load_matrix().operations["templates.view"].allow
    held = RoleGrant.objects.filter(user=OuterRef("pk"), role__in=readers)
    return User.objects.filter(Exists(held), is_active=True).order_by("name", "email")
