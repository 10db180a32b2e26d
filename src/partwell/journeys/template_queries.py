"""Reading published templates."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from pydantic import ValidationError

from partwell.departures.policies import visibility
from partwell.journeys.models import Journey, TemplateVersion
from partwell.journeys.template.check import parse
from partwell.journeys.template.digest import digest_of
from partwell.journeys.template.model import Template
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office
from partwell.refusals import Conflict, NotFound
from partwell.yaml_text import Unreadable

_MAX_CACHED = 64
_loaded: OrderedDict[str, Template] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True)
class TemplateSummary:
    """A template in a list: its latest version, and how many journeys that the reader sees pinned it."""

    version: TemplateVersion
    template: Template
    journeys: int

    def as_dict(self) -> dict[str, Any]:
        """The template's row as the API and the command line show it."""
        return {
            "id": self.version.template_id,
            "version": self.version.version,
            "digest": self.version.digest,
            "title": self.version.title,
            "audience": self.version.audience,
            "steps": len(self.template.steps),
            "journeys": self.journeys,
            "published_at": self.version.published_at.isoformat(),
        }


def list_templates(*, actor: Actor) -> list[TemplateSummary]:
    """Every template's latest version, by id."""
    check_office(actor, "templates.view")
    counts = _journeys(actor)
    return [TemplateSummary(v, load_version(v), counts.get(v.pk, 0)) for v in latest_versions()]


def show_template(*, template_id: str, actor: Actor, version: int | None = None) -> TemplateSummary:
    """One version of a template, the latest when none is named; raises `NotFound`."""
    check_office(actor, "templates.view")
    found = latest(template_id)
    if version is not None and version != found.version:
        found = version_of(template_id, version)
    return TemplateSummary(found, load_version(found), _journeys(actor).get(found.pk, 0))


def _journeys(actor: Actor) -> dict[int, int]:
    """How many journeys pinned each version, of those whose departure exists for the actor."""
    mine = Journey.objects.filter(visibility(actor, prefix="departure__"))
    return dict(mine.order_by().values_list("template_id").annotate(Count("pk")))


def latest_versions() -> QuerySet[TemplateVersion]:
    """The latest version of every template, by id."""
    newest = TemplateVersion.objects.filter(template_id=OuterRef("template_id")).order_by("-version")
    return (
        TemplateVersion.objects.annotate(newest=Subquery(newest.values("version")[:1]))
        .filter(version=F("newest"))
        .order_by("template_id")
    )


def latest(template_id: str) -> TemplateVersion:
    """The version that a journey starting now takes; raises `NotFound`."""
    found = TemplateVersion.objects.filter(template_id=template_id).order_by("-version").first()
    if found is None:
        raise NotFound(f"template “{template_id}”")
    return found


def version_of(template_id: str, version: int | None) -> TemplateVersion:
    """One version of a template, the latest when none is named; raises `NotFound`."""
    if version is None:
        return latest(template_id)
    found = TemplateVersion.objects.filter(template_id=template_id, version=version).first()
    if found is None:
        raise NotFound(f"version {version} of template “{template_id}”")
    return found


def load_version(version: TemplateVersion) -> Template:
    """The template that a version holds, cached by digest in this process.

    Raises `Conflict` when the stored text is no longer what was published.
    """
    with _lock:
        if version.digest in _loaded:
            _loaded.move_to_end(version.digest)
            return _loaded[version.digest]
    try:
        template = parse(version.source)
    except (Unreadable, ValidationError):
        template = None
    if template is None or digest_of(template) != version.digest:
        raise Conflict(
            "template_altered",
            f"{version} is not what was published: its text and its digest differ. Restore it from a backup.",
        )
    with _lock:
        _loaded[version.digest] = template
        while len(_loaded) > _MAX_CACHED:
            _loaded.popitem(last=False)
    return template
