"""The dry run of an access plan: every call that it would send, before anything is approved."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from partwell import clock
from partwell.access import queries, questions
from partwell.access.operations.dry_runs import is_left_to_send
from partwell.access.states import QuestionKind, QuestionState
from partwell.web import access_page
from partwell.web.access_table import TITLES
from partwell.web.journeys import check_may
from partwell.web.presenting import name_of
from partwell.web.session import actor_of


@require_http_methods(["GET", "HEAD", "POST"])
def dry_run(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """What was shown last, and the button that asks the systems again."""
    departure = check_may(request, "access.view", departure_id)
    if request.method == "POST":
        questions.ask_for_dry_run(departure=departure, actor=actor_of(request), now=clock.now())
        return HttpResponseRedirect(reverse("web:access_dry_run", args=[departure.pk]))
    question = questions.latest_question(departure)
    view = queries.dry_run_view(departure, actor=actor_of(request))
    plan = queries.latest_plan(departure)
    context = {
        "departure": departure,
        "plan": plan,
        "tried": view,
        "by": name_of(view["made_by"]) if view else "",
        "systems": [_system(row) for row in view["systems"]] if view else [],
        "question": question if question and question.kind == QuestionKind.DRY_RUN else None,
        "is_asking": question is not None and question.state == QuestionState.OPEN,
        "may": plan is not None
        and is_left_to_send(plan)
        and access_page.may(actor_of(request), "access.dry_run", departure),
        "crumbs": access_page.crumbs(departure, "Dry run"),
    }
    return render(request, "access/dry_run.html", context)


def _system(row: dict[str, Any]) -> dict[str, Any]:
    """One system, its verbs by account."""
    accounts = [
        {
            "name": login or account,
            "account": account,
            "verbs": [
                {
                    "title": TITLES.get(verb["verb"], verb["verb"]),
                    "said": verb["said"],
                    "left_out": verb["left_out"],
                    "calls": [_call(call) for call in verb["calls"]],
                }
                for verb in verbs
            ],
        }
        for (login, account), verbs in groupby(
            row["verbs"], key=lambda each: (each["login"], each["account"])
        )
    ]
    return {**row, "accounts": accounts}


def _call(call: dict[str, Any]) -> dict[str, Any]:
    body = call["body"]
    shown = (
        ""
        if body is None
        else body
        if isinstance(body, str)
        else json.dumps(body, indent=2, ensure_ascii=False)
    )
    return {**call, "body": shown}
