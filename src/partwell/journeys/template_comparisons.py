"""Reading templates beside each other: two versions of one, any two, and what waits for what in one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from partwell.departures.states import SubjectKind
from partwell.journeys.models import TemplateVersion
from partwell.journeys.template.comparison import Comparison, compare
from partwell.journeys.template.dependencies import Dependencies, dependencies_of
from partwell.journeys.template.difference import Difference, difference
from partwell.journeys.template.model import Template
from partwell.journeys.template_queries import (
    TemplateSummary,
    list_templates,
    load_version,
    show_template,
    version_of,
)
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office
from partwell.refusals import Invalid, NotFound

_NAMED = re.compile(r"(?P<id>[a-z0-9-]{1,60})(?:@(?P<version>[1-9][0-9]{0,8}))?")


@dataclass(frozen=True)
class VersionDifference:
    """What differs from one version of a template to another."""

    old: TemplateVersion
    new: TemplateVersion
    old_template: Template
    new_template: Template
    found: Difference

    def as_dict(self) -> dict[str, Any]:
        """The difference as the API and the command line show it."""
        return {
            "id": self.new.template_id,
            "old_version": self.old.version,
            "new_version": self.new.version,
            "count": self.found.count,
            **self.found.as_dict(),
        }


@dataclass(frozen=True)
class SideBySide:
    """Two templates beside each other."""

    left: TemplateSummary
    right: TemplateSummary
    found: Comparison

    def as_dict(self) -> dict[str, Any]:
        """The comparison as the API and the command line show it."""
        return {
            "left": _head(self.left.version),
            "right": _head(self.right.version),
            **self.found.as_dict(),
        }


def diff_versions(
    *, template_id: str, actor: Actor, old: int | None = None, new: int | None = None
) -> VersionDifference:
    """What differs between two versions of a template.

    Without `new` it is the latest, without `old` the one before `new`. Either may be the later one. Raises
    `NotFound` for a version that there is not, `Invalid` (`no_earlier_version`) where `new` is the first.
    """
    check_office(actor, "templates.view")
    newer = version_of(template_id, new)
    if old is None:
        if newer.version == 1:
            raise Invalid(
                "no_earlier_version",
                f"There is no version of “{template_id}” before version 1. Name another to compare with.",
                field="from",
            )
        old = newer.version - 1
    older = version_of(template_id, old)
    before, after = load_version(older), load_version(newer)
    return VersionDifference(older, newer, before, after, difference(before, after))


def compare_templates(*, left: str, right: str, actor: Actor) -> SideBySide:
    """Two templates beside each other, named by id, or by id and version as in `staff-resignation@2`.

    Raises `NotFound` for what there is not.
    """
    here, there = _summary(left, actor), _summary(right, actor)
    return SideBySide(here, there, compare(here.template, there.template))


def usual_pair(*, actor: Actor) -> tuple[str, str] | None:
    """Whom to compare where nobody said: of each audience the template with most steps, client first.

    None where an audience has no template.
    """
    longest: dict[SubjectKind, TemplateSummary] = {}
    for found in list_templates(actor=actor):
        other = longest.get(found.template.audience)
        if other is None or len(found.template.steps) > len(other.template.steps):
            longest[found.template.audience] = found
    if len(longest) < len(SubjectKind):
        return None
    return longest[SubjectKind.CLIENT].version.template_id, longest[SubjectKind.STAFF].version.template_id


def show_dependencies(
    *, template_id: str, actor: Actor, version: int | None = None
) -> tuple[TemplateSummary, Dependencies]:
    """A version of a template, the latest when none is named, and what waits for what in it."""
    found = show_template(template_id=template_id, actor=actor, version=version)
    return found, dependencies_of(found.template)


def versions_to_choose(*, actor: Actor) -> list[TemplateVersion]:
    """Every version of every template by audience and id, newest first, without its text."""
    check_office(actor, "templates.view")
    found: Iterable[TemplateVersion] = TemplateVersion.objects.defer("source")
    return sorted(found, key=lambda each: (each.audience, each.template_id, -each.version))


def _summary(named: str, actor: Actor) -> TemplateSummary:
    found = _NAMED.fullmatch(named)
    if found is None:
        raise NotFound(f"template “{named}”")
    version = int(found["version"]) if found["version"] else None
    return show_template(template_id=found["id"], actor=actor, version=version)


def _head(version: TemplateVersion) -> dict[str, Any]:
    return {
        "id": version.template_id,
        "version": version.version,
        "title": version.title,
        "audience": version.audience,
    }
