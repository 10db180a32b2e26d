"""A template while it is being written, and what can be changed about it. Nothing here is stored.

A draft has the shape of a template with weaker rules: a text may still be too short, the list of steps empty.
What each value is (a role, a phase, a date) holds at any moment, so that a draft can always be shown.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from partwell.departures.states import Confidentiality, InitiatedBy, SubjectKind
from partwell.journeys.template.check import check_values, named_path, read, shape_message
from partwell.journeys.template.model import KEY_PATTERN, Template, TemplateStep
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid, NotFound

MAX_STEPS = 400
_SHOWN_PROBLEMS = 5


def _plain(text: str) -> str:
    """The text with one kind of line end. Raises `ValueError` for characters that no YAML can hold."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if any(unicodedata.category(each) == "Cc" and each not in "\n\t" for each in text):
        raise ValueError("There is a control character in this text. Type it again without it")
    return text


Plain = AfterValidator(_plain)
Line = Annotated[str, Field(max_length=140), Plain]
Why = Annotated[str, Field(max_length=2000), Plain]


class DraftStep(TemplateStep):
    """A step that may still lack its title."""

    title: Line
    guidance: Annotated[str, Field(max_length=6000), Plain] = ""
    when: Annotated[str, Field(max_length=500), Plain] = ""
    needs: Annotated[tuple[str, ...], Field(max_length=MAX_STEPS)] = ()
    guide: Annotated[tuple[str, ...], Field(max_length=60)] = ()


class DraftTemplate(Template):
    """A template that may still lack texts, reasons and steps."""

    title: Line
    summary: Why
    reasons: Annotated[tuple[Annotated[str, Field(max_length=60), Plain], ...], Field(max_length=60)]
    empty_phases: dict[int, Why] = Field(default_factory=dict)
    empty_roles: dict[Role, Why] = Field(default_factory=dict)
    steps: Annotated[tuple[DraftStep, ...], Field(max_length=MAX_STEPS)]

    def needed_by(self, keys: frozenset[str]) -> list[TemplateStep]:
        """The steps that need one of `keys` and are not among them."""
        return [step for step in self.steps if step.key not in keys and keys.intersection(step.needs)]


class _Change(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SetFields(_Change):
    """Change what is said of the whole template; what is not given stays."""

    do: Literal["set_fields"] = "set_fields"
    title: str | None = None
    summary: str | None = None
    audience: SubjectKind | None = None
    initiated_by: InitiatedBy | None = None
    confidentiality: Confidentiality | None = None
    reasons: tuple[str, ...] | None = None
    empty_phases: dict[int, str] | None = None
    empty_roles: dict[Role, str] | None = None


class AddStep(_Change):
    """Add a step at the end of its phase; without a key it gets one from its title."""

    do: Literal["add_step"] = "add_step"
    step: dict[str, JsonValue]


class ChangeStep(_Change):
    """Change some fields of a step; its key stays."""

    do: Literal["change_step"] = "change_step"
    key: str
    fields: dict[str, JsonValue]


class RemoveStep(_Change):
    """Take a step out. Where others need it, only together with their need (`let_go`)."""

    do: Literal["remove_step"] = "remove_step"
    key: str
    let_go: bool = False


class MoveStep(_Change):
    """Move a step to a place in a phase, counted from 1; a place past the end is the end."""

    do: Literal["move_step"] = "move_step"
    key: str
    phase: Annotated[int, Field(ge=1, le=10)]
    place: Annotated[int, Field(ge=1, le=MAX_STEPS)] = MAX_STEPS


class Replace(_Change):
    """Replace all but the id by a template in YAML."""

    do: Literal["replace"] = "replace"
    source: str
    file: str = "template"


Change = Annotated[
    SetFields | AddStep | ChangeStep | RemoveStep | MoveStep | Replace, Field(discriminator="do")
]


class Difference(BaseModel):
    """One value that a change gave another value. `path` is as in problems: `steps.cut-access.due`."""

    model_config = ConfigDict(frozen=True)

    path: str
    before: Any = None
    after: Any = None


def empty(template_id: str, *, title: str, audience: SubjectKind) -> DraftTemplate:
    """A draft with nothing but its name. Raises `Invalid`."""
    initiated_by = InitiatedBy.LEAVER if audience is SubjectKind.STAFF else InitiatedBy.MUTUAL
    return draft_of(
        {
            "id": template_id,
            "title": title,
            "summary": "",
            "audience": audience.value,
            "initiated_by": initiated_by.value,
            "reasons": [],
            "steps": [],
        }
    )


def from_text(text: str, *, template_id: str = "", file: str) -> DraftTemplate:
    """The draft that a text in YAML makes, under `template_id` when one is given.

    Raises `Invalid` (`template_broken`) with file, line and way out where the text is no template; steps that
    do not hang together are a draft's own problems and let in.
    """
    template, problems = read(text, file=file)
    if template is None:
        shown = "\n".join(str(problem) for problem in problems[:_SHOWN_PROBLEMS])
        more = len(problems) - _SHOWN_PROBLEMS
        if more > 0:
            shown += f"\n… and {more} more; “partwell templates check {file}” lists all."
        raise Invalid("template_broken", f"Nothing was taken over.\n{shown}", field=problems[0].field)
    return draft_of({**template.model_dump(mode="json"), "id": template_id or template.id})


def draft_of(values: dict[str, Any]) -> DraftTemplate:
    """A draft from plain values. Raises `Invalid` naming the first field that cannot be as it is given."""
    try:
        return DraftTemplate.model_validate(values)
    except ValidationError as error:
        detail = error.errors()[0]
        path = tuple(part for part in detail["loc"] if part != "[key]")
        named = named_path(path, values)
        raise Invalid("draft_value", shape_message(detail, path), field=named) from error


def problems_of(draft: DraftTemplate) -> list[tuple[str, str]]:
    """What keeps a draft from being published, as (field, message), in the order of its steps."""
    place = {step.key: at for at, step in enumerate(draft.steps)}

    def order(problem: tuple[str, str]) -> tuple[int, str, str]:
        parts = problem[0].split(".")
        return (place.get(parts[1], -1) if parts[0] == "steps" and len(parts) > 1 else -1, *problem)

    return sorted({(each.field, each.message) for each in check_values(draft)}, key=order)


def apply(draft: DraftTemplate, change: Change) -> DraftTemplate:
    """The draft with the change made.

    Raises `NotFound` for a step that is not there, `Conflict` (`step_needed`) for taking out what others
    need,
    `Invalid` for a value that cannot be.
    """
    match change:
        case SetFields():
            return _with(draft, **change.model_dump(mode="json", exclude={"do"}, exclude_none=True))
        case AddStep():
            return _added(draft, change)
        case ChangeStep():
            return _changed(draft, change)
        case RemoveStep():
            return _removed(draft, change)
        case MoveStep():
            return _moved(draft, change)
        case Replace():
            return from_text(change.source, template_id=draft.id, file=change.file)


def _with(draft: DraftTemplate, **values: Any) -> DraftTemplate:
    return draft_of({**draft.model_dump(mode="json"), **values})


def _added(draft: DraftTemplate, change: AddStep) -> DraftTemplate:
    step = dict(change.step)
    step["key"] = step.get("key") or _free_key(draft, str(step.get("title", "")))
    if any(each.key == step["key"] for each in draft.steps):
        raise Conflict(
            "step_exists", f"There is a step “{step['key']}” already. Choose another key.", field="key"
        )
    if len(draft.steps) >= MAX_STEPS:
        raise Conflict("too_many_steps", f"A template has at most {MAX_STEPS} steps. Take one out first.")
    phase = step.get("phase")
    at = max(
        (n for n, each in enumerate(draft.steps, 1) if isinstance(phase, int) and each.phase <= phase),
        default=0,
    )
    dumped = draft.model_dump(mode="json")["steps"]
    return _with(draft, steps=[*dumped[:at], step, *dumped[at:]])


def _free_key(draft: DraftTemplate, title: str) -> str:
    letters = unicodedata.normalize("NFKD", title.replace("'", ""))
    plain = letters.encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50].strip("-")
    base = words if re.fullmatch(KEY_PATTERN, words) else "step"
    taken = {step.key for step in draft.steps}
    return base if base not in taken else next(k for n in range(2, 500) if (k := f"{base}-{n}") not in taken)


def _changed(draft: DraftTemplate, change: ChangeStep) -> DraftTemplate:
    if "key" in change.fields:
        raise Invalid("key_stays", "A step's key stays: journeys and other steps refer to it.", field="key")
    found = _found(draft, change.key)
    steps = draft.model_dump(mode="json")["steps"]
    at = draft.steps.index(found)
    steps[at] = {**steps[at], **change.fields}
    return _with(draft, steps=steps)


def _removed(draft: DraftTemplate, change: RemoveStep) -> DraftTemplate:
    found = _found(draft, change.key)
    others = draft.needed_by(frozenset({found.key}))
    if others and not change.let_go:
        names = ", ".join(f"“{step.title}”" for step in others)
        raise Conflict(
            "step_needed",
            f"{names} need{'s' if len(others) == 1 else ''} “{found.title}”. Take the step out together with "
            "that need, or change those steps first.",
            field=f"steps.{found.key}",
        )
    steps = [
        step.model_copy(update={"needs": tuple(key for key in step.needs if key != found.key)})
        for step in draft.steps
        if step is not found
    ]
    return draft.model_copy(update={"steps": tuple(steps)})


def _moved(draft: DraftTemplate, change: MoveStep) -> DraftTemplate:
    found = _found(draft, change.key)
    rest = [step for step in draft.steps if step is not found]
    there = [at for at, step in enumerate(rest) if step.phase == change.phase]
    if change.place <= len(there):
        at = there[change.place - 1]
    elif there:
        at = there[-1] + 1
    else:
        at = max((n for n, step in enumerate(rest, 1) if step.phase < change.phase), default=0)
    rest.insert(at, found.model_copy(update={"phase": change.phase}))
    return draft.model_copy(update={"steps": tuple(rest)})


def _found(draft: DraftTemplate, key: str) -> DraftStep:
    found = next((step for step in draft.steps if step.key == key), None)
    if found is None:
        raise NotFound(f"step “{key}” in this draft")
    return found


def differences(before: DraftTemplate, after: DraftTemplate, *, moved: str = "") -> list[Difference]:
    """What one change gave another value: the template's own fields, steps that came or went, their
    fields, and
    the number of a step that was moved; `moved` says which, where two are as likely."""
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    found = [
        Difference(path=name, before=old[name], after=new[name])
        for name in new
        if name != "steps" and old[name] != new[name]
    ]
    was, now = ({step["key"]: step for step in each["steps"]} for each in (old, new))
    found += [Difference(path=f"steps.{key}", before=was[key]) for key in was if key not in now]
    found += [Difference(path=f"steps.{key}", after=now[key]) for key in now if key not in was]
    for key in was.keys() & now.keys():
        found += [
            Difference(path=f"steps.{key}.{name}", before=was[key][name], after=now[key][name])
            for name in now[key]
            if was[key][name] != now[key][name]
        ]
    order = ([key for key in was if key in now], [key for key in now if key in was])
    if order[0] != order[1]:
        found.append(_reordered(before, after, order, moved))
    return sorted(found, key=lambda each: each.path)


def _reordered(
    before: DraftTemplate, after: DraftTemplate, order: tuple[list[str], list[str]], moved: str
) -> Difference:
    """The one step that was moved, or the order as a whole where it was more than one."""
    first = next(pair for pair in zip(*order, strict=True) if pair[0] != pair[1])
    for key in (moved, *first):
        old, new = ([each for each in keys if each != key] for keys in order)
        if key and old == new:
            return Difference(path=f"steps.{key}.place", before=before.numbers[key], after=after.numbers[key])
    return Difference(path="order")
