"""Forms of the editor of templates: a template's own fields, and one step with its condition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.forms import BoundField
from django.http import QueryDict

from partwell.departures.states import Confidentiality, InitiatedBy, SubjectKind
from partwell.journeys.template.condition_choices import (
    COMPARISONS,
    Choice,
    Choices,
    Comparison,
    Join,
    from_cel,
    to_cel,
)
from partwell.journeys.template.conditions import FIELDS, ConditionError
from partwell.journeys.template.drafting import DraftTemplate
from partwell.journeys.template.model import PHASES, Due, EvidenceKind, StepKind, Unit, Visibility
from partwell.journeys.template.rules import OWNER_ROLES
from partwell.people.roles import ROLE_LABELS, Role
from partwell.refusals import Refusal
from partwell.web import presenting
from partwell.web.draft_words import COMPARISON_WORDS, field_name
from partwell.web.fields import DATE
from partwell.web.template_wording import ANCHORS

_LONG = {"rows": 8}
_SPARE_ROWS = 2
ALWAYS, CHOSEN, BY_HAND = "always", "chosen", "by_hand"
_SIDES = {"-": "before", "+": "after", "": "on that day"}


def _words(values: Any) -> list[tuple[str, str]]:
    return [(value.value, presenting.words(value.value)) for value in values]


class AboutForm(forms.Form):
    """What is said of the whole template."""

    revision = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    title = forms.CharField(label="Title", max_length=140, required=False)
    summary = forms.CharField(
        label="Summary",
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Two or three sentences on when to use it.",
    )
    audience = forms.ChoiceField(label="For", choices=[("staff", "A colleague"), ("client", "A client")])
    initiated_by = forms.ChoiceField(label="Who ends it", choices=_words(InitiatedBy))
    confidentiality = forms.ChoiceField(label="Who may know", choices=_words(Confidentiality))
    reasons = forms.CharField(
        label="Reasons",
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text="Codes that HR chooses from, with commas between them, as in pay, relocation.",
    )

    def __init__(self, draft: DraftTemplate, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        filled = {step.phase for step in draft.steps}
        for number, name in PHASES.items():
            if number not in filled or number in draft.empty_phases:
                self.fields[f"empty_phase_{number}"] = _why(f"Why {number} {name} is empty")
        owners = {step.role for step in draft.steps}
        for role in OWNER_ROLES:
            if role not in owners or role in draft.empty_roles:
                self.fields[f"empty_role_{role.value}"] = _why(f"Why {ROLE_LABELS[role]} has no step")

    @staticmethod
    def initial_of(values: dict[str, Any], revision: int) -> dict[str, Any]:
        """What the fields show of a template's values."""
        return {
            "revision": revision,
            **{name: values[name] for name in ("title", "summary", "audience", "initiated_by")},
            "confidentiality": values["confidentiality"],
            "reasons": ", ".join(values["reasons"]),
            **{f"empty_phase_{number}": why for number, why in values["empty_phases"].items()},
            **{f"empty_role_{role}": why for role, why in values["empty_roles"].items()},
        }

    def values(self) -> dict[str, Any]:
        """The template's values that were typed; a blank reason for an empty phase or role is none."""
        data = self.cleaned_data
        typed = {name: data[name] for name in ("title", "summary", "audience", "initiated_by")}
        reasons = [each.strip() for each in data["reasons"].split(",") if each.strip()]
        return {
            **typed,
            "confidentiality": data["confidentiality"],
            "reasons": reasons,
            "empty_phases": dict(_given(data, "empty_phase_")),
            "empty_roles": dict(_given(data, "empty_role_")),
        }

    def reasons_for_emptiness(self) -> list[BoundField]:
        """The fields about empty phases and roles."""
        return [self[name] for name in self.fields if name.startswith("empty_")]


def _why(label: str) -> forms.CharField:
    return forms.CharField(
        label=label, required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )


def _given(data: dict[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, typed in data.items():
        if name.startswith(prefix) and typed:
            yield name.removeprefix(prefix), typed


class StepForm(forms.Form):
    """One step. Its condition is chosen, or written by hand."""

    revision = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    title = forms.CharField(
        label="Title", max_length=140, required=False, help_text="It begins with a verb: “Return the laptop”."
    )
    phase = forms.TypedChoiceField(
        label="Phase", coerce=int, choices=[(n, f"{n} {name}") for n, name in PHASES.items()]
    )
    role = forms.ChoiceField(label="Who", choices=[(r.value, ROLE_LABELS[r]) for r in OWNER_ROLES])
    due_count = forms.IntegerField(label="How many", min_value=0, max_value=999, required=False)
    due_unit = forms.ChoiceField(label="Unit", choices=[(u.value, u.replace("_", " ")) for u in Unit])
    due_side = forms.ChoiceField(label="Before or after", choices=list(_SIDES.items()), required=False)
    due_anchor = forms.ChoiceField(label="Which date", choices=[(a.value, w) for a, w in ANCHORS.items()])
    needs = forms.MultipleChoiceField(
        label="Needs",
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
    )
    also_needs = forms.ChoiceField(label="It also needs", required=False)
    condition = forms.ChoiceField(
        label="When the step is there",
        choices=[
            (ALWAYS, "Always"),
            (CHOSEN, "Only if what is chosen here holds"),
            (BY_HAND, "Only if this condition holds, written by hand"),
        ],
    )
    join = forms.ChoiceField(
        label="How many have to hold",
        choices=[(Join.ALL.value, "all of them"), (Join.ANY.value, "any of them")],
    )
    cel = forms.CharField(
        label="Condition in CEL",
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text="As in person.tenure_years >= 5 && person.country == 'DE'.",
    )
    evidence = forms.ChoiceField(label="Proof", choices=_words(EvidenceKind))
    kind = forms.ChoiceField(label="Kind", choices=_words(StepKind))
    visibility = forms.ChoiceField(
        label="Who sees it",
        choices=[
            (Visibility.INSIDE.value, "Us alone"),
            (Visibility.EVERYBODY.value, "Also the one who leaves"),
        ],
    )
    required = forms.BooleanField(
        label="Must be done before the journey closes",
        required=False,
        widget=forms.CheckboxInput(attrs={"class": "form-check-input"}),
    )
    guidance = forms.CharField(
        label="How it is done",
        required=False,
        max_length=6000,
        widget=forms.Textarea(attrs=_LONG),
        help_text="What to do, what good looks like, what to avoid. Links and lists are shown, HTML is not.",
    )
    guide = forms.CharField(
        label="Good practice that it serves",
        required=False,
        max_length=400,
        help_text="Ids from the reference of templates, with commas between them, as in M1, J1.",
    )

    def __init__(
        self, draft: DraftTemplate, key: str, values: dict[str, Any], *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        numbers = draft.numbers
        others = {s.key: f"{numbers[s.key]} {s.title or s.key}" for s in draft.steps if s.key != key}
        chosen = [*values["needs"], *(self.data.getlist("needs") if isinstance(self.data, QueryDict) else [])]
        names = {each: others.get(each, f"{each} (there is no such step)") for each in chosen}
        self.fields["needs"].choices = list(names.items())  # type: ignore[attr-defined]
        self.fields["also_needs"].choices = [  # type: ignore[attr-defined]
            ("", "Nothing else"),
            *((each, name) for each, name in others.items() if each not in chosen or self.is_bound),
        ]
        shown = from_cel(values["when"])
        self.can_show = shown is not None
        self.rows = max(len(shown.comparisons) if shown else 0, 1) + _SPARE_ROWS
        if self.is_bound:
            self.rows = sum(1 for name in self.data if name.startswith("field_")) or self.rows
            self.rows = min(self.rows, 40)
        known = [f for f in FIELDS.values() if f.audience in (None, draft.audience)]
        for row in range(1, self.rows + 1):
            self.fields[f"field_{row}"] = forms.ChoiceField(
                label=f"Field {row}",
                required=False,
                choices=[("", "–"), *((f.name, field_name(f.name)) for f in known)],
            )
            self.fields[f"comparison_{row}"] = forms.ChoiceField(
                label=f"Comparison {row}",
                required=False,
                choices=[("", "–"), *((c.value, w) for c, w in COMPARISON_WORDS.items())],
            )
            self.fields[f"value_{row}"] = forms.CharField(
                label=f"Value {row}", required=False, max_length=200
            )

    @staticmethod
    def initial_of(values: dict[str, Any], revision: int) -> dict[str, Any]:
        """What the fields show of a step's values."""
        due = Due.parse(values["due"])
        shown = from_cel(values["when"])
        chosen = shown.comparisons if shown else ()
        initial = {name: values[name] for name in ("title", "phase", "role", "needs", "evidence", "kind")}
        return {
            **initial,
            **{name: values[name] for name in ("visibility", "required", "guidance")},
            "revision": revision,
            "guide": ", ".join(values["guide"]),
            "due_count": abs(due.offset) if due.offset else None,
            "due_unit": due.unit.value,
            "due_side": "" if not due.offset else "-" if due.offset < 0 else "+",
            "due_anchor": due.anchor.value,
            "condition": ALWAYS if not values["when"].strip() else CHOSEN if shown else BY_HAND,
            "join": (shown.join if shown else Join.ALL).value,
            "cel": values["when"],
            **{f"field_{row}": each.field for row, each in enumerate(chosen, 1)},
            **{f"comparison_{row}": each.comparison.value for row, each in enumerate(chosen, 1)},
            **{f"value_{row}": each.value for row, each in enumerate(chosen, 1)},
        }

    def values(self) -> dict[str, Any]:
        """The step's values that were typed."""
        data = self.cleaned_data
        needs = [*data["needs"], *([data["also_needs"]] if data["also_needs"] else [])]
        names = ("title", "phase", "role", "evidence", "kind", "visibility", "required", "guidance")
        return {
            **{name: data[name] for name in names},
            "needs": list(dict.fromkeys(needs)),
            "guide": [each.strip() for each in data["guide"].split(",") if each.strip()],
            "due": _due(data),
            "when": data["when"],
        }

    def clean(self) -> dict[str, Any]:
        """Puts the condition together. A due date has a number and a side, or neither."""
        data = super().clean() or {}
        if bool(data.get("due_count")) != bool(data.get("due_side")) and "due_count" in data:
            self.add_error("due_count", "Give a number and before or after, or neither for that very day.")
        data["when"] = {ALWAYS: "", BY_HAND: data.get("cel", "").strip()}.get(data.get("condition", ""), "")
        if data.get("condition") == CHOSEN:
            try:
                data["when"] = to_cel(self._choices(data))
            except ConditionError as error:
                self.add_error("condition", str(error))
        return data

    def _choices(self, data: dict[str, Any]) -> Choices:
        chosen = []
        for row in range(1, self.rows + 1):
            name = data.get(f"field_{row}")
            if not name:
                continue
            given = data.get(f"comparison_{row}")
            comparison = Comparison(given) if given else COMPARISONS[FIELDS[name].type][0]
            chosen.append(Choice(name, comparison, data.get(f"value_{row}", "")))
        if not chosen:
            raise ConditionError("Choose a field, or let the step be there always.")
        return Choices(tuple(chosen), Join(data.get("join") or Join.ALL))

    def condition_rows(self) -> list[tuple[BoundField, BoundField, BoundField]]:
        """The rows of chosen comparisons: field, comparison, value."""
        return [
            (self[f"field_{row}"], self[f"comparison_{row}"], self[f"value_{row}"])
            for row in range(1, self.rows + 1)
        ]

    def put(self, refusal: Refusal) -> None:
        """Show a refusal at the field that it is about: `steps.cut-access.due` is about the due date."""
        name = refusal.field.split(".")[2] if refusal.field.count(".") > 1 else refusal.field
        name = {"when": "condition", "due": "due_count", "key": "title"}.get(name, name)
        self.add_error(name if name in self.fields else None, refusal.message)


def _due(data: dict[str, Any]) -> str:
    if not data.get("due_count"):
        return str(data["due_anchor"])
    count, unit = data["due_count"], data["due_unit"]
    return f"{data['due_anchor']} {data['due_side']}{count} {unit if count != 1 else unit[:-1]}"


class BeginForm(forms.Form):
    """What a new draft begins from."""

    how = forms.ChoiceField(
        label="Begin with",
        choices=[
            ("next", "The next version of a template"),
            ("copy", "A copy of a template, under a new id"),
            ("file", "A YAML file"),
            ("nothing", "Nothing"),
        ],
    )
    template = forms.ChoiceField(label="Template", required=False)
    id = forms.CharField(
        label="Id of the new template",
        required=False,
        max_length=60,
        help_text="Small letters, digits and hyphens, as in staff-sabbatical. It never changes.",
    )
    title = forms.CharField(
        label="Title", required=False, max_length=140, help_text="When it begins with nothing."
    )
    audience = forms.ChoiceField(
        label="For",
        choices=[(SubjectKind.STAFF.value, "A colleague"), (SubjectKind.CLIENT.value, "A client")],
    )
    file = forms.FileField(label="YAML file", required=False)

    def __init__(self, known: list[tuple[str, str]], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["template"].choices = known  # type: ignore[attr-defined]


class TrialForm(forms.Form):
    """On whom a draft is tried."""

    subject = forms.CharField(
        label="Who would leave",
        max_length=320,
        help_text="A colleague’s e-mail address or employee number; a client’s reference or name.",
    )
    last_day = forms.DateField(label="Last working day", widget=DATE)
    notice_date = forms.DateField(
        label="Notice received", widget=DATE, required=False, help_text="Today without it."
    )


NEW_STEP: dict[str, Any] = {
    "title": "",
    "phase": 1,
    "role": Role.HR.value,
    "due": "last_working_day",
    "needs": [],
    "when": "",
    "evidence": EvidenceKind.NONE.value,
    "kind": StepKind.TASK.value,
    "visibility": Visibility.INSIDE.value,
    "required": True,
    "guidance": "",
    "guide": [],
}
