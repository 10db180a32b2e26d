"""One ghost account, and what is decided about one of nobody: whose it is, who answers for it, or its cut."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from partwell import clock
from partwell.access.ghosts import cutting, keeping
from partwell.access.ghosts.queries import get_ghost, ghost_view
from partwell.access.models import Ghost
from partwell.access.states import AccessState, GhostState
from partwell.people.queries import find_person
from partwell.refusals import Conflict, FreshSignInNeeded, NotFound, Refusal
from partwell.web.access_table import TITLES, mark_of, says_of
from partwell.web.fields import DATE, TypedWordForm
from partwell.web.ghosts import row_of
from partwell.web.navigation import may_follow
from partwell.web.session import actor_of, signed_in
from partwell.web.translate import put_refusal

OPERATIONS = ("say_whose", "keep", "dismiss", "propose_cut", "approve_cut", "call_off_cut", "restore")
# How the cut stands: the mark, the words, and whether the page has to look again by itself.
STANDS: dict[str, tuple[str, str, bool]] = {
    "asking": ("running", "The system is asked what it is now", True),
    "not seen": ("unreachable", "Nothing to approve", False),
    "proposed": ("approval", "Waits for a second person", False),
    "running": ("running", "Being cut", True),
    "waiting": ("unreachable", "Waits for the system", True),
    "read back": ("verified", "Cut, and read back", False),
    "in part": ("failed", "Not all of it could be done", False),
    "changed": ("approval", "Not cut: it changed after the approval", False),
}
RESTORES = {"running": "Being put back", "read back": "Put back, and read back"}


class WhoseForm(forms.Form):
    person = forms.CharField(
        label="Whose is it?",
        max_length=254,
        error_messages={"required": "Say whose it is."},
        help_text="Their e-mail address or employee number, as the register has it.",
    )


class KeepForm(forms.Form):
    owner = forms.CharField(
        label="Who answers for it?",
        max_length=254,
        error_messages={"required": "Say who answers for it."},
        help_text="Their e-mail address or employee number. When they leave, it needs somebody else.",
    )
    reason = forms.CharField(
        label="What is it for?",
        error_messages={"required": "Say in a sentence what it is for."},
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2000,
        help_text="Kept as evidence, with your name.",
    )
    review = forms.DateField(
        label="When does somebody look at it again?",
        error_messages={"required": "Choose a day."},
        widget=DATE,
        help_text="Within a year. On that day it is on the list again.",
    )


class ProposeForm(forms.Form):
    reason = forms.CharField(
        label="Why does nobody need it?",
        error_messages={"required": "Say in a sentence why nobody needs it."},
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2000,
        help_text="Whoever approves it reads this. It is kept as evidence, with your name.",
    )


class ApproveForm(TypedWordForm):
    """What is approved is what was looked at: the checksum travels with the page."""

    plan = forms.IntegerField(widget=forms.HiddenInput)
    checksum = forms.CharField(widget=forms.HiddenInput, max_length=64)
    word = forms.CharField(max_length=400)

    mistake = "you may be looking at another account."


@require_GET
def ghost(request: HttpRequest, ghost_id: int) -> HttpResponse:
    """What was found, what people said, and how its cut stands."""
    return _show(request, get_ghost(actor_of(request), ghost_id))


@require_GET
def live(request: HttpRequest, ghost_id: int) -> HttpResponse:
    """The living part of the page while something is asked or cut; then the whole page is read again."""
    found = get_ghost(actor_of(request), ghost_id)
    context = _context(request, found)
    if not context["is_working"]:
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    return render(request, "ghosts/_plan.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def say_whose(request: HttpRequest, ghost_id: int) -> HttpResponse:
    """Say that it is somebody's."""

    def do(found: Ghost, given: dict[str, Any], now: datetime) -> str:
        kept = keeping.say_whose(
            ghost=found, person=find_person(given["person"]), actor=actor_of(request), now=now
        )
        return f"Kept, as your word: it is {kept.person_name}’s."

    return _decide(request, ghost_id, WhoseForm(request.POST or None), "ghosts/whose.html", do)


@require_http_methods(["GET", "HEAD", "POST"])
def keep(request: HttpRequest, ghost_id: int) -> HttpResponse:
    """Say that it is a service account, and who answers for it."""

    def do(found: Ghost, given: dict[str, Any], now: datetime) -> str:
        kept = keeping.keep_service_account(
            ghost=found,
            owner=find_person(given["owner"], field="owner"),
            reason=given["reason"],
            review_date=given["review"],
            actor=actor_of(request),
            now=now,
        )
        return f"Kept, as your word: {kept.person_name} answers for it."

    return _decide(request, ghost_id, KeepForm(request.POST or None), "ghosts/keep.html", do)


@require_http_methods(["GET", "HEAD", "POST"])
def propose(request: HttpRequest, ghost_id: int) -> HttpResponse:
    """Propose that it is cut."""

    def do(found: Ghost, given: dict[str, Any], now: datetime) -> str:
        cutting.propose_cut(ghost=found, reason=given["reason"], actor=actor_of(request), now=now)
        return "Proposed. Nothing is cut before another person has approved it."

    return _decide(request, ghost_id, ProposeForm(request.POST or None), "ghosts/propose.html", do)


@require_http_methods(["GET", "POST"])
def approve(request: HttpRequest, ghost_id: int) -> HttpResponse:
    """Approve as a second person exactly what was looked at."""
    found = get_ghost(actor_of(request), ghost_id)
    if request.method == "GET":
        return HttpResponseRedirect(_address(found) + "#approve")
    form = ApproveForm(request.POST, wanted=_word(found))
    if not form.is_valid():
        return _show(request, found, form=form, status=422)
    plan = found.plans.filter(pk=form.cleaned_data["plan"]).first()
    if plan is None:
        raise NotFound("plan")
    try:
        cutting.approve_cut(
            plan=plan, checksum=form.cleaned_data["checksum"], actor=actor_of(request), now=clock.now()
        )
    except FreshSignInNeeded:
        raise
    except Refusal as refusal:
        put_refusal(form, refusal)
        return _show(request, get_ghost(actor_of(request), ghost_id), form=form, status=refusal.status)
    messages.success(request, "Approved. It is cut now, and read back.")
    return HttpResponseRedirect(_address(found))


@require_POST
def call_off(request: HttpRequest, ghost_id: int) -> HttpResponse:
    """Take a proposal back."""
    found = get_ghost(actor_of(request), ghost_id)
    cutting.call_off_cut(ghost=found, actor=actor_of(request), now=clock.now())
    messages.success(request, "Taken back. Nothing was cut.")
    return HttpResponseRedirect(_address(found))


@require_http_methods(["GET", "HEAD", "POST"])
def restore(request: HttpRequest, ghost_id: int) -> HttpResponse:
    """Every effect with how far it can be put back, before anything is put back."""
    found = get_ghost(actor_of(request), ghost_id)
    if request.method == "POST":
        cutting.restore_ghost(ghost=found, actor=actor_of(request), now=clock.now())
        messages.success(request, "Ordered. It is put back from the state kept before, and read back.")
        return HttpResponseRedirect(_address(found))
    context = _context(request, found)
    if context["plan"] is None or not context["plan"]["can_be_restored"]:
        raise Conflict("nothing_to_restore", "Nothing that Partwell changed here can be put back.")
    context["possible"] = sum(row["reversibility"] != "none" for row in context["changes"])
    return render(request, "ghosts/restore.html", {**context, "crumbs": _crumbs(found, "Put back")})


def _decide(
    request: HttpRequest,
    ghost_id: int,
    form: forms.Form,
    template: str,
    do: Callable[[Ghost, dict[str, Any], datetime], str],
) -> HttpResponse:
    found, status = get_ghost(actor_of(request), ghost_id), 200
    if request.method == "POST" and form.is_valid():
        try:
            said = do(found, form.cleaned_data, clock.now())
        except FreshSignInNeeded:
            raise
        except Refusal as refusal:
            put_refusal(form, refusal)
            status = refusal.status
        else:
            messages.success(request, f"{found}: {said}")
            return HttpResponseRedirect(_address(found))
    if form.errors and status == 200:
        status = 422
    context = {"form": form, "row": row_of(found), "ghost": found, "crumbs": _crumbs(found, "Decide")}
    return render(request, template, context, status=status)


def _show(
    request: HttpRequest, found: Ghost, *, form: ApproveForm | None = None, status: int = 200
) -> HttpResponse:
    context = _context(request, found)
    plan = context["plan"]
    if plan is not None and plan["state"] == "proposed":
        initial = {"plan": plan["id"], "checksum": plan["checksum"], "word": ""}
        context["form"] = form or ApproveForm(wanted=_word(found), initial=initial)
    return render(request, "ghosts/ghost.html", context, status=status)


def _context(request: HttpRequest, found: Ghost) -> dict[str, Any]:
    actor = actor_of(request)
    view = ghost_view(found)
    plan = view["plan"]
    context: dict[str, Any] = {
        "ghost": found,
        "row": row_of(found),
        "view": view,
        "plan": plan,
        "is_working": False,
        "word": _word(found),
        "may": {name: may_follow(actor, f"ghosts.{name}") for name in OPERATIONS},
        "may_cut_theirs": may_follow(actor, "access.cut_ghost"),
        "is_open": found.state in (GhostState.OPEN, GhostState.KEPT, GhostState.DISMISSED),
        "crumbs": _crumbs(found),
    }
    if plan is None:
        return context
    mark, words, context["is_working"] = STANDS[plan["state"]]
    context["status"] = (mark, RESTORES.get(plan["state"], words) if plan["restores"] else words)
    latest = found.plans.get(pk=plan["id"])
    context["proposed_by"], context["proposed_at"] = _name(latest.made_by), latest.made_at
    context["approved_by"], context["approved_at"] = _name(latest.approved_by), latest.approved_at
    context["me"] = signed_in(request).name or signed_in(request).email
    context["is_own"] = latest.requested_by_id == signed_in(request).pk
    context["changes"] = [
        {
            **row,
            "title": TITLES[row["verb"]],
            "mark": mark_of(row["state"]),
            "says": says_of(row["state"]),
            "shown": row["state"] != AccessState.PLANNED,
        }
        for row in plan["changes"]
    ]
    return context


def _name(label: str) -> str:
    return label.partition(" <")[0]


def _word(found: Ghost) -> str:
    return found.login or found.external_id


def _address(found: Ghost) -> str:
    return reverse("web:ghost", args=[found.pk])


def _crumbs(found: Ghost, last: str = "") -> list[dict[str, str]]:
    crumbs = [{"title": "Ghost accounts", "url": reverse("web:ghosts")}, {"title": str(found)}]
    if last:
        crumbs[-1]["url"] = _address(found)
        crumbs.append({"title": last})
    return crumbs
