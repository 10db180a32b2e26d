"""Rounds: many departures prepared from a list, approved once, and seen on one board."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from partwell import clock
from partwell.departures.models import Departure
from partwell.evidence.models import Event
from partwell.journeys.models import Round
from partwell.journeys.rounds.board import LATE, Board, Row, board_of
from partwell.journeys.rounds.drift import drift_of
from partwell.journeys.rounds.operations import approve_round, recall_round
from partwell.journeys.rounds.queries import get_round, list_rounds, members_of, round_scope
from partwell.journeys.rounds.states import MemberState, RoundState
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, load_matrix
from partwell.refusals import FreshSignInNeeded, Invalid, Refusal
from partwell.web import presenting
from partwell.web.fields import TypedWordForm
from partwell.web.journeys import ACCESS_MARKS
from partwell.web.round_words import overview_rows
from partwell.web.session import actor_of, signed_in
from partwell.web.timeline import timeline
from partwell.web.translate import put_refusal

STATE_WORDS = {
    RoundState.PREPARED: ("approval", "Waits for a second person"),
    RoundState.APPROVED: ("planned", "Approved"),
    RoundState.STARTED: ("accepted", "Started"),
    RoundState.RECALLED: ("none", "Recalled"),
}
MEMBER_WORDS = {
    MemberState.WAITING: ("planned", "Not started"),
    MemberState.STARTED: ("accepted", "Under way"),
    MemberState.LEFT_OUT: ("cannot", "Left out"),
    MemberState.RECALLING: ("waits", "Being recalled"),
    MemberState.RECALLED: ("none", "Recalled"),
}
FILTERS = {
    "": "Everybody",
    MemberState.WAITING.value: "Not started",
    MemberState.STARTED.value: "Under way",
    LATE: "Late",
    MemberState.LEFT_OUT.value: "Left out",
    MemberState.RECALLED.value: "Recalled",
}
FARTHEST = 100_000


class RecallForm(TypedWordForm):
    """Why, of whom, and the words that guard against a slip."""

    reason = forms.CharField(
        label="Why is it recalled?",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2000,
        help_text="It is kept as evidence, with your name. No mail says it.",
    )
    people = forms.MultipleChoiceField(
        label="Only these",
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        help_text="Choose nobody, and everybody is recalled.",
    )
    word = forms.CharField(max_length=60)
    mistake = "that guards against a slip of the hand."


@require_GET
def rounds(request: HttpRequest) -> HttpResponse:
    """The rounds that exist for the reader, newest first."""
    actor = actor_of(request)
    found = [
        {"round": each, "status": STATE_WORDS[RoundState(each.state)]} for each in list_rounds(actor=actor)
    ]
    context = {"rounds": found, "may_prepare": _may(actor, "rounds.prepare"), "crumbs": crumbs("Rounds")}
    return render(request, "rounds/list.html", context)


@require_GET
def board(request: HttpRequest, round_id: UUID) -> HttpResponse:
    """One round: what was prepared while it waits for a second person, then everybody's state."""
    found = get_round(actor_of(request), round_id)
    context = _context(request, found)
    newest = Event.objects.filter(scope=round_scope(found.pk)).exclude(kind__startswith="mail.")
    context["events"] = timeline(newest.order_by("-occurred_at", "-pk")[:8])
    if found.state == RoundState.PREPARED:
        context["overview"] = overview_rows(found.overview)
        context["drift"] = drift = drift_of(found, now=clock.now())
        context["approves"] = context["board"].sums[MemberState.WAITING] - len(drift.leaving_out)
        context["is_own"] = found.prepared_by_id == signed_in(request).pk
        context["can_approve"] = _may(actor_of(request), "rounds.approve")
    return render(request, "rounds/board.html", context)


@require_GET
def live(request: HttpRequest, round_id: UUID) -> HttpResponse:
    """The living part of the board."""
    found = get_round(actor_of(request), round_id)
    return render(request, "rounds/_live.html", {**_context(request, found), "is_part": True})


@require_POST
def approve(request: HttpRequest, round_id: UUID) -> HttpResponse:
    """Approve what was looked at, as a second person."""
    actor = actor_of(request)
    found = approve_round(
        found=get_round(actor, round_id), digest=request.POST.get("digest", ""), actor=actor, now=clock.now()
    )
    messages.success(request, "Approved. Each journey starts at its time.")
    return HttpResponseRedirect(reverse("web:round", args=[found.pk]))


@require_http_methods(["GET", "HEAD", "POST"])
def recall(request: HttpRequest, round_id: UUID) -> HttpResponse:
    """One more look, then the whole round or some of it is taken back."""
    actor = actor_of(request)
    check_office(actor, "rounds.recall")
    found = get_round(actor, round_id)
    left = list(members_of(found, actor).filter(state__in=(MemberState.WAITING, MemberState.STARTED)))
    form = RecallForm(request.POST or None, wanted=found.name)
    form.fields["people"].choices = [(member.pk, member.name) for member in left]  # type: ignore[attr-defined]
    status = 200
    if request.method == "POST" and form.is_valid():
        chosen = {int(key) for key in form.cleaned_data["people"]}
        try:
            recall_round(
                found=found,
                reason=form.cleaned_data["reason"],
                people=chosen or None,
                actor=actor,
                now=clock.now(),
            )
        except FreshSignInNeeded:
            raise
        except Refusal as refusal:
            put_refusal(form, refusal)
            status = refusal.status
        else:
            messages.success(request, "Recalled. What runs is withdrawn now, one journey after the other.")
            return HttpResponseRedirect(reverse("web:round", args=[found.pk]))
    if form.errors and status == 200:
        status = 422
    context = {
        "round": found,
        "form": form,
        "waiting": sum(member.state == MemberState.WAITING for member in left),
        "running": sum(member.state == MemberState.STARTED for member in left),
        "crumbs": crumbs("Recall", found),
    }
    return render(request, "rounds/recall.html", context, status=status)


def crumbs(here: str, found: Round | None = None) -> list[dict[str, str]]:
    """Where the reader is."""
    way = [{"title": "Journeys", "url": reverse("web:departures")}]
    if here != "Rounds":
        way.append({"title": "Rounds", "url": reverse("web:rounds")})
    if found is not None:
        way.append({"title": found.name, "url": reverse("web:round", args=[found.pk])})
    return [*way, {"title": here}]


def _context(request: HttpRequest, found: Round) -> dict[str, Any]:
    actor = actor_of(request)
    only, text = request.GET.get("only", ""), request.GET.get("q", "").strip()[:100]
    after = request.GET.get("after", "0")
    if only not in FILTERS or not (after.isascii() and after.isdigit() and int(after) < FARTHEST):
        raise Invalid("filter_unknown", "There is no such list. Choose one of those above.", field="only")
    shown = board_of(found, actor, now=clock.now(), only=only, text=text, after=int(after))
    return {
        "round": found,
        "status": STATE_WORDS[RoundState(found.state)],
        "board": shown,
        "rows": [_row(row) for row in shown.rows],
        "chips": [
            {"code": code, "title": title, "count": shown.sums[code or "people"]}
            for code, title in FILTERS.items()
        ],
        "only": only,
        "q": text,
        "query": request.GET.urlencode(),
        "progress": _progress(shown),
        "can_recall": _may(actor, "rounds.recall")
        and bool(shown.sums[MemberState.WAITING] or shown.sums[MemberState.STARTED]),
        "crumbs": crumbs(found.name),
    }


def _row(row: Row) -> dict[str, Any]:
    member = row.member
    departure: Departure | None = member.departure
    current = row.current
    status = MEMBER_WORDS[MemberState(member.state)]
    if member.state == MemberState.STARTED and departure is not None and not departure.is_open:
        status = ("none", presenting.words(departure.state))
    return {
        "member": member,
        "departure": departure,
        "status": status,
        "phase": current.title if current else "",
        "next": row.next_due_at if departure is not None and departure.is_open else None,
        "late": f"{row.late} step{'' if row.late == 1 else 's'}" if row.late else "",
        "access": row.access,
        "access_mark": ACCESS_MARKS.get(row.access.state, row.access.state) if row.access else "",
        "last_day": departure.last_working_date if departure else member.last_working_date,
    }


def _progress(shown: Board) -> dict[str, int]:
    """How far a start that is going on has come: of those who were to have started by now."""
    done = shown.sums[MemberState.STARTED] + shown.sums[MemberState.LEFT_OUT]
    return {"done": done, "total": done + shown.sums["due"]}


def _may(actor: Actor, name: str) -> bool:
    return bool({grant.role.value for grant in actor.grants} & load_matrix().operations[name].allow)
