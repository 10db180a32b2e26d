"""Ghost accounts: the list with how far each system was read, and what is done about one."""

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
from partwell.access.ghosts import operations, queries
from partwell.access.ghosts.files import (
    COLUMNS,
    AccountFile,
    check_needs_file,
    read_account_file,
    systems_by_file,
    upload_accounts,
)
from partwell.access.ghosts.matching import GhostKind
from partwell.access.ghosts.sweeping import start_sweep
from partwell.access.models import Ghost, System
from partwell.access.queries import get_system
from partwell.access.states import GhostState, KeptAs, SweepState
from partwell.people.authorisation import check_office
from partwell.people.imports.reading import LARGEST_BYTES
from partwell.people.models import RoleGrant, User
from partwell.people.roles import Role
from partwell.refusals import Conflict, FreshSignInNeeded, Refusal
from partwell.web import checked_files
from partwell.web.importing import MOST_SHOWN, FileForm
from partwell.web.navigation import may_follow
from partwell.web.session import actor_of, signed_in
from partwell.web.translate import put_refusal
from partwell.web.wording import day_in_words

# More than this nobody works through on a page; the filters and the command line show the rest.
MOST_ROWS = 100
KINDS = {
    GhostKind.CAME_BACK: ("failed", "Came back", "It was cut, and is active again."),
    GhostKind.STILL_USED: ("failed", "Still used", "It was used after access had ended."),
    GhostKind.NEVER_KNOWN: ("manual", "Never known", "It is active, and no departure knew of it."),
    GhostKind.SUGGESTED: (
        "unreachable",
        "Perhaps theirs",
        "It is nobody’s, and spelled almost as theirs: a guess.",
    ),
    GhostKind.NOBODYS: ("none", "Of nobody", "Nobody who is here or has left is known by it."),
}
STATES = {"open": "Open", "kept": "Kept", "dismissed": "Not a ghost", "gone": "Gone"}
KEPT = {KeptAs.THEIRS: "It is {person}’s", KeptAs.SERVICE: "Service account, {person} answers for it"}
READ = {
    SweepState.READ: ("verified", "Read to the end"),
    SweepState.BROKEN_OFF: ("unreachable", "Broke off"),
    SweepState.UNREAD: ("unreachable", "Could not be read"),
    SweepState.CANNOT_LIST: ("manual", "Needs a list from you"),
    SweepState.WAITING: ("running", "Being read"),
    None: ("unreachable", "Never read"),
}


class CutForm(forms.Form):
    reason = forms.CharField(
        label="Anything that whoever reviews it should know",
        widget=forms.Textarea(attrs={"rows": 3}),
        required=False,
        max_length=2000,
        help_text="What was found is said already. It is kept as evidence, with your name.",
    )


class DismissForm(forms.Form):
    reason = forms.CharField(
        label="How do you know that it is no ghost?",
        error_messages={"required": "Say in a sentence how you know."},
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2000,
        help_text="Kept as evidence, with your name. It holds until something else is found of the account.",
    )


class OwnerForm(forms.Form):
    owner = forms.ChoiceField(label="Who takes care of it?", required=False)

    def __init__(self, *args: Any, people: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = [(str(user.pk), user.name or user.email) for user in people]
        self.fields["owner"].choices = [("", operations.IT_SECURITY), *named]  # type: ignore[attr-defined]


class ListForm(FileForm):
    """All accounts of one system, as a file."""

    system = forms.ChoiceField(label="System")

    def __init__(self, *args: Any, systems: list[System], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["system"].choices = [(s.name, s.title) for s in systems]  # type: ignore[attr-defined]
        self.fields["file"].help_text = "UTF-8, at most 25 MB. Nothing is compared yet."
        self.order_fields(["system", "file"])


@require_GET
def ghosts(request: HttpRequest) -> HttpResponse:
    """The list, by kind, system and state, beside how far each system was read."""
    actor = actor_of(request)
    state = request.GET.get("state", "open") if request.GET.get("state") in STATES else "open"
    kind = request.GET.get("kind", "") if request.GET.get("kind") in set(GhostKind) else ""
    system = request.GET.get("system", "")[:60]
    found = queries.visible_ghosts(actor, kind=kind, system=system, state=state)
    read = queries.coverage(actor)
    sweep = queries.latest_sweep()
    total = found.count()
    context = {
        "rows": [row_of(ghost) for ghost in found[:MOST_ROWS]],
        "total": total,
        "left": max(0, total - MOST_ROWS),
        "state": state,
        "states": STATES,
        "kind": kind,
        "kinds": {each.value: KINDS[each][1] for each in GhostKind},
        "system": system,
        "systems": {each.system.name: each.system.title for each in read},
        "coverage": [{"of": each, "status": READ[each.state]} for each in read],
        "unread": [each.system.title for each in read if not each.is_whole],
        "sweep": sweep,
        "is_sweeping": sweep is not None and sweep.ended_at is None,
        "may_sweep": may_follow(actor, "ghosts.sweep"),
        "may_upload": may_follow(actor, "ghosts.upload"),
    }
    return render(request, "ghosts/list.html", context)


@require_POST
def sweep(request: HttpRequest) -> HttpResponse:
    """Have every system looked through."""
    started = start_sweep(actor=actor_of(request), now=clock.now())
    waiting = started.systems.filter(state=SweepState.WAITING).count()
    if waiting:
        messages.success(
            request, f"{waiting} system{'' if waiting == 1 else 's'} will be read. Look again soon."
        )
    else:
        messages.warning(request, "No connected system can list its accounts. Upload lists of them instead.")
    return HttpResponseRedirect(reverse("web:ghosts"))


@require_http_methods(["GET", "HEAD", "POST"])
def cut(request: HttpRequest, ghost_id: int) -> HttpResponse:
    """One more look before the account is cut."""
    ghost = queries.get_ghost(actor_of(request), ghost_id)
    if ghost.departure is None:
        raise Conflict(
            "nobodys_account",
            "Nobody who has left is known by this account. Propose on its own page that it is cut.",
        )
    form = CutForm(request.POST or None)
    return _act(request, ghost, form, "ghosts/cut.html", operations.cut_ghost, "Ordered. It is read back.")


@require_http_methods(["GET", "HEAD", "POST"])
def dismiss(request: HttpRequest, ghost_id: int) -> HttpResponse:
    """Say that it is no ghost."""
    ghost = queries.get_ghost(actor_of(request), ghost_id)
    form = DismissForm(request.POST or None)
    said = "Kept, as your word. It comes up again when something else is found."
    return _act(request, ghost, form, "ghosts/dismiss.html", operations.dismiss_ghost, said)


@require_http_methods(["GET", "HEAD", "POST"])
def assign(request: HttpRequest, ghost_id: int) -> HttpResponse:
    """Give it to somebody."""
    actor = actor_of(request)
    ghost = queries.get_ghost(actor, ghost_id)
    data = request.POST if request.method == "POST" else None
    form = OwnerForm(data, people=_owners(), initial={"owner": ghost.owner_id or ""})
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data["owner"]
        owner = User.objects.filter(pk=int(chosen)).first() if chosen else None
        try:
            operations.assign_ghost(ghost=ghost, owner=owner, actor=actor, now=clock.now())
        except Refusal as refusal:
            put_refusal(form, refusal)
            return _form(request, ghost, form, "ghosts/assign.html", refusal.status)
        messages.success(request, f"{ghost} is with {owner.name if owner else operations.IT_SECURITY} now.")
        return HttpResponseRedirect(reverse("web:ghosts"))
    return _form(request, ghost, form, "ghosts/assign.html", 422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """All accounts of a system that Partwell cannot ask: the file, what it holds, then it is compared."""
    actor, user_id, now = actor_of(request), signed_in(request).pk, clock.now()
    check_office(actor, "ghosts.upload")
    systems = systems_by_file()
    if request.method != "POST":
        return _upload(request, ListForm(systems=systems, initial={"system": request.GET.get("system", "")}))
    if "apply" in request.POST:
        system = get_system(request.POST.get("system", ""))
        kind = _kept_as(system)
        form = ListForm(request.POST, systems=systems)
        try:
            data = checked_files.take(user_id=user_id, kind=kind, digest=request.POST.get("digest", ""))
            source = request.POST.get("source", "")[:200]
            upload_accounts(system=system, data=data, source=source, actor=actor, now=now)
        except Refusal as refusal:
            form.errors.clear()
            put_refusal(form, refusal)
            return _upload(request, form, status=refusal.status)
        checked_files.forget(user_id=user_id, kind=kind)
        messages.success(request, f"Compared: all accounts of {system.title} that the file has.")
        return HttpResponseRedirect(f"{reverse('web:ghosts')}?system={system.name}")
    form = ListForm(request.POST, request.FILES, systems=systems)
    if not form.is_valid():
        return _upload(request, form, status=422)
    system = get_system(form.cleaned_data["system"])
    check_needs_file(system)
    file: UploadedFile = form.cleaned_data["file"]
    data = file.read(LARGEST_BYTES + 1)
    found = read_account_file(data)
    if found.is_ok:
        checked_files.keep(user_id=user_id, kind=_kept_as(system), data=data, now=now)
    again = ListForm(systems=systems, initial={"system": system.name})
    return _upload(
        request, again, found=found, system=system, source=file.name or "", status=200 if found.is_ok else 422
    )


def _kept_as(system: System) -> str:
    return f"accounts-{system.name}"


def _upload(
    request: HttpRequest,
    form: ListForm,
    *,
    found: AccountFile | None = None,
    system: System | None = None,
    source: str = "",
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        "form": form,
        "columns": COLUMNS,
        "found": found,
        "system": system,
        "source": source,
        "crumbs": [{"title": "Ghost accounts", "url": reverse("web:ghosts")}, {"title": "Upload a list"}],
    }
    if found is not None:
        context |= {
            "bad_lines": found.bad_lines[:MOST_SHOWN],
            "bad_left": max(0, len(found.bad_lines) - MOST_SHOWN),
            "accounts": found.accounts[:10],
            "accounts_left": max(0, len(found.accounts) - 10),
            "counts": (found.count(True), found.count(False), found.count(None)),
        }
    return render(request, "ghosts/upload.html", context, status=status)


def _act(
    request: HttpRequest, ghost: Ghost, form: forms.Form, template: str, operation: Any, said: str
) -> HttpResponse:
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            operation(
                ghost=ghost, reason=form.cleaned_data["reason"], actor=actor_of(request), now=clock.now()
            )
        except FreshSignInNeeded:
            raise
        except Refusal as refusal:
            put_refusal(form, refusal)
            status = refusal.status
        else:
            messages.success(request, f"{ghost}: {said}")
            return HttpResponseRedirect(reverse("web:ghosts"))
    return _form(request, ghost, form, template, 422 if form.errors and status == 200 else status)


def _form(request: HttpRequest, ghost: Ghost, form: forms.Form, template: str, status: int) -> HttpResponse:
    context = {
        "form": form,
        "row": row_of(ghost),
        "crumbs": [{"title": "Ghost accounts", "url": reverse("web:ghosts")}, {"title": str(ghost)}],
    }
    return render(request, template, context, status=status)


def row_of(ghost: Ghost) -> dict[str, Any]:
    """What the list and the pages of one ghost show of it."""
    mark, title, says = KINDS[GhostKind(ghost.kind)]
    if ghost.state == GhostState.CUTTING:
        mark, title = "running", f"{title}, being cut"
    elif ghost.state == GhostState.GONE:
        mark, title = "verified", f"{title}, gone"
    elif ghost.state == GhostState.KEPT:
        mark, title = "attested", KEPT[KeptAs(ghost.kept_as)].format(person=ghost.person_name)
        says = "" if ghost.review_date is None else f"Looked at again on {day_in_words(ghost.review_date)}."
    elif ghost.state == GhostState.DISMISSED:
        mark, title = "none", f"{title}? No ghost"
    return {
        "ghost": ghost,
        "status": (mark, title),
        "says": says,
        "by": ghost.by.removeprefix("#") if ghost.by and ghost.by != "on record" else "",
        "by_what": "employee number" if ghost.by.startswith("#") else "",
        "may_cut": ghost.departure_id is not None and ghost.state != GhostState.GONE,
        "is_nobodys": ghost.departure_id is None,
        "is_proposed": getattr(ghost, "is_proposed", False),
        "is_open": ghost.state == GhostState.OPEN,
        "is_live": ghost.state in (GhostState.OPEN, GhostState.CUTTING),
    }


def _owners() -> list[User]:
    """Whoever plays a part to which ghosts are shown; which of them, the operation asks again."""
    parts = (Role.IT_SECURITY, Role.HR, Role.ADMIN)
    grants = RoleGrant.objects.filter(role__in=parts).values("user")
    return list(User.objects.filter(pk__in=grants, is_active=True).order_by("name", "email"))
