"""`partwell access …`: plan, approve, apply, verify and restore what a leaver can still get into."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from django.conf import settings
from django.db.models import Min

from partwell import clock
from partwell.access import operations, queries, runs
from partwell.access.map_queries import latest_map, map_view
from partwell.access.models import AccountRecord, Plan, SystemRun
from partwell.access.operations.mapping import take_map
from partwell.cli.acting import As, acting
from partwell.cli.journeys import JourneyId, find
from partwell.cli.output import AsJson, answer, say, speaks, table
from partwell.departures.models import Departure
from partwell.journeys.operations.advancing import advance
from partwell.people.actors import Actor
from partwell.people.queries import find_client, find_person
from partwell.refusals import Conflict, Invalid, NotFound

app = typer.Typer(name="access", help="Access plans and what came of them.", no_args_is_help=True)

InSystem = Annotated[str, typer.Option("--system", help="The system's name, as in `partwell systems list`.")]
Account = Annotated[
    str, typer.Option(help="Its login or identifier; needed only where the system has several.")
]

LONGEST_WAIT_SECONDS = 60.0
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Leave the work to a worker instead of doing it here.")
]


@app.command()
@speaks
def plan(
    journey_id: JourneyId,
    delete_in: Annotated[
        list[str] | None,
        typer.Option(
            "--delete-in",
            metavar="SYSTEM",
            help="Also plan to delete their accounts in this system; repeat for more.",
        ),
    ] = None,
    as_json: AsJson = False,
    as_email: As = None,
) -> None:
    """Ask every system for the leaver's accounts and propose what to do. Nothing is changed anywhere."""
    actor = acting(as_email)
    departure = find(journey_id, actor)
    named = [queries.get_system(name).name for name in delete_in or ()]
    operations.make_plan(departure=departure, delete_in=named, actor=actor, now=clock.now())
    _show(departure, actor, as_json)


@app.command()
@speaks
def show(journey_id: JourneyId, as_json: AsJson = False, as_email: As = None) -> None:
    """Show the latest plan with the state of every account. Asks nothing of any system."""
    actor = acting(as_email)
    _show(find(journey_id, actor), actor, as_json)


@app.command("map")
@speaks
def map_(
    person: Annotated[str, typer.Option(help="E-mail address, alias or number.")] = "",
    client: Annotated[str, typer.Option(help="Reference or name.")] = "",
    last: Annotated[bool, typer.Option("--last", help="Show the last answers; ask no system.")] = False,
    as_json: AsJson = False,
    as_email: As = None,
) -> None:
    """Ask every system what somebody has: accounts, groups, sessions, keys, devices. Changes nothing."""
    if bool(person) == bool(client):
        raise Invalid("who", "Say either --person or --client.", field="person")
    actor = acting(as_email)
    subject: dict[str, Any] = {"person": find_person(person)} if person else {"client": find_client(client)}
    found = latest_map(actor, **subject) if last else take_map(**subject, actor=actor, now=clock.now())
    if found is None:
        raise NotFound("access map")
    view = map_view(found)
    rows = [
        (each["risk"], each["title"], each["login"] or each["account"], "; ".join(each["reasons"]))
        for each in view["accounts"]
    ]
    unknown = [("not known", each["title"], "", each["reason"]) for each in view["not_asked"]]
    answer(view, as_json=as_json, text=lambda: table([*unknown, *rows], ("Risk", "System", "Account", "Why")))


@app.command()
@speaks
def approve(journey_id: JourneyId, as_json: AsJson = False, as_email: As = None) -> None:
    """Print the link under which a second person approves the latest plan; the console never can itself."""
    actor = acting(as_email)
    departure = find(journey_id, actor)
    latest = _latest(departure)
    if as_email:
        operations.approve_plan(plan=latest, checksum=latest.checksum, actor=actor, now=clock.now())
        _conclude(departure, actor, as_json)
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
    _conclude(departure, actor, as_json)
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
    _conclude(departure, actor, as_json)
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
    _conclude(departure, actor, as_json)


@app.command()
@speaks
def attest(
    journey_id: JourneyId,
    system: InSystem,
    note: Annotated[str, typer.Option(help="What you did or saw there; it becomes evidence.")],
    account: Account = "",
    link: Annotated[str, typer.Option(help="A web address that shows it.")] = "",
    as_json: AsJson = False,
    as_email: As = None,
) -> None:
    """Say that what was left to do on an account is done. It counts as said by you, not as proven."""
    actor = acting(as_email)
    departure = find(journey_id, actor)
    operations.attest_account(
        account=_account(departure, system, account, actor),
        note=note,
        evidence=link,
        actor=actor,
        now=clock.now(),
    )
    _conclude(departure, actor, as_json)


@app.command()
@speaks
def impossible(
    journey_id: JourneyId,
    system: InSystem,
    reason: Annotated[str, typer.Option(help="Why nobody can cut it; it becomes evidence.")],
    account: Account = "",
    as_json: AsJson = False,
    as_email: As = None,
) -> None:
    """Say, with the reason, that an account cannot be cut by anybody."""
    actor = acting(as_email)
    departure = find(journey_id, actor)
    operations.mark_impossible(
        account=_account(departure, system, account, actor), reason=reason, actor=actor, now=clock.now()
    )
    _conclude(departure, actor, as_json)


@app.command()
@speaks
def link(
    journey_id: JourneyId,
    system: InSystem,
    account: Annotated[
        list[str] | None, typer.Option(help="Login or identifier of one that is theirs; repeat for more.")
    ] = None,
    as_json: AsJson = False,
    as_email: As = None,
) -> None:
    """Say which of several matching accounts are the leaver's; with no --account, that none is."""
    actor = acting(as_email)
    departure = find(journey_id, actor)
    ours = [_account(departure, system, name, actor) for name in account or []]
    operations.link_accounts(
        departure=departure,
        system=queries.get_system(system),
        external_ids=[found.external_id for found in ours],
        actor=actor,
        now=clock.now(),
    )
    _conclude(departure, actor, as_json)


def _account(departure: Departure, system: str, name: str, actor: Actor) -> AccountRecord:
    return queries.get_account(departure, queries.get_system(system), name, actor=actor)


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


def _conclude(departure: Departure, actor: Actor, as_json: bool) -> None:
    """Settle the steps that this has proven, as a worker would within a moment, and show what came of it."""
    advance(departure_id=departure.pk, now=clock.now())
    _show(departure, actor, as_json)


def _show(departure: Departure, actor: Actor, as_json: bool) -> None:
    view = queries.plan_view(departure, actor=actor, now=clock.now())
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
    if view["time_to_revoke"]:
        kept = [(row["sla"], f"{row['minutes']} min", row["says"]) for row in view["time_to_revoke"]]
        parts.append(table(kept, ["CLASS", "WITHIN", "TIME TO REVOKE"]))
    parts.append("All access is settled." if view["is_settled"] else "Not settled yet.")
    return "\n\n".join(parts)
