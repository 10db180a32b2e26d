"""Handing over: what of a departure goes to whom, one thing with what can be done about it, and what comes to
the reader."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from partwell import clock
from partwell.access.models import System, Transfer
from partwell.access.transfers import days, letters, operations, receipts
from partwell.access.transfers.queries import (
    also_of,
    coming_to,
    get_transfer,
    mailbox_is_due,
    transfers_of,
)
from partwell.access.transfers.states import TRANSITIONS, HandedKind, TransferBy, TransferState
from partwell.departures.models import Departure
from partwell.departures.policies import capacities, sees_inside
from partwell.people.actors import Actor
from partwell.people.authorisation import load_matrix
from partwell.refusals import FreshSignInNeeded, Refusal
from partwell.web.journeys import check_may
from partwell.web.presenting import name_of
from partwell.web.session import actor_of
from partwell.web.transfer_forms import (
    KINDS,
    AcceptForm,
    AllForm,
    AttestForm,
    EndForm,
    LeaveForm,
    MailboxForm,
    MissingForm,
    OpenForm,
    SuccessorForm,
)
from partwell.web.translate import put_refusal

STATES: dict[str, tuple[str, str]] = {
    TransferState.OPEN: ("todo", "No successor named"),
    TransferState.WAITING: ("planned", "Waits for its moment"),
    TransferState.REQUESTED: ("requested", "Asked, no answer yet"),
    TransferState.QUEUED: ("accepted", "Taken by the system"),
    TransferState.RUNNING: ("accepted", "The system is at it"),
    TransferState.DONE: ("accepted", "Handed over, not accepted yet"),
    TransferState.FAILED: ("failed", "Failed"),
    TransferState.UNKNOWN: ("unreachable", "Unknown what came of it"),
    TransferState.ATTESTED: ("attested", "Handed over, a person says"),
    TransferState.ACCEPTED: ("attested", "Accepted by the successor"),
    TransferState.MISSING: ("failed", "Something is missing"),
    TransferState.ENDED: ("none", "Over, taken back"),
    TransferState.NOT_NEEDED: ("none", "Not needed"),
    TransferState.WITHDRAWN: ("none", "Notice withdrawn"),
}


@require_GET
def coming(request: HttpRequest) -> HttpResponse:
    """What comes to the reader, and what they have said of it."""
    rows = rows_of(coming_to(actor_of(request), now=clock.now()))
    to_answer = sum(row["is_to_answer"] for row in rows)
    return render(request, "transfers/coming.html", {"rows": rows, "to_answer": to_answer})


@require_http_methods(["GET", "POST"])
def departure(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """All that is handed over in one departure; with a POST, one thing more."""
    found = check_may(request, "access.view", departure_id)
    if request.method == "GET":
        return _show_all(request, found)
    form = OpenForm(request.POST)
    if not form.is_valid():
        return _show_all(request, found, open_form=form, status=422)
    given = form.cleaned_data
    system = System.objects.filter(name=given["system"]).first() if given["system"] else None

    def do() -> None:
        operations.open_transfer(
            departure=found,
            kind=given["kind"],
            what=given["what"],
            system=system,
            actor=actor_of(request),
            now=clock.now(),
        )

    if refused := _refused(do, form):
        return _show_all(request, found, open_form=form, status=refused)
    messages.success(request, f"Kept: {given['what']}. Name a successor for it.")
    return HttpResponseRedirect(reverse("web:transfers", args=[found.pk]))


@require_POST
def name_all(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """One successor for everything that nobody was named for."""
    found = check_may(request, "access.view", departure_id)
    form = AllForm(request.POST)
    if not form.is_valid():
        return _show_all(request, found, all_form=form, status=422)
    count = 0

    def do() -> None:
        nonlocal count
        count = operations.name_for_all_open(
            departure=found, email=form.cleaned_data["email"], actor=actor_of(request), now=clock.now()
        )

    if refused := _refused(do, form):
        return _show_all(request, found, all_form=form, status=refused)
    messages.success(request, f"The successor is named for {count} of them.")
    return HttpResponseRedirect(reverse("web:transfers", args=[found.pk]))


@require_GET
def transfer(request: HttpRequest, transfer_id: UUID) -> HttpResponse:
    """One thing that is handed over, and what can be done about it."""
    return _show(request, _get(request, transfer_id))


@require_POST
def name(request: HttpRequest, transfer_id: UUID) -> HttpResponse:
    """Say who gets it."""
    found = _get(request, transfer_id)
    form = SuccessorForm(request.POST, transfer=found)
    said = "The successor is named."
    return _settle(request, found, form, operations.name_successor, "name_form", said)


@require_POST
def hand_over(request: HttpRequest, transfer_id: UUID) -> HttpResponse:
    """Have the system hand it over at once."""
    found = _get(request, transfer_id)
    operations.hand_over_now(transfer=found, actor=actor_of(request), now=clock.now())
    messages.success(request, "The system is asked now. What came of it shows here.")
    return _to(found)


@require_POST
def attest(request: HttpRequest, transfer_id: UUID) -> HttpResponse:
    """Say that it is handed over."""
    found, form = _get(request, transfer_id), AttestForm(request.POST)
    said = "Kept, as your word. The successor is asked whether they have it."
    return _settle(request, found, form, operations.attest_transfer, "attest_form", said)


@require_POST
def leave(request: HttpRequest, transfer_id: UUID) -> HttpResponse:
    """Say that nobody needs it."""
    found, form = _get(request, transfer_id), LeaveForm(request.POST)
    return _settle(request, found, form, operations.leave_transfer, "leave_form", "The reason is kept.")


@require_POST
def accept(request: HttpRequest, transfer_id: UUID) -> HttpResponse:
    """The successor has it."""
    found, form = _get(request, transfer_id), AcceptForm(request.POST)
    return _settle(request, found, form, receipts.accept, "accept_form", "Thank you. Your receipt is kept.")


@require_POST
def missing(request: HttpRequest, transfer_id: UUID) -> HttpResponse:
    """The successor misses something."""
    found, form = _get(request, transfer_id), MissingForm(request.POST)
    said = "Kept. Those who hand it over are told what is missing."
    return _settle(request, found, form, receipts.report_missing, "missing_form", said)


@require_POST
def take_back(request: HttpRequest, transfer_id: UUID) -> HttpResponse:
    """Have the system take it back at once."""
    found = _get(request, transfer_id)
    operations.take_back_now(transfer=found, actor=actor_of(request), now=clock.now())
    messages.success(request, "The system is asked to take it back now. What came of it shows here.")
    return _to(found)


@require_POST
def attest_end(request: HttpRequest, transfer_id: UUID) -> HttpResponse:
    """Say that the successor has it no more."""
    found, form = _get(request, transfer_id), EndForm(request.POST)
    return _settle(request, found, form, operations.attest_end, "end_form", "Kept, as your word.")


@require_POST
def mailbox(request: HttpRequest, transfer_id: UUID) -> HttpResponse:
    """Say that the mailbox is deleted, or stays."""
    found, form = _get(request, transfer_id), MailboxForm(request.POST)
    return _settle(request, found, form, operations.settle_mailbox, "mailbox_form", "Kept, as your word.")


def status_of(found: Transfer) -> tuple[str, str]:
    """Its mark and the words beside it. Green is only what was read back from a system, and accepted."""
    mark, words = STATES[found.state]
    is_proven = found.state == TransferState.ACCEPTED and found.by == TransferBy.CONNECTOR
    return ("verified", words) if is_proven else (mark, words)


def rows_of(transfers: Iterable[Transfer]) -> list[dict[str, Any]]:
    """Hand-overs for a list."""
    return [
        {
            "transfer": each,
            "status": status_of(each),
            "kind": KINDS[HandedKind(each.kind)],
            "is_to_answer": each.state in (TransferState.DONE, TransferState.ATTESTED),
        }
        for each in transfers
    ]


def _get(request: HttpRequest, transfer_id: UUID) -> Transfer:
    return get_transfer(actor_of(request), transfer_id, now=clock.now())


def _to(found: Transfer) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("web:transfer", args=[found.pk]))


def _refused(do: Callable[[], None], form: forms.Form) -> int:
    """Do it; the status of a refusal, which the form then shows, or 0."""
    try:
        do()
    except FreshSignInNeeded:
        raise
    except Refusal as refusal:
        put_refusal(form, refusal)
        return refusal.status
    return 0


def _settle(
    request: HttpRequest, found: Transfer, form: forms.Form, operation: Any, which: str, said: str
) -> HttpResponse:
    if not form.is_valid():
        return _show(request, found, status=422, **{which: form})

    def do() -> None:
        operation(transfer=found, actor=actor_of(request), now=clock.now(), **form.cleaned_data)

    if refused := _refused(do, form):
        return _show(request, found, status=refused, **{which: form})
    messages.success(request, said)
    return _to(found)


def _show(request: HttpRequest, found: Transfer, *, status: int = 200, **given: Any) -> HttpResponse:
    actor = actor_of(request)
    is_inside = bool(sees_inside(actor, [found], to="access.view"))
    by_system = operations.can_hand_over(found)
    context = {
        "transfer": found,
        "departure": found.departure,
        "status": status_of(found),
        "kind": KINDS[HandedKind(found.kind)],
        "is_inside": is_inside,
        "by_system": by_system,
        "has_ended": clock.now() >= found.departure.access_end_at,
        "waits_for_suspension": operations.waits_for_suspension(found),
        "may": _offered(actor, found, by_system=by_system),
        "settled_by": name_of(found.settled_by),
        "name_form": SuccessorForm(transfer=found, initial=_initial(found)),
        "attest_form": AttestForm(),
        "leave_form": LeaveForm(),
        "accept_form": AcceptForm(),
        "missing_form": MissingForm(),
        "end_form": EndForm(),
        "mailbox_form": MailboxForm(),
        "crumbs": _crumbs(found, is_inside=is_inside),
        **given,
    }
    return render(request, "transfers/transfer.html", context, status=status)


def _initial(found: Transfer) -> dict[str, Any]:
    usual = letters.usual_reply(found.departure.subject_name, found.successor_name, found.successor_email)
    return {
        "email": found.successor_email,
        "login": found.successor_login,
        "ends_on": found.last_day,
        # The usual words name the successor, so that they are made anew for another one.
        "text": "" if found.text == usual else found.text,
    }


def _offered(actor: Actor, found: Transfer, *, by_system: bool) -> dict[str, bool]:
    """Which forms to show; the operations decide again."""
    held = capacities(actor, found.departure) | also_of(actor, found, clock.now())
    matrix, next_ones = load_matrix().operations, TRANSITIONS[TransferState(found.state)]

    def may(operation: str, after: TransferState | None = None) -> bool:
        row = matrix[f"transfers.{operation}"]
        is_open = found.departure.is_open or row.on_closed
        return is_open and bool(held & row.allow) and (after is None or after in next_ones)

    can_back = operations.can_take_back(found)
    return {
        "name": may("name_successor", TransferState.WAITING),
        "hand_over": by_system and found.successor_id is not None and may("hand_over", TransferState.WAITING),
        "attest": found.successor_id is not None and may("attest", TransferState.ATTESTED),
        "leave": not found.is_still_with_successor and may("leave", TransferState.NOT_NEEDED),
        "accept": may("accept", TransferState.ACCEPTED),
        "missing": may("report_missing", TransferState.MISSING),
        "take_back": can_back and may("take_back", TransferState.ENDED),
        "attest_end": found.is_still_with_successor and may("attest_end", TransferState.ENDED),
        "mailbox": mailbox_is_due(found) and may("settle_mailbox"),
        "plan_deletion": found.departure.is_open
        and operations.can_delete(found)
        and bool(held & matrix["access.plan"].allow),
    }


def _show_all(request: HttpRequest, found: Departure, *, status: int = 200, **given: Any) -> HttpResponse:
    actor = actor_of(request)
    transfers = transfers_of(found, actor=actor)
    held, matrix = capacities(actor, found), load_matrix().operations
    may = {
        each: found.is_open and bool(held & matrix[f"transfers.{each}"].allow)
        for each in ("open", "name_successor")
    }
    context = {
        "departure": found,
        "rows": rows_of(transfers),
        "left": sum(not each.is_settled for each in transfers),
        "without": sum(each.state == TransferState.OPEN for each in transfers),
        "may": may,
        "open_form": OpenForm(),
        "all_form": AllForm(),
        "usual": days.usual_last_day(found),
        "crumbs": [
            {"title": "Journeys", "url": reverse("web:departures")},
            {"title": found.subject_name, "url": reverse("web:journey", args=[found.pk])},
            {"title": "Handing over"},
        ],
        **given,
    }
    return render(request, "transfers/departure.html", context, status=status)


def _crumbs(found: Transfer, *, is_inside: bool) -> list[dict[str, str]]:
    if not is_inside:
        return [{"title": "What comes to you", "url": reverse("web:coming")}, {"title": str(found)}]
    return [
        {"title": found.departure.subject_name, "url": reverse("web:journey", args=[found.departure_id])},
        {"title": "Handing over", "url": reverse("web:transfers", args=[found.departure_id])},
        {"title": str(found)},
    ]
