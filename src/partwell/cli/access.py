"""`partwell access …`: plan, approve, apply, verify and restore what a leaver can still get into."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from django.conf import settings
from django.db.models import Min

from partwell import clock
from partwell.access import operations, queries, runs
from partwell.access.models import Plan, SystemRun
from partwell.cli.acting import As, acting
from partwell.cli.journeys import JourneyId, find
from partwell.cli.output import AsJson, answer, say, speaks, table
from partwell.departures.models import Departure
from partwell.people.actors import Actor
from partwell.refusals import Conflict

app = typer.Typer(name="access", help="Access plans and what came of them.", no_args_is_help=True)

LONGEST_WAIT_SECONDS = 60.0
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Leave the work to a worker instead of doing it here.")
]


@app.command()
@speaks
def plan(journey_id: JourneyId, as_json: AsJson = False, as_email: As = None) -> None:
    """Ask every system for the leaver's accounts and propose what to do. Nothing is changed anywhere."""
    actor = acting(as_email)
    departure = find(journey_id, actor)
    operations.make_plan(departure=departure, actor=actor, now=clock.now())
    _show(departure, actor, as_json)


@app.command()
@speaks
def approve(journey_id: JourneyId, as_json: AsJson = False, as_email: As = None) -> None:
    """Print the link under which a second person approves the latest plan; the console never can itself."""
    actor = acting(as_email)
    departure = find(journey_id, actor)
    latest = _latest(departure)
    if as_email:
        operations.approve_plan(plan=latest, checksum=latest.checksum, actor=actor, now=clock.now())
        _show(departure, actor, as_json)
        return
    link = f"{settings.BASE_URL}/departures/{departure.pk}/access"
    answer(
        {"id": latest.pk, "checksum": latest.checksum, "state": latest.state, "approve_at": link},
        as_json=as_json,
        text=f"A second person opens this, signed in, and approves plan {latest.version} there:\n{link}",
    )


@app.command()
@speaks
def apply(
    journey_id: JourneyId, no_wait: NoWait = False, as_json: AsJson = False, as_email: As = None
) -> None:
    """Cut what was approved, and read it back. Works here beside any worker; neither does a thing twice."""
    actor = acting(as_email)
    departure = find(journey_id, actor)
    started = operations.apply_plan(plan=_latest(departure), actor=actor, now=clock.now())
    if not no_wait:
        _carry_on(started)
    _show(departure, actor, as_json)
    if not no_wait and not queries.is_settled(departure):
        raise typer.Exit(1)


@app.command()
@speaks
def verify(journey_id: JourneyId, as_json: AsJson = False, as_email: As = None) -> None:
    """Read every account afresh. Exits with 1 while anything is not settled."""
    actor = acting(as_email)
    departure = find(journey_id, actor)
    for result in operations.verify_plan(departure=departure, actor=actor, now=clock.now()):
        if result.problem:
            say(f"Not read back: {result.problem}")
    _show(departure, actor, as_json)
    if not queries.is_settled(departure):
        raise typer.Exit(1)


@app.command()
@speaks
def restore(
    journey_id: JourneyId, no_wait: NoWait = False, as_json: AsJson = False, as_email: As = None
) -> None:
    """Put back, from the snapshots, what can be put back, and read that too."""
    actor = acting(as_email)
    departure = find(journey_id, actor)
    started = operations.restore_plan(departure=departure, actor=actor, now=clock.now())
    if not no_wait:
        _carry_on(started)
    _show(departure, actor, as_json)


def _latest(departure: Departure) -> Plan:
    latest = queries.latest_plan(departure)
    if latest is None:
        raise Conflict("no_plan", "There is no access plan yet. Make one: partwell access plan ID.")
    return latest


def _carry_on(plan: Plan) -> None:
    """Run the plan in this process, pausing where a system asks for it, for a minute at most."""
    stop_at = time.monotonic() + LONGEST_WAIT_SECONDS
    while True:
        live = SystemRun.objects.filter(plan=plan, state__in=("running", "waiting"))
        names = ", ".join(live.values_list("system__name", flat=True))
        if not names:
            return
        say(f"Working on {names} …")
        runs.run_plan(str(plan.pk))
        due_at = live.aggregate(due_at=Min("next_at"))["due_at"]
        if due_at is None:
            continue
        seconds = max(0.1, (due_at - clock.now()).total_seconds())
        if time.monotonic() + seconds > stop_at:
            say("Some systems have to be asked again later. A worker does that; or apply again.")
            return
        time.sleep(seconds)


def _show(departure: Departure, actor: Actor, as_json: bool) -> None:
    view = queries.plan_view(departure, actor=actor)
    answer(view, as_json=as_json, text=lambda: _text(view))


def _text(view: dict[str, Any]) -> str:
    rows = [
        [row["system"], row["login"] or row["account"], row["action"], row["state"], row["reason"]]
        for row in view["changes"]
    ]
    head = f"Plan {view['version']} ({view['kind']}, {view['state']}), checksum {view['checksum']}"
    unreachable = [
        f"{name}: {answer['reason']}"
        for name, answer in view["systems"].items()
        if answer["found"] == "unreachable"
    ]
    parts = [head, table(rows, ["SYSTEM", "ACCOUNT", "ACTION", "STATE", "REASON"])]
    if unreachable:
        parts.append("Could not be asked, so what is there is unknown:\n" + "\n".join(unreachable))
    parts.append("All access is settled." if view["is_settled"] else "Not settled yet.")
    return "\n\n".join(parts)
