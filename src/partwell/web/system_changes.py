"""Changing a connected system: a form made of its connector's settings, the difference, then it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import yaml
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods

from partwell import clock
from partwell.access import descriptions, operations
from partwell.access.models import System
from partwell.access.operations.system_changes import Changed, SystemChange
from partwell.access.queries import get_system
from partwell.access.states import SlaClass
from partwell.connector_kit import registry
from partwell.people.authorisation import check_office
from partwell.refusals import Conflict, FreshSignInNeeded, Refusal
from partwell.web.access_table import allowed_words
from partwell.web.session import actor_of
from partwell.web.systems import CAPABILITY_WORDS
from partwell.web.translate import put_refusal

SETTING = "setting_"
USUAL = "As usual"
_CHECK = {"class": "form-check-input"}
YES_NO = {"true": True, "false": False}


class ChangeForm(forms.Form):
    """One system, with a field for each setting that its connector takes."""

    revision = forms.CharField(widget=forms.HiddenInput, required=False)
    title = forms.CharField(label="As people call it", max_length=descriptions.LONGEST_TITLE)
    sla = forms.ChoiceField(
        label="Gone within",
        choices=[(c.value, f"{c.value.capitalize()}: {allowed_words(c)}") for c in SlaClass],
        help_text="So soon after access end access has to be gone here.",
    )
    time_limit = forms.FloatField(
        label="Time limit in seconds",
        min_value=0,
        max_value=descriptions.LONGEST_SECONDS,
        help_text="For each call.",
    )
    most_accounts = forms.IntegerField(
        label="Most accounts of one person",
        min_value=1,
        max_value=descriptions.MANY,
        help_text="More than that are cut here only with a second person.",
    )
    most_percent = forms.IntegerField(
        label="Most of all accounts, in per cent",
        min_value=1,
        max_value=100,
        help_text="More than that one person alone cannot order cut.",
    )
    without = forms.MultipleChoiceField(
        label="What it must not do here",
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs=_CHECK),
    )

    def __init__(self, system: System, data: Mapping[str, Any] | None = None) -> None:
        registered = registry.find(system.connector)
        manifest = registered.manifest if registered else None
        seconds = system.time_limit_seconds
        initial: dict[str, Any] = {
            "revision": system.revision,
            "title": system.title,
            "sla": system.sla_class,
            "time_limit": int(seconds) if float(seconds).is_integer() else seconds,
            "most_accounts": system.most_accounts,
            "most_percent": system.most_percent,
            "without": system.without,
        }
        self.schemas: dict[str, Any] = {} if manifest is None else manifest.settings.get("properties", {})
        secret = frozenset() if manifest is None else manifest.secret_settings
        for name, schema in self.schemas.items():
            initial[f"{SETTING}{name}"] = _shown(system.settings.get(name), schema, name in secret)
        super().__init__(data, initial=initial)
        able = set(manifest.capabilities) if manifest else set()
        names = [name for name in CAPABILITY_WORDS if name in able]
        names += sorted((able | set(system.without)) - set(names))
        self.fields["without"].choices = [  # type: ignore[attr-defined]
            (name, CAPABILITY_WORDS.get(name, name.replace("_", " ").capitalize())) for name in names
        ]
        required = [] if manifest is None else manifest.settings.get("required", [])
        for name, schema in self.schemas.items():
            field = _field(schema, is_required=name in required, is_secret=name in secret)
            field.label = name
            self.fields[f"{SETTING}{name}"] = field
        for name, field in self.fields.items():
            field.show_hidden_initial = name != "revision"

    def as_it_was(self) -> SafeString:
        """What stood in each field when somebody began to type, so that only what they changed is theirs."""
        return format_html_join(
            "", "{}", ((bound.as_hidden(only_initial=True),) for bound in self._changeable())
        )

    def beside(self, system: System) -> ChangeForm:
        """A form of the system as it is now, with what was typed into this one."""
        fresh = ChangeForm(system)
        now = {bound.name: "" if bound.initial is None else bound.initial for bound in fresh}
        was = {bound.html_initial_name: now[bound.name] for bound in fresh._changeable()}
        typed = {name: self[name].data for name in self.changed_data if name != "revision"}
        form = ChangeForm(system, {**now, **was, **typed})
        form.is_valid()
        return form

    def _changeable(self) -> list[forms.BoundField]:
        return [bound for bound in self if bound.name != "revision"]

    def settings_fields(self) -> list[forms.BoundField]:
        """The fields of the connector's own settings."""
        return [self[f"{SETTING}{name}"] for name in self.schemas]

    def changes(self) -> dict[str, Any]:
        """What somebody changed, as the operation takes it."""
        given = {name: self.cleaned_data[name] for name in self.changed_data if name != "revision"}
        settings = {
            name: _value(given.pop(f"{SETTING}{name}"), schema)
            for name, schema in self.schemas.items()
            if f"{SETTING}{name}" in given
        }
        return {**given, "settings": settings} if settings else given

    def name_of(self, field: str) -> str:
        """The form's field for one that a refusal names."""
        top, _, setting = field.partition(".")
        return f"{SETTING}{setting.partition('.')[0]}" if top == "settings" and setting else field


@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, name: str) -> HttpResponse:
    """Change a system: form, difference, then it is kept."""
    actor = actor_of(request)
    check_office(actor, "systems.change")
    found = get_system(name)
    form, draft, status = ChangeForm(found, request.POST or None), None, 200
    if request.method == "POST" and form.is_valid():
        wanted = {
            "system": found,
            "changes": form.changes(),
            "actor": actor,
            "revision": form.cleaned_data["revision"],
        }
        try:
            if "keep" in request.POST:
                kept = operations.change_system(**wanted, now=clock.now())
                messages.success(request, _kept(kept))
                return HttpResponseRedirect(reverse("web:system", args=[found.name]))
            draft = operations.draft_change(**wanted)
        except FreshSignInNeeded:
            raise
        except Refusal as refusal:
            status = refusal.status
            if isinstance(refusal, Conflict) and refusal.code == "changed_meanwhile":
                # What was typed stays, and stands against what the system says now.
                form = form.beside(found)
                with suppress(Refusal):
                    draft = operations.draft_change(**{**wanted, "changes": form.changes(), "revision": ""})
            refusal.field = form.name_of(refusal.field)
            put_refusal(form, refusal)
    here = reverse("web:system", args=[found.name])
    context = {
        "form": form,
        "system": found,
        "draft": draft,
        "rows": [_row(form, each) for each in draft.changed] if draft else [],
        "crumbs": [
            {"title": "Connections", "url": reverse("web:systems")},
            {"title": found.title, "url": here},
            {"title": "Change"},
        ],
    }
    if form.errors and status == 200:
        status = 422
    return render(request, "systems/change.html", context, status=status)


def _kept(kept: SystemChange) -> str:
    if not kept.changed:
        return "Nothing was different, so nothing is changed."
    if kept.needs_test:
        return f"{kept.system.title} is changed. Test it before you rely on it."
    return f"{kept.system.title} is changed."


def _row(form: ChangeForm, changed: Changed) -> dict[str, str]:
    """One line of the difference, in words."""
    label = str(form.fields[form.name_of(changed.field)].label)
    if changed.is_secret:
        return {"label": label, "before": "kept in one place", "after": "kept in another place"}
    return {"label": label, "before": _words(changed.before), "after": _words(changed.after)}


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, list):
        return ", ".join(CAPABILITY_WORDS.get(str(each), str(each)) for each in value) or "nothing"
    if isinstance(value, float):
        return f"{value:g}"
    return "as usual" if value is None else str(value)


def _field(schema: dict[str, Any], *, is_required: bool, is_secret: bool) -> forms.Field:
    """The control for one setting, by its schema; what the schema refuses is refused by the operation."""
    about = " ".join(str(schema.get("description", "")).split())
    if is_secret:
        hint = about if "env:" in about else f"{about} Where it is kept: env:NAME or file:/PATH.".strip()
        return forms.CharField(required=is_required, max_length=1000, help_text=hint)
    if "enum" in schema or schema.get("type") == "boolean":
        values = schema.get("enum") or list(YES_NO)
        choices = [(str(each), {"true": "Yes", "false": "No"}.get(str(each), str(each))) for each in values]
        default = f"{USUAL}: {_words(schema['default'])}" if "default" in schema else USUAL
        usual = [] if is_required else [("", default)]
        return forms.ChoiceField(required=is_required, choices=[*usual, *choices], help_text=about)
    if "default" in schema:
        about = f"{about} Left empty: {_words(schema['default'])}.".strip()
    if schema.get("type") == "integer":
        return forms.IntegerField(required=is_required, help_text=about)
    if schema.get("type") == "number":
        return forms.FloatField(required=is_required, help_text=about)
    if schema.get("type") == "array":
        return forms.CharField(
            required=is_required,
            help_text=f"{about} {_on_each_line(schema)}".strip(),
            widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        )
    return forms.CharField(required=is_required, max_length=4000, help_text=about)


def _shown(value: Any, schema: dict[str, Any], is_secret: bool) -> Any:
    """A setting as its field shows it; what might be a secret itself is not shown."""
    if is_secret and not (isinstance(value, str) and registry.REFERENCE.match(value)):
        return ""
    if isinstance(value, list):
        return "\n".join(_as_line(each, schema) for each in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value


def _value(typed: Any, schema: dict[str, Any]) -> Any:
    """What was typed as the setting's own kind of value; nothing takes the setting out."""
    if typed in (None, ""):
        return None
    if schema.get("type") == "boolean":
        return YES_NO[typed]
    if schema.get("type") == "array":
        lines = [line.strip() for line in typed.splitlines() if line.strip()]
        return [_from_line(line) for line in lines] if _is_of_groups(schema) else lines
    if isinstance(typed, float) and typed.is_integer():
        return int(typed)
    return typed


def _is_of_groups(schema: dict[str, Any]) -> bool:
    """Whether each of a list's values is a group of settings of its own."""
    return bool(schema.get("items", {}).get("type") == "object")


def _on_each_line(schema: dict[str, Any]) -> str:
    if not _is_of_groups(schema):
        return "One on each line."
    names = ", ".join(f"{name}: …" for name in schema["items"].get("properties", {}))
    return f"One on each line, as {{{names}}}."


def _as_line(value: Any, schema: dict[str, Any]) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    # In the schema's order: PostgreSQL keeps none.
    order = [*schema.get("items", {}).get("properties", {})]
    names = sorted(value, key=lambda name: (order.index(name) if name in order else len(order), name))
    ordered = {name: value[name] for name in names}
    return yaml.safe_dump(ordered, default_flow_style=True, sort_keys=False, width=10_000).strip()


def _from_line(line: str) -> Any:
    """A group of settings; a line that is none stays text, which the connector's schema refuses."""
    try:
        return yaml.safe_load(line)
    except yaml.YAMLError:
        return line
