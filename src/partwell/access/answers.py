"""Comparing what a system says now with the plans that are about to run there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from partwell import clock
from partwell.access import claims
from partwell.access.alerts import raise_many
from partwell.access.connections import target_of
from partwell.access.discovery import Answer, Found
from partwell.access.drift import find_drift, make_delta
from partwell.access.endings import close_plans
from partwell.access.models import Alert, Plan, SystemRun
from partwell.access.operations.plans import lock_all
from partwell.access.proposals import KILL_SWITCH, STANDING_RULE, seal, store_answers
from partwell.access.states import AlertKind, PlanKind, PlanState
from partwell.engine.operations import poke
from partwell.people.actors import engine_actor
from partwell.rows import write_rows

RULES = {PlanKind.STANDING: STANDING_RULE, PlanKind.CUT: KILL_SWITCH}


def take_answers(answers: Sequence[tuple[SystemRun, Answer]], token: str) -> list[SystemRun]:
    """Compare what one system says with the plans; the runs that go on. Those that drifted stop here."""
    if not answers:
        return []
    now, drifted = clock.now(), []
    with transaction.atomic():
        lock_all([run.plan.departure_id for run, _ in answers])
        seconds = target_of(answers[0][0].system).time_limit_seconds
        held = claims.renew([run for run, _ in answers], token, seconds=seconds, now=now)
        answers = [(run, answer) for run, answer in answers if run.pk in held]
        _refresh_plans([run for run, _ in answers])
        opening = [(run, answer) for run, answer in answers if _opens(run)]
        _open(opening, now)
        opened = {run.pk for run, _ in opening}
        _alarm(answers, opened, now)
        for run, answer in answers:
            if run.pk in opened or answer.found is Found.UNREACHABLE:
                continue
            earlier = _earlier(run)
            if drift := find_drift(run, answer):
                drifted.append((run, answer, drift))
            elif earlier == Found.UNREACHABLE and not answer.matched and not answer.ambiguous:
                store_answers([(run.plan, answer)], run.system, now=now)
                run.plan.save(update_fields=["answers"])
    for run, answer, drift in drifted:
        make_delta(run, answer, drift=drift, now=now)
    close_plans([run.plan for run, _, _ in drifted], now)
    stopped = {run.pk for run, _, _ in drifted}
    return [run for run, _ in answers if run.pk not in stopped]


def _refresh_plans(runs: Sequence[SystemRun]) -> None:
    plans = Plan.objects.in_bulk([run.plan_id for run in runs])
    for run in runs:
        departure = run.plan.departure
        run.plan = plans[run.plan_id]
        run.plan.departure = departure


def _earlier(run: SystemRun) -> str | None:
    found: str | None = run.plan.answers.get(run.system.name, {}).get("found")
    return found


def _opens(run: SystemRun) -> bool:
    """Whether this plan learns only now what there is to cut in this system."""
    return run.plan.kind in RULES and _earlier(run) in (None, Found.UNREACHABLE)


def _open(opening: Sequence[tuple[SystemRun, Answer]], now: datetime) -> None:
    """Put what was found into plans that run without an approval, as far as their rule goes."""
    for kind, rule in RULES.items():
        these = [(run, answer) for run, answer in opening if run.plan.kind == kind]
        if not these:
            continue
        store_answers([(run.plan, answer) for run, answer in these], these[0][0].system, now=now, rule=rule)
        write_rows([run.plan for run, _ in these], ["answers"])
        if kind is PlanKind.CUT:
            continue  # sealed once, when every system has answered
        for run, _ in these:
            sealed = run.plan.checksum
            seal(run.plan)
            if run.plan.approved_at is not None and run.plan.checksum != sealed:
                # Somebody approved before this system had answered: what came to light is not approved.
                run.plan.state, run.plan.approved_at, run.plan.approved_by = PlanState.APPLYING, None, ""
                run.plan.save(update_fields=["state", "approved_at", "approved_by"])
            poke(run.plan.its_departure_id)


def _alarm(answers: Sequence[tuple[SystemRun, Answer]], opened: set[int], now: datetime) -> None:
    """Tell people of what nobody could be found by, and of a system that is silent once access has ended."""
    if not answers:
        return
    system, actor = answers[0][0].system, engine_actor("standing rule")
    unclear, silent, heard = {}, {}, []
    for run, answer in answers:
        departure = run.plan.its_departure
        if answer.found is Found.AMBIGUOUS and run.pk in opened:
            unclear[departure] = (
                f"{system.title}: {answer.reason} Nothing is cut there until somebody has said so."
            )
        if answer.found is not Found.UNREACHABLE:
            heard.append(departure.pk)
        elif now >= departure.access_end_at:
            silent[departure] = f"Access has ended, but {system.title} cannot be reached: {answer.reason}"
    raise_many(unclear, kind=AlertKind.AMBIGUOUS, key=system.name, actor=actor, now=now)
    raise_many(silent, kind=AlertKind.UNREACHABLE, key=system.name, actor=actor, now=now)
    Alert.objects.filter(
        departure__in=heard, kind=AlertKind.UNREACHABLE, key=system.name, resolved_at__isnull=True
    ).update(resolved_at=now)
