"""What the page of one departure's access shows: the table, the checks, who may do what next."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max
from django.urls import reverse

from partwell.access import days_after, queries, questions
from partwell.access.bindings import changed_systems
from partwell.access.connections import Target, identity_of, target_of
from partwell.access.discovery import Found
from partwell.access.models import Change, Plan, Question, System, SystemRun
from partwell.access.states import AccessState, PlanKind, PlanState, QuestionKind, QuestionState
from partwell.access.timing import duration
from partwell.connector_kit import registry
from partwell.connector_kit.contract import Reversibility, Verb
from partwell.departures.models import Departure
from partwell.departures.policies import capacities
from partwell.departures.states import SubjectKind
from partwell.evidence.models import Event
from partwell.evidence.operations import departure_scope
from partwell.people.actors import Actor
from partwell.people.authorisation import load_matrix
from partwell.web.access_table import TITLES, progress_of, table_of
from partwell.web.navigation import may_follow
from partwell.web.presenting import name_of
from partwell.web.timeline import timeline

# A worker takes a question up within a second; after this long without one, we say so.
TAKEN_UP_WITHIN = timedelta(seconds=20)


def revision_of(departure: Departure, *, now: datetime) -> str:
    """What changes whenever the page would look different: the newest event, the next tries, the question,
    and the minute, while something is on its way or a class's time runs."""
    newest = (
        Event.objects.filter(scope=departure_scope(departure.pk))
        .order_by("-occurred_at", "-pk")
        .values_list("pk", flat=True)
        .first()
    )
    tries = Change.objects.filter(account__departure=departure).aggregate(Max("next_attempt_at"))
    runs = SystemRun.objects.filter(plan__departure=departure).aggregate(Max("next_at"), Max("ended_at"))
    question = questions.latest_question(departure)
    is_asking = question is not None and question.state == QuestionState.OPEN
    moving = is_asking or runs["next_at__max"] is not None
    if not moving and departure.is_open and now >= departure.access_end_at:
        moving = queries.live_accounts(departure).exists()
    said = [
        newest,
        *tries.values(),
        *runs.values(),
        question and (question.pk, question.state),
        now.replace(second=0, microsecond=0) if moving else "",
    ]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


def context_of(departure: Departure, *, actor: Actor, now: datetime) -> dict[str, Any]:
    """All that the living part needs; the page around it needs a little more."""
    view = queries.plan_view(departure, actor=actor, now=now)
    plan = queries.latest_plan(departure)
    question = questions.latest_question(departure)
    systems = {system.name: system for system in System.objects.filter(is_enabled=True)}
    targets = {name: target_of(system) for name, system in systems.items()}
    table = table_of(
        view,
        capabilities={name: list(target.capabilities) for name, target in targets.items()},
        access_end_at=departure.access_end_at,
        now=now,
    )
    has_run = plan is not None and (
        plan.applied_at is not None or any(row["pips"]["n"] for row in table["rows"])
    )
    answers = queries.latest_answers(departure)
    is_asking = question is not None and question.state == QuestionState.OPEN
    running = any(run["state"] in ("running", "waiting") for run in view["runs"])
    may = _allowed(actor, departure)
    stage = _stage(plan, table)
    restores = plan is not None and plan.kind == PlanKind.RESTORE
    context: dict[str, Any] = {
        "departure": departure,
        "view": view,
        "plan": plan,
        "table": table,
        "progress": progress_of(table["rows"], table["unclear"], restores=restores),
        "has_run": has_run,
        "is_running": running,
        "restores": restores,
        "stage": stage,
        "word": word_of(departure),
        "systems": systems,
        "targets": targets,
        "extras": _extras(view, systems, targets),
        "acted_on": len(
            {row["system"] for row in view["changes"] if row["call"] and row["state"] != "manual"}
        ),
        "nothing_found": [
            systems[name].title
            for name, said in answers.items()
            if name in systems and said["found"] == Found.NONE
        ],
        "unasked": [system.title for name, system in systems.items() if name not in answers],
        "searched_by": _searched_by(departure),
        "reverified": days_after.reverified(departure),
        "question": _question(question, now) if question else None,
        "is_asking": is_asking,
        "asked": len(systems),
        "may": may,
        "can_retry": stage == "run"
        and not running
        and plan is not None
        and plan.approved_at is not None
        and any(row["state"] == AccessState.FAILED for row in table["rows"]),
        "led_elsewhere": [
            system.title for system in (changed_systems(plan) if plan and stage == "propose" else ())
        ],
        "is_same_person": plan is not None and plan.requested_by_id == actor.user_id,
        "me": name_of(actor.label),
        "made_by": name_of(view["made_by"]),
        "approved_by": name_of(view["approved_by"]),
        "events": timeline(
            Event.objects.filter(scope=departure_scope(departure.pk), kind__startswith="access.").order_by(
                "-occurred_at", "-pk"
            )[:8]
        ),
        "rev": revision_of(departure, now=now),
        "shape": _shape(plan, stage, question, table, may),
        "systems_url": reverse("web:systems") if may_follow(actor, "systems.view") else "",
        "now": now,
    }
    return context | {"figures": figures_of(context)}


def _extras(
    view: dict[str, Any], systems: dict[str, System], targets: dict[str, Target]
) -> list[dict[str, Any]]:
    """What can be asked for by name where they have an account; what is planned of it is ticked."""
    has = {row["system"] for row in view["changes"] if row["account"] and not row["is_protected"]}
    planned = {(row["system"], row["action"]) for row in view["changes"]}
    return [
        {
            "system": name,
            "title": systems[name].title,
            "field": field,
            "is_deletion": verb is Verb.DELETE,
            "is_planned": (name, verb.value) in planned,
        }
        for verb, field in ((Verb.RELEASE_LICENCE, "release_in"), (Verb.DELETE, "delete_in"))
        for name in sorted(has & targets.keys())
        if verb in targets[name].capabilities
    ]


def _stage(plan: Plan | None, table: dict[str, Any]) -> str:
    """`none`, `propose` (waits for a second person), `ready` (approved, not begun) or `run`."""
    if plan is None:
        return "none"
    waits = any(row["state"] == AccessState.PLANNED for row in table["rows"])
    is_rule = plan.kind != PlanKind.RESTORE and plan.approved_at is None and waits
    if plan.state == PlanState.PROPOSED or (is_rule and plan.state == PlanState.APPLIED):
        return "propose"
    return "ready" if plan.state == PlanState.APPROVED else "run"


def _shape(
    plan: Plan | None, stage: str, question: Question | None, table: dict[str, Any], may: dict[str, bool]
) -> str:
    """What the parts around the living one depend on."""
    said = [
        plan and (plan.pk, plan.checksum),
        stage,
        question and (question.pk, question.state),
        [entry["system"] for entry in table["unclear"]],
        sorted(may.items()),
    ]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


def _question(question: Question, now: datetime) -> dict[str, Any]:
    is_open = question.state == QuestionState.OPEN
    return {
        "is_open": is_open,
        "is_refused": question.state == QuestionState.REFUSED,
        "is_plan": question.kind == QuestionKind.PLAN,
        "is_dry_run": question.kind == QuestionKind.DRY_RUN,
        "by": name_of(question.asked_by),
        "answer": question.answer,
        "ended_at": question.ended_at,
        "took": duration((question.ended_at or now) - question.asked_at),
        "is_late": is_open and now - question.asked_at > TAKEN_UP_WITHIN,
    }


def _allowed(actor: Actor, departure: Departure) -> dict[str, bool]:
    """Which buttons to show; the operations decide again."""
    held = capacities(actor, departure)
    names = ("plan", "approve", "apply", "verify", "restore", "link", "attest", "mark_impossible")
    found = {name: _row_allows(f"access.{name}", departure, held) for name in names}
    return found | {"evidence": _row_allows("evidence.view", departure, held)}


def may(actor: Actor, name: str, departure: Departure) -> bool:
    """Whether to offer an operation here; it decides again, and may ask for a fresh sign-in."""
    return _row_allows(name, departure, capacities(actor, departure))


def _row_allows(name: str, departure: Departure, held: frozenset[str]) -> bool:
    row = load_matrix().operations[name]
    return bool(held & row.allow) and (departure.is_open or row.on_closed)


def word_of(departure: Departure) -> str:
    """What has to be typed before approving: the leaver's last name, or the client's whole name."""
    if departure.subject_kind == SubjectKind.CLIENT:
        return departure.subject_name
    return departure.subject_name.split()[-1]


def _searched_by(departure: Departure) -> str:
    """By what the systems were searched, in words."""
    identity = identity_of(departure)
    said = [f"{len(identity.emails)} e-mail address{'' if len(identity.emails) == 1 else 'es'}"]
    if identity.usernames:
        said.append("user name")
    if identity.employee_number:
        said.append("employee number")
    return " and ".join([", ".join(said[:-1]), said[-1]]) if len(said) > 1 else said[0]


def figures_of(context: dict[str, Any]) -> list[dict[str, Any]]:
    """What the plan amounts to, before it is approved."""
    changes = [row for row in context["view"]["changes"] if row["state"] != AccessState.AMBIGUOUS]
    accounts = {(row["system"], row["account"]): row for row in changes}
    known = [row["open_sessions"] for row in accounts.values() if row["open_sessions"] is not None]
    groups = sum(len(row["entitlements"]) for row in accounts.values())
    hand = len({(row["system"], row["account"]) for row in changes if row["state"] == AccessState.MANUAL})
    lasting = sum(bool(row["call"]) and row["reversibility"] == Reversibility.NONE for row in changes)
    return [
        _figure(len({row["system"] for row in changes}), "system", "systems"),
        _figure(sum(bool(account) for _, account in accounts), "account", "accounts"),
        _figure(sum(known), "open session seen", "open sessions seen")
        if known or not accounts
        else {"n": "?", "words": "open sessions; no system says"},
        {"n": groups, "words": "groups, roles, licences"},
        {"n": hand, "words": "by hand"},
        _figure(lasting, "effect that cannot be undone", "effects that cannot be undone"),
    ]


def _figure(count: int, one: str, many: str) -> dict[str, Any]:
    return {"n": count, "words": one if count == 1 else many}


def checks_of(context: dict[str, Any], *, now: datetime) -> list[dict[str, str]]:
    """What is known before anything is written; each says no more than the plan does."""
    changes, table = context["view"]["changes"], context["table"]
    checks = [_right_person(changes, table)]
    if context["led_elsewhere"]:
        checks.append(
            {
                "mark": "failed",
                "title": "A connection was changed after this plan was made.",
                "words": f"What it says of {', '.join(context['led_elsewhere'])} was read before. Read "
                "again, and approve that.",
            }
        )
    silent = [row["title"] for row in table["rows"] if row["state"] == AccessState.UNREACHABLE]
    missing = sorted({*silent, *context["unasked"]})
    checks.append(
        {
            "mark": "unreachable",
            "title": "Not every system answered.",
            "words": f"Unknown: {', '.join(missing)}.",
        }
        if missing
        else {
            "mark": "verified",
            "title": "Every connected system was asked.",
            "words": "What has no connection to Partwell is not in this plan.",
        }
    )
    if any(row["call"] for row in changes):
        checks.append(_way_back(changes))
    if protected := [row["title"] for row in table["rows"] if row["is_protected"]]:
        checks.append(
            {
                "mark": "manual",
                "title": "Protected accounts are left alone.",
                "words": f"A person decides in {', '.join(protected)}.",
            }
        )
    if context["view"]["takes"]["systems"]:
        checks.append(_how_long(context["view"]["takes"]))
    checks += _known_limits(context)
    departure = context["departure"]
    left = departure.access_end_at - now
    checks.append(
        {
            "mark": "todo",
            "title": f"Access ends in {duration(left)}." if left > timedelta(0) else "Access has ended.",
            "words": "An approved plan runs at that moment. Without one, sign-in is blocked and sessions are "
            "ended all the same; what cannot be undone waits.",
        }
    )
    return checks


def _right_person(changes: list[dict[str, Any]], table: dict[str, Any]) -> dict[str, str]:
    if table["unclear"]:
        where = ", ".join(entry["title"] for entry in table["unclear"])
        return {
            "mark": "approval",
            "title": "Several accounts match.",
            "words": f"Say which are theirs in {where}; until then they are left alone.",
        }
    by = Counter(
        row["matched_by"].replace("_", " ")
        for row in {(c["system"], c["account"]): c for c in changes if c["account"]}.values()
        if row["matched_by"]
    )
    said = ", ".join(f"{count} by {what}" for what, count in sorted(by.items()))
    return {
        "mark": "verified",
        "title": "Right person.",
        "words": f"Exact matches only: {said}."
        if said
        else "No account was found, so none can be the wrong one.",
    }


def _way_back(changes: list[dict[str, Any]]) -> dict[str, str]:
    counts = Counter(str(row["reversibility"]) for row in changes if row["call"])
    lasting = sorted(
        {
            TITLES[row["action"]].lower()
            for row in changes
            if row["call"] and row["reversibility"] == Reversibility.NONE and row["action"] in TITLES
        }
    )
    said = [f"{counts[Reversibility.REVERSIBLE]} effects can be put back from the state kept before"]
    if partly := counts[Reversibility.PARTIAL]:
        said.append(f"{partly} only in part")
    if lasting:
        said.append(f"{counts[Reversibility.NONE]} not at all ({', '.join(lasting)})")
    deletes = any(row["action"] == Verb.DELETE for row in changes)
    return {
        "mark": "failed" if deletes else "attested",
        "title": "Accounts are deleted." if deletes else "There is a way back.",
        "words": ", ".join(said) + ".",
    }


def _how_long(takes: dict[str, Any]) -> dict[str, str]:
    """What the vendors' limits and the number of accounts make of it; the slowest systems by name."""
    slow = [f"{row['title']} {row['says']}" for row in takes["systems"] if row["seconds"] >= 60]
    named = f" {', '.join(slow[:3])}." if slow else ""
    return {
        "mark": "todo",
        "title": f"It takes {takes['says']}.",
        "words": f"Systems run side by side, each within its limits.{named} One that is slow, or "
        "asks to wait, takes longer.",
    }


def _known_limits(context: dict[str, Any]) -> list[dict[str, str]]:
    """What the connectors say of themselves, for the systems that the plan acts on."""
    acted = {row["system"] for row in context["view"]["changes"] if row["call"]}
    found: dict[str, list[str]] = {}
    for name in sorted(acted & set(context["systems"])):
        system = context["systems"][name]
        registered = registry.find(system.connector)
        if registered is not None and registered.manifest.sessions_note:
            found.setdefault(registered.manifest.sessions_note.strip(), []).append(system.title)
    return [
        {"mark": "unreachable", "title": f"Known limit: {', '.join(titles)}.", "words": note}
        for note, titles in found.items()
    ]


def crumbs(departure: Departure, here: str) -> list[dict[str, str]]:
    """Where one is."""
    return [
        {"title": "Access", "url": reverse("web:access_overview")},
        {"title": departure.subject_name, "url": reverse("web:access_plan", args=[departure.pk])},
        {"title": here},
    ]
