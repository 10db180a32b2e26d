"""Trying a draft on somebody: the plan that it would make, and what would be left out. Nothing is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from partwell.journeys.draft_queries import get_row, view_of
from partwell.journeys.facts import facts_of
from partwell.journeys.intake import Intake, draft_departure
from partwell.journeys.models import Step, TemplateVersion
from partwell.journeys.operations.starting import Draft, plan_draft
from partwell.journeys.states import StepState
from partwell.journeys.template.condition_types import check_types
from partwell.journeys.template.conditions import ConditionError, compile_condition
from partwell.journeys.template.digest import digest_of
from partwell.journeys.template.drafting import DraftTemplate
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, reading
from partwell.refusals import Invalid


@dataclass(frozen=True)
class LeftOut:
    """A step that this person's departure does not need: its condition, and what the fields in it are
    here."""

    step: Step
    facts: dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """The plan that a draft makes for one person or client."""

    plan: Draft
    left_out: list[LeftOut]

    @property
    def steps(self) -> list[Step]:
        """The steps that there would be."""
        return [step for step in self.plan.steps if step.state != StepState.NOT_NEEDED]

    def as_dict(self) -> dict[str, Any]:
        """The trial as the API and the command line show it."""
        shown = self.plan.as_dict()
        return {
            **shown,
            "steps": [each for each in shown["steps"] if each["state"] != StepState.NOT_NEEDED],
            "left_out": [
                {
                    "key": each.step.key,
                    "title": each.step.title,
                    "when": each.step.condition,
                    "facts": each.facts,
                }
                for each in self.left_out
            ],
        }


@reading("templates.try_draft")
def try_draft(*, template_id: str, intake: Intake, actor: Actor, now: datetime) -> Trial:
    """Plan for one person or client with the draft as it is, problems and all.

    Whether somebody is leaving already is not asked, so nothing can be learned about it. Raises `NotFound`,
    `Invalid` for dates or a person that do not fit, and (`condition_broken`) for a condition that cannot
    be decided.
    """
    check_office(actor, "templates.try_draft")
    row = get_row(template_id)
    draft = view_of(row).content
    fields = _fields_read(draft)
    departure = draft_departure(intake, draft, now=now)
    # A digest no published version has: what is compiled for a draft is never taken for a version.
    version = TemplateVersion(
        template_id=template_id,
        version=0,
        digest=f"draft:{digest_of(draft)}",
        title=draft.title,
        audience=draft.audience.value,
    )
    plan = plan_draft(version, draft, departure, actor=actor, now=now, may_create=False)
    facts = {
        f"{group}.{key}": value for group, of in facts_of(departure).items() for key, value in of.items()
    }
    left_out = [
        LeftOut(step, {name: facts[name] for name in sorted(fields[step.key])})
        for step in plan.steps
        if step.state == StepState.NOT_NEEDED
    ]
    return Trial(plan, left_out)


def _fields_read(draft: DraftTemplate) -> dict[str, set[str]]:
    found = {}
    for step in draft.steps:
        if not step.when.strip():
            continue
        try:
            condition = check_types(compile_condition(step.when), draft.audience)
        except ConditionError as error:
            raise Invalid(
                "condition_broken",
                f"The condition of “{step.title}”: {error}",
                field=f"steps.{step.key}.when",
            ) from error
        found[step.key] = set(condition.literals) | condition.open_ended
    return found
