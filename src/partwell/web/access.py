"""Access: whose needs something, one departure's plan before and while it is carried out, and going back."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from partwell import clock
from partwell.access import operations, queries, questions
from partwell.access.attention import needing_attention
from partwell.access.credentials.rotation_queries import rotations_of
from partwell.access.ghosts.queries import waiting_for_approval
from partwell.access.summaries import alert_row
from partwell.access.transfers.queries import transfers_of
from partwell.departures.models import Departure
from partwell.refusals import Conflict, FreshSignInNeeded, NotFound, Refusal
from partwell.web import access_page
from partwell.web.access_table import TITLES
from partwell.web.cuts import cuts_to_show
from partwell.web.fields import TypedWordForm
from partwell.web.journeys import check_may
from partwell.web.navigation import may_follow
from partwell.web.rotations import rows_of as rotation_rows
from partwell.web.session import actor_of
from partwell.web.transfers import rows_of as transfer_rows
from partwell.web.translate import put_refusal


class ApproveForm(TypedWordForm):
    """What is approved is what was looked at: the checksum travels with the page."""

    plan = forms.IntegerField(widget=forms.HiddenInput)
    checksum = forms.CharField(widget=forms.HiddenInput, max_length=64)
    word = forms.CharField(max_length=300)

    mistake = "you may be looking at another person."


class SayForm(forms.Form):
    note = forms.CharField(
        label="How do you know?",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2000,
        help_text="It is kept as evidence, with your name.",
    )
    evidence = forms.CharField(
        label="Where the proof is",
        required=False,
        max_length=1000,
        help_text="A ticket, a link or a file’s name.",
    )


@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    """Departures whose access needs something, and what people must be told."""
    actor = actor_of(request)
    rows, quiet = needing_attention(actor, now=clock.now())
    return render(
        request,
        "access/overview.html",
        {
            "rows": rows,
            "quiet": quiet,
            "cuts": cuts_to_show(actor),
            "proposed": waiting_for_approval(actor)[:12] if may_follow(actor, "ghosts.view") else [],
            "alerts": [alert_row(alert) for alert in queries.open_alerts(actor)[:12]],
            "now": clock.now(),
            "may_shut_out": may_follow(actor, "access.shut_out"),
        },
    )


@require_GET
def plan(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """The plan, and what became of it."""
    return _show(request, check_may(request, "access.view", departure_id))


@require_GET
def live(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """The living part of the page, or 204 while nothing has moved since `rev`.

    When what stands around it is out of date as well, such as a form for a plan that was replaced, the
    browser is asked to read the whole page again.
    """
    departure = check_may(request, "access.view", departure_id)
    rev = access_page.revision_of(departure, now=clock.now())
    if request.GET.get("rev") == rev:
        return HttpResponse(status=204)
    context = access_page.context_of(departure, actor=actor_of(request), now=clock.now())
    if request.GET.get("shape") != context["shape"]:
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    return render(request, "access/_live.html", context)


@require_POST
def make(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """Ask every system what it has, and plan what was asked for by name too; the page shows the answers when
    they are there."""
    departure = check_may(request, "access.plan", departure_id)
    questions.ask_for_plan(
        departure=departure,
        actor=actor_of(request),
        now=clock.now(),
        release_in=request.POST.getlist("release_in"),
        delete_in=request.POST.getlist("delete_in"),
    )
    return _to_plan(departure)


@require_POST
def verify(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """Read every account back."""
    departure = check_may(request, "access.verify", departure_id)
    questions.ask_for_reading(departure=departure, actor=actor_of(request), now=clock.now())
    return _to_plan(departure)


@require_http_methods(["GET", "POST"])
def approve(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """Approve as a second person exactly what was looked at."""
    departure = check_may(request, "access.view", departure_id)
    if request.method == "GET":
        return _to_plan(departure, "#approve")
    form = ApproveForm(request.POST, wanted=access_page.word_of(departure).upper())
    if not form.is_valid():
        return _show(request, departure, form=form, status=422)
    found = departure.access_plans.filter(pk=form.cleaned_data["plan"]).first()
    if found is None:
        raise NotFound("plan")
    try:
        operations.approve_plan(
            plan=found,
            checksum=form.cleaned_data["checksum"],
            actor=actor_of(request),
            now=clock.now(),
        )
    except FreshSignInNeeded:
        raise
    except Refusal as refusal:
        put_refusal(form, refusal)
        return _show(request, departure, form=form, status=refusal.status)
    messages.success(request, f"Plan {found.version} is approved. Nothing has been cut yet.")
    return _to_plan(departure)


@require_POST
def apply(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """Start what was approved, or try again what failed."""
    departure = check_may(request, "access.view", departure_id)
    found = queries.latest_plan(departure)
    if found is None:
        raise Conflict("no_plan", "There is no plan yet. Make one first.")
    operations.apply_plan(plan=found, actor=actor_of(request), now=clock.now())
    return _to_plan(departure)


@require_POST
def link(request: HttpRequest, departure_id: UUID, system: str) -> HttpResponse:
    """Say which of several matching accounts are theirs."""
    departure = check_may(request, "access.link", departure_id)
    found = queries.get_system(system)
    chosen = request.POST.getlist("account")
    if not chosen and "none" not in request.POST:
        messages.error(request, f"Choose an account in {found.title}, or say that none is theirs.")
        return _to_plan(departure, "#unclear")
    operations.link_accounts(
        departure=departure, system=found, external_ids=chosen, actor=actor_of(request), now=clock.now()
    )
    messages.success(
        request, f"Kept: {len(chosen)} account{'' if len(chosen) == 1 else 's'} in {found.title}."
    )
    return _to_plan(departure)


@require_http_methods(["GET", "POST"])
def say(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """A person says that an account is gone, or that it cannot be cut."""
    departure = check_may(request, "access.view", departure_id)
    account = queries.find_account(
        departure, system=request.GET.get("system", ""), external_id=request.GET.get("account", "")
    )
    if account is None:
        raise NotFound("account")
    is_impossible = request.GET.get("as") == "impossible"
    check_may(request, "access.mark_impossible" if is_impossible else "access.attest", departure_id)
    form = SayForm(request.POST or None)
    if is_impossible:
        del form.fields["evidence"]
        form.fields["note"].label = "Why can nobody cut it?"
    if request.method == "POST" and form.is_valid():
        actor, now, note = actor_of(request), clock.now(), form.cleaned_data["note"]
        try:
            if is_impossible:
                operations.mark_impossible(account=account, reason=note, actor=actor, now=now)
            else:
                where = form.cleaned_data["evidence"]
                operations.attest_account(account=account, note=note, evidence=where, actor=actor, now=now)
        except FreshSignInNeeded:
            raise
        except Refusal as refusal:
            put_refusal(form, refusal)
        else:
            messages.success(request, f"Kept, as your word: {account}.")
            return _to_plan(departure)
    context = {
        "departure": departure,
        "account": account,
        "is_impossible": is_impossible,
        "form": form,
        "crumbs": access_page.crumbs(departure, "Not possible" if is_impossible else "Attest"),
    }
    return render(request, "access/say.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def restore(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """Every effect with how far it can be put back, before anything is put back."""
    departure = check_may(request, "access.view", departure_id)
    if request.method == "POST":
        operations.restore_plan(departure=departure, actor=actor_of(request), now=clock.now())
        return _to_plan(departure)
    effects = queries.effects_to_restore(departure)
    context = {
        "departure": departure,
        "effects": [
            {
                "system": change.account.system.title,
                "account": change.account.login or change.account.external_id,
                "what": TITLES.get(change.verb, change.verb),
                "reversibility": change.reversibility,
                "taken_at": change.account.snapshot_taken_at,
            }
            for change in effects
        ],
        "possible": sum(change.reversibility != "none" for change in effects),
        "systems": len({change.account.system_id for change in effects}),
        "crumbs": access_page.crumbs(departure, "Restore"),
    }
    return render(request, "access/restore.html", context)


def _show(
    request: HttpRequest, departure: Departure, *, form: ApproveForm | None = None, status: int = 200
) -> HttpResponse:
    actor, now = actor_of(request), clock.now()
    context = access_page.context_of(departure, actor=actor, now=now)
    view = context["view"]
    secrets = rotations_of(departure, actor=actor)
    handed = transfers_of(departure, actor=actor)
    context |= {
        "rotations": rotation_rows(secrets),
        "transfers": transfer_rows(handed),
        "transfers_left": sum(not each.is_settled for each in handed),
        "rotations_open": sum(not each.is_settled for each in secrets),
        "form": form
        or ApproveForm(
            wanted=context["word"].upper(),
            initial={"plan": view["id"], "checksum": view["checksum"], "word": ""},
        ),
        "checks": access_page.checks_of(context, now=now),
        "crumbs": access_page.crumbs(
            departure, f"Plan {view['version']}" if view["version"] else "No plan yet"
        ),
    }
    return render(request, "access/plan.html", context, status=status)


def _to_plan(departure: Departure, anchor: str = "") -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("web:access_plan", args=[departure.pk]) + anchor)
