"""Drafts of templates: beginning one, changing it, and publishing or discarding it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from partwell.departures.states import SubjectKind
from partwell.evidence.operations import record
from partwell.journeys.draft_queries import DraftView, get_row, view_of
from partwell.journeys.models import DraftChange, TemplateDraft, TemplateVersion
from partwell.journeys.template.digest import digest_of
from partwell.journeys.template.drafting import (
    Change,
    DraftTemplate,
    MoveStep,
    apply,
    differences,
    draft_of,
    empty,
    from_text,
)
from partwell.journeys.template.model import KEY_PATTERN
from partwell.journeys.template.text import as_yaml
from partwell.journeys.template_operations import checked, publish_checked
from partwell.journeys.template_queries import load_version, version_of
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, operation
from partwell.refusals import Conflict, Invalid

CHANGED_MEANWHILE = "changed_meanwhile"
NEWER_VERSION = "newer_version"


@dataclass(frozen=True)
class Origin:
    """What a draft begins from: a published version, a text in YAML, or, with neither, nothing.

    `version` None is the latest. `file` names the text in messages. `title` and `audience` are for nothing.
    """

    template: str = ""
    version: int | None = None
    source: str | None = None
    file: str = "template"
    title: str = ""
    audience: SubjectKind = SubjectKind.STAFF


@operation("templates.begin_draft")
def begin_draft(*, origin: Origin, template_id: str = "", actor: Actor, now: datetime) -> TemplateDraft:
    """Begin the draft of `template_id`; without one, of the next version of what it begins from.

    Raises `Conflict` where there is a draft of it already (`draft_exists`), or a template, which the draft
    would
    replace by something else (`template_exists`); `NotFound` for an unknown version; `Invalid` for an id
    that is
    none and for a text that is no template.
    """
    check_office(actor, "templates.begin_draft")
    if template_id and (not re.fullmatch(KEY_PATTERN, template_id) or len(template_id) > 60):
        raise Invalid(
            "id_broken",
            f"“{template_id}” is no id. Use small letters, digits and hyphens, as in “staff-resignation”.",
            field="id",
        )
    content, begun_from = _beginning(origin, template_id)
    try:
        with transaction.atomic():
            row = TemplateDraft.objects.create(
                template_id=content.id,
                begun_from=begun_from,
                content=content.model_dump(mode="json"),
                begun_at=now,
                begun_by=actor.label,
                edited_at=now,
                edited_by=actor.label,
            )
    except IntegrityError as error:
        other = get_row(content.id)
        raise Conflict(
            "draft_exists",
            f"{other.begun_by} began a draft of “{content.id}” already. Go on with that one, or discard it.",
            field="id",
        ) from error
    record(
        "template.draft_begun",
        scope="installation",
        actor=actor.label,
        at=now,
        fields={
            "template": row.template_id,
            "begun_from": str(begun_from) if begun_from else "",
            "steps": len(content.steps),
        },
    )
    return row


@operation("templates.change_draft")
def change_draft(*, template_id: str, seen: int, change: Change, actor: Actor, now: datetime) -> DraftView:
    """Make one change of a draft, of which the actor saw the revision `seen`.

    A change that changes nothing stores nothing. Raises `Conflict` (`changed_meanwhile`) where somebody has
    changed the draft since, and what `drafting.apply` raises.
    """
    check_office(actor, "templates.change_draft")
    row = get_row(template_id)
    _check_seen(row, seen)
    before = draft_of(row.content)
    after = apply(before, change)
    found = differences(before, after, moved=change.key if isinstance(change, MoveStep) else "")
    if not found:
        return DraftView(row, before)
    # One statement, so that of two changes at the same moment one is told of the other.
    written = TemplateDraft.objects.filter(pk=row.pk, revision=seen).update(
        content=after.model_dump(mode="json"), revision=seen + 1, edited_at=now, edited_by=actor.label
    )
    if not written:
        _check_seen(get_row(template_id), seen)
    DraftChange.objects.create(
        draft=row,
        revision=seen + 1,
        differences=[each.model_dump(mode="json") for each in found],
        changed_at=now,
        changed_by=actor.label,
    )
    record(
        "template.draft_changed",
        scope="installation",
        actor=actor.label,
        at=now,
        fields={
            "template": template_id,
            "revision": seen + 1,
            "changed": sorted({".".join(each.path.split(".")[:3]) for each in found}),
        },
    )
    row.revision, row.edited_at, row.edited_by = seen + 1, now, actor.label
    return DraftView(row, after)


@operation("templates.discard_draft")
def discard_draft(*, template_id: str, seen: int, actor: Actor, now: datetime) -> None:
    """Throw a draft away; published versions stay. Raises `Conflict` (`changed_meanwhile`)."""
    check_office(actor, "templates.discard_draft")
    row = get_row(template_id)
    _check_seen(row, seen)
    _end(row, seen)
    record(
        "template.draft_discarded",
        scope="installation",
        actor=actor.label,
        at=now,
        fields={"template": template_id, "revision": seen, "steps": len(row.content["steps"])},
    )


@operation("templates.publish_draft")
def publish_draft(*, template_id: str, seen: int, over: int, actor: Actor, now: datetime) -> TemplateVersion:
    """Publish a draft as the next version, by which it ends. Journeys that run keep theirs.

    `over` is the version that the actor knows to be replaced, 0 for none. Raises `Conflict` where somebody
    changed the draft (`changed_meanwhile`) or published a version (`newer_version`) meanwhile, and where
    nothing differs (`draft_unchanged`); `Invalid` (`template_broken`) with the problems.
    """
    check_office(actor, "templates.publish_draft")
    row = get_row(template_id)
    _check_seen(row, seen)
    view = view_of(row)
    _check_over(view.latest, over)
    if view.problems:
        field, message = view.problems[0]
        more = len(view.problems) - 1
        others = f" There {'is' if more == 1 else 'are'} {more} more." if more else ""
        raise Invalid("template_broken", f"Nothing was published. {message}{others}", field=field)
    text = as_yaml(view.content)
    template = checked(text, f"the draft of {template_id}")
    if view.latest is not None and view.latest.digest == digest_of(template):
        raise Conflict(
            "draft_unchanged", f"This says the same as {view.latest}. Change something, or discard the draft."
        )
    version = publish_checked(template, text, actor, now)
    _end(row, seen)
    return version


def _beginning(origin: Origin, template_id: str) -> tuple[DraftTemplate, TemplateVersion | None]:
    if origin.source is not None:
        content = from_text(origin.source, template_id=template_id, file=origin.file)
        return content, None
    if not origin.template:
        if not template_id:
            raise Invalid("id_missing", "Give the new template an id, as in “staff-sabbatical”.", field="id")
        _check_new(template_id)
        return empty(template_id, title=origin.title, audience=origin.audience), None
    version = version_of(origin.template, origin.version)
    if template_id and template_id != origin.template:
        _check_new(template_id)
    values: dict[str, Any] = load_version(version).model_dump(mode="json")
    return draft_of({**values, "id": template_id or origin.template}), version


def _check_new(template_id: str) -> None:
    if TemplateVersion.objects.filter(template_id=template_id).exists():
        raise Conflict(
            "template_exists",
            f"There is a template “{template_id}” already. Choose another id, or begin its next version.",
            field="id",
        )


def _check_seen(row: TemplateDraft, seen: int) -> None:
    if row.revision != seen:
        raise Conflict(
            CHANGED_MEANWHILE,
            f"{row.edited_by} has changed this draft since you opened it; it is at revision {row.revision} "
            f"now, and you saw {seen}. Look at what changed, then repeat yours.",
            field="revision",
        )


def _check_over(found: TemplateVersion | None, over: int) -> None:
    current = found.version if found else 0
    if current == over:
        return
    if found is None:
        raise Conflict(
            NEWER_VERSION,
            "Nothing was published yet, so there is no version to replace: say 0.",
            field="over",
        )
    raise Conflict(
        NEWER_VERSION,
        f"{found.published_by} has published version {current} meanwhile, and this draft would replace it. "
        f"Look at it, then publish over version {current}.",
        field="over",
    )


def _end(row: TemplateDraft, seen: int) -> None:
    deleted = TemplateDraft.objects.filter(pk=row.pk, revision=seen).delete()[0]
    if not deleted:
        _check_seen(get_row(row.template_id), seen)
