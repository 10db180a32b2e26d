"""Reading drafts of templates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from partwell.journeys.models import DraftChange, TemplateDraft, TemplateVersion
from partwell.journeys.template.dependencies import Dependencies, dependencies_of
from partwell.journeys.template.drafting import DraftTemplate, draft_of, problems_of
from partwell.journeys.template.text import as_yaml
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office
from partwell.refusals import NotFound


@dataclass(frozen=True)
class DraftView:
    """A draft as it is now, and what would keep it from being published."""

    row: TemplateDraft
    content: DraftTemplate

    @cached_property
    def problems(self) -> list[tuple[str, str]]:
        """Each problem's field, such as `steps.cut-access.due`, and what is wrong with it."""
        return problems_of(self.content)

    @cached_property
    def latest(self) -> TemplateVersion | None:
        """The version that publishing would replace; None when it would be the first."""
        return TemplateVersion.objects.filter(template_id=self.row.template_id).order_by("-version").first()

    @cached_property
    def dependencies(self) -> Dependencies:
        """What waits for what in it, steps that wait for each other included."""
        return dependencies_of(self.content)

    def as_row(self) -> dict[str, Any]:
        """The draft in a list, as the API and the command line show it."""
        begun = self.row.begun_from
        return {
            "id": self.row.template_id,
            "title": self.content.title,
            "steps": len(self.content.steps),
            "revision": self.row.revision,
            "begun_from": str(begun) if begun else "",
            "edited_by": self.row.edited_by,
            "edited_at": self.row.edited_at.isoformat(),
            "problems": len(self.problems),
        }

    def as_dict(self) -> dict[str, Any]:
        """The whole draft, as the API and the command line show it."""
        latest = self.latest
        return {
            **self.as_row(),
            "latest_version": latest.version if latest else 0,
            "problems": [{"field": field, "message": message} for field, message in self.problems],
            "template": self.content.model_dump(mode="json"),
            "source": as_yaml(self.content),
        }


def list_drafts(*, actor: Actor) -> list[DraftView]:
    """Every draft, by template id."""
    check_office(actor, "templates.view_drafts")
    return [view_of(row) for row in TemplateDraft.objects.select_related("begun_from")]


def show_draft(*, template_id: str, actor: Actor) -> DraftView:
    """The draft of a template id; raises `NotFound`."""
    check_office(actor, "templates.view_drafts")
    return view_of(get_row(template_id))


def changes_since(
    *, template_id: str, actor: Actor, revision: int = 0, most: int | None = None
) -> list[DraftChange]:
    """What was changed after `revision`, the latest change first; raises `NotFound`."""
    check_office(actor, "templates.view_drafts")
    found = DraftChange.objects.filter(draft__template_id=template_id, revision__gt=revision)
    return list(found[:most])


def has_draft(template_id: str) -> bool:
    """Whether somebody is writing this template; asked only for those who may read drafts."""
    return TemplateDraft.objects.filter(template_id=template_id).exists()


def view_of(row: TemplateDraft) -> DraftView:
    """A draft's row with its content read."""
    return DraftView(row, draft_of(row.content))


def get_row(template_id: str) -> TemplateDraft:
    """The row of a draft; raises `NotFound`."""
    row = TemplateDraft.objects.select_related("begun_from").filter(template_id=template_id).first()
    if row is None:
        raise NotFound(f"draft of template “{template_id}”")
    return row
