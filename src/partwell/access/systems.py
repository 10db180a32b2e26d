"""Reading about connected systems: when each was last tested, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Concat

from partwell.access.models import Question, System
from partwell.access.states import QuestionKind, QuestionState
from partwell.connector_kit import registry
from partwell.evidence.models import Event
from partwell.evidence.queries import fields_of


@dataclass(frozen=True)
class LastTest:
    """What a system said when it was tested, as the record has it."""

    at: datetime
    is_ok: bool
    summary: str
    problems: tuple[str, ...]
    declaration: str = ""

    def is_of(self, system: System) -> bool:
        """Whether it speaks for the connection as it is now."""
        return system.connection_changed_at is None or self.at > system.connection_changed_at


def last_tests(name: str = "") -> dict[str, LastTest]:
    """The newest test of each system, or of one, by the system's name. Two queries."""
    newest = (
        Event.objects.filter(kind="system.tested", scope=OuterRef("scope"))
        .order_by("-occurred_at", "-pk")
        .values("pk")[:1]
    )
    rows = System.objects.filter(name=name) if name else System.objects.all()
    found = {
        system: event
        for system, event in rows.annotate(scope=Concat(Value("system:"), "name"))
        .annotate(newest=Subquery(newest))
        .values_list("name", "newest")
        if event is not None
    }
    events = Event.objects.in_bulk(list(found.values()))
    return {system: _read(events[event]) for system, event in found.items()}


def answering() -> QuerySet[System]:
    """The enabled systems whose newest test passed and speaks for the connection as it is now, as
    `last_tests` and `LastTest.is_of` tell it one by one."""
    newest = Event.objects.filter(kind="system.tested", scope=OuterRef("scope")).order_by(
        "-occurred_at", "-pk"
    )
    return (
        System.objects.filter(is_enabled=True)
        .annotate(scope=Concat(Value("system:"), "name"))
        .annotate(
            newest=Subquery(newest.values("pk")[:1]), tested_at=Subquery(newest.values("occurred_at")[:1])
        )
        .filter(Exists(Event.objects.filter(pk=OuterRef("newest"), fields__ok__value=True)))
        .filter(Q(connection_changed_at=None) | Q(connection_changed_at__lt=F("tested_at")))
    )


def _read(event: Event) -> LastTest:
    said = fields_of(event)
    problems = said["problems"].value or []
    return LastTest(
        at=event.occurred_at,
        is_ok=said["ok"].value is True,
        summary=str(said["summary"].value or ""),
        problems=tuple(str(problem) for problem in problems),
        declaration=_declaration(event),
    )


@dataclass(frozen=True)
class DeclaredBy:
    """The file behind a system's connector: its digest in this process, and the one that the system was last
    tested or else connected with."""

    source: str
    digest: str
    known_digest: str

    @property
    def is_changed(self) -> bool:
        """Whether it says something else now than when somebody last looked."""
        return self.digest != self.known_digest


def declared_by(system: System) -> DeclaredBy | None:
    """The file that declares a system's connector; None for those that come with Partwell."""
    registered = registry.find(system.connector)
    if registered is None or not registered.digest:
        return None
    looked_at = (
        Event.objects.filter(kind__in=("system.added", "system.tested"), scope=f"system:{system.name}")
        .order_by("-occurred_at", "-pk")
        .first()
    )
    known = "" if looked_at is None else _declaration(looked_at)
    return DeclaredBy(registered.source, registered.digest, known)


def _declaration(event: Event) -> str:
    field = fields_of(event).get("declaration")
    return "" if field is None else str(field.value or "")


def being_tested() -> set[int]:
    """The systems whose test has been asked for and has not been answered."""
    return set(
        Question.objects.filter(
            kind=QuestionKind.TEST, state=QuestionState.OPEN, system__isnull=False
        ).values_list("system_id", flat=True)
    )
