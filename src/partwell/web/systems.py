"""Connections: the systems in which people have accounts, how to connect one, and whether it answers."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from partwell import clock
from partwell.access import operations, queries, questions, systems
from partwell.access.connections import target_of
from partwell.access.models import System
from partwell.access.queries import get_system
from partwell.access.states import QuestionState
from partwell.connector_kit import registry
from partwell.connector_kit.contract import Reversibility
from partwell.people.authorisation import check_office
from partwell.refusals import FreshSignInNeeded, Invalid, Refusal
from partwell.web.access_table import allowed_words
from partwell.web.session import actor_of
from partwell.web.translate import put_refusal

LARGEST_DESCRIPTION = 64 * 1024
CAPABILITY_WORDS = {
    "discover": "Find accounts",
    "list_accounts": "List all accounts, to find forgotten ones",
    "holdings": "List sessions, tokens, keys, devices and owned things",
    "snapshot": "Keep the state from before",
    "block_sign_in": "Block sign-in",
    "revoke_sessions": "End open sessions",
    "revoke_tokens": "Revoke tokens and keys",
    "suspend": "Suspend",
    "remove_entitlements": "Remove groups, roles and licences",
    "release_licence": "Release the licence, only when asked for by name",
    "delete": "Delete, only when asked for by name",
    "transfer": "Give what they hold to a successor",
    "end_transfer": "Take back what was given for a time",
    "rotate": "Give shared credentials a new secret",
    "wipe": "Lock and wipe devices",
    "verify": "Read back",
    "restore": "Put back",
}
UNDONE = {
    Reversibility.REVERSIBLE: "can be undone",
    Reversibility.PARTIAL: "can be undone in part",
    Reversibility.NONE: "cannot be undone",
}


class AddForm(forms.Form):
    """A description as the console takes it, pasted or as a file."""

    description = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false"}),
        max_length=LARGEST_DESCRIPTION,
        help_text="YAML with name, connector and settings. A secret is written env:NAME or file:/PATH.",
    )
    file = forms.FileField(required=False, label="Or a file", help_text="At most 64 KB.")

    def text(self) -> str:
        """What was pasted, or what the file says. Raises `Invalid`."""
        upload: UploadedFile | None = self.cleaned_data["file"]
        if upload is None:
            text = str(self.cleaned_data["description"])
            if not text.strip():
                raise Invalid(
                    "description_missing", "Paste a description, or choose a file.", field="description"
                )
            return text
        if upload.size is None or upload.size > LARGEST_DESCRIPTION:
            raise Invalid("too_large", "A description has at most 64 KB.", field="file")
        try:
            return upload.read().decode("utf-8")
        except UnicodeDecodeError:
            raise Invalid("not_text", "The file is not UTF-8 text.", field="file") from None


@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    """All connected systems with the result of their last test."""
    check_office(actor_of(request), "systems.view")
    tests = systems.last_tests()
    waiting = systems.being_tested()
    rows = [_row(system, tests.get(system.name), system.pk in waiting) for system in System.objects.all()]
    context = {"rows": rows, "is_testing": bool(waiting), "crumbs": [{"title": "Connections"}]}
    return render(request, "systems/list.html", context)


@require_GET
def system(request: HttpRequest, name: str) -> HttpResponse:
    """One system: its settings by reference, what it can do, and what it cannot."""
    actor = actor_of(request)
    check_office(actor, "systems.view")
    found = get_system(name)
    registered = registry.find(found.connector)
    capabilities = target_of(found).capabilities
    waiting = systems.being_tested()
    context = {
        "system": found,
        "row": _row(found, systems.last_tests(found.name).get(found.name), found.pk in waiting),
        "manifest": registered.manifest if registered else None,
        "settings": _settings(found),
        "declared": systems.declared_by(found),
        "capabilities": _capabilities(found, capabilities),
        "accounts": queries.accounts_on_record(found, actor=actor).count(),
        "allowed": allowed_words(found.sla_class),
        "is_testing": found.pk in waiting,
        "question": found.questions.exclude(state=QuestionState.OPEN).first(),
        "crumbs": [{"title": "Connections", "url": reverse("web:systems")}, {"title": found.title}],
    }
    return render(request, "systems/system.html", context)


@require_http_methods(["GET", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """Connect a system by its description; nothing is asked of it yet."""
    actor = actor_of(request)
    check_office(actor, "systems.add")
    form = AddForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            description = operations.read_system_file(form.text())
            found = operations.add_system(description=description, actor=actor, now=clock.now())
        except FreshSignInNeeded:
            raise
        except Refusal as refusal:
            if refusal.field not in form.fields:
                refusal.field = "description"
            put_refusal(form, refusal)
        else:
            messages.success(request, f"{found.title} is connected. Test it before you rely on it.")
            return _to_system(found)
    context = {
        "form": form,
        "connectors": [_help(each.manifest) for each in registry.connectors().values()],
        "crumbs": [{"title": "Connections", "url": reverse("web:systems")}, {"title": "Connect a system"}],
    }
    return render(request, "systems/add.html", context, status=422 if form.errors else 200)


@require_POST
def test(request: HttpRequest, name: str) -> HttpResponse:
    """Ask the system whether our credentials and scopes suffice."""
    found = get_system(name)
    questions.ask_for_test(system=found, actor=actor_of(request), now=clock.now())
    return _to_system(found)


@require_GET
def test_live(request: HttpRequest, name: str) -> HttpResponse:
    """204 while the test runs; then the browser is asked to read the page again."""
    check_office(actor_of(request), "systems.view")
    if get_system(name).pk in systems.being_tested():
        return HttpResponse(status=204)
    return HttpResponse(status=204, headers={"HX-Refresh": "true"})


def _row(found: System, report: systems.LastTest | None, is_testing: bool) -> dict[str, Any]:
    registered = registry.find(found.connector)
    if is_testing:
        state, says = "running", "Being tested"
    elif report is None:
        state, says = "todo", "Never tested"
    elif not report.is_of(found):
        state, says = "todo", "Not tested since it was changed"
    else:
        state, says = ("accepted", "Answers") if report.is_ok else ("failed", "Does not answer as it should")
    return {
        "system": found,
        "connector": registered.manifest.title if registered else f"{found.connector}, not installed here",
        "allowed": allowed_words(found.sla_class),
        "state": state,
        "says": says,
        "report": report,
    }


def _settings(found: System) -> list[dict[str, Any]]:
    """Names and values; of a secret only where it is kept, as it was written down."""
    registered = registry.find(found.connector)
    secret = registered.manifest.secret_settings if registered else frozenset(found.settings)
    rows = []
    for name, value in sorted(found.settings.items()):
        is_reference = isinstance(value, str) and bool(registry.REFERENCE.match(value))
        shown = "(kept as a secret)" if name in secret and not is_reference else str(value)
        rows.append({"name": name, "value": shown, "is_secret": name in secret})
    return rows


def _capabilities(found: System, here: Any) -> list[dict[str, str]]:
    registered = registry.find(found.connector)
    can = registered.manifest.capabilities if registered else {}
    rows = []
    for name, words in CAPABILITY_WORDS.items():
        if name in here:
            undone = UNDONE[here[name]] if here[name] is not None else ""
            rows.append({"mark": "attested", "words": words, "more": undone})
        else:
            why = "turned off here" if name in can else "this connector cannot"
            rows.append({"mark": "manual", "words": words, "more": f"{why}: a person does it"})
    return rows


def _help(manifest: registry.Manifest) -> dict[str, Any]:
    """What somebody needs who writes a description for this connector."""
    required = manifest.settings.get("required", [])
    return {
        "manifest": manifest,
        "settings": [
            {
                "name": name,
                "is_required": name in required,
                "is_secret": bool(schema.get("secret")),
                "kind": schema.get("type", ""),
                "choices": schema.get("enum", []),
                "about": schema.get("description", ""),
            }
            for name, schema in manifest.settings.get("properties", {}).items()
        ],
        "example": _example(manifest),
    }


def _example(manifest: registry.Manifest) -> str:
    """A description to start from, with every setting that is needed."""
    properties = manifest.settings.get("properties", {})
    lines = [
        f"name: my-{manifest.id.replace(':', '-')}",
        f"title: {manifest.title}",
        f"connector: {manifest.id}",
        "sla: high",
    ]
    lines.append("settings:")
    for name in manifest.needed_settings:
        schema = properties.get(name, {})
        value = f"env:{name.upper()}" if schema.get("secret") else schema.get("example", "…")
        lines.append(f"  {name}: {value}")
    return "\n".join(lines if len(lines) > 5 else [*lines[:-1], "settings: {}"])


def _to_system(found: System) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("web:system", args=[found.name]))
