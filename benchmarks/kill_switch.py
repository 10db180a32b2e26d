"""Five hundred people shut out of twelve systems at once, three of them failing; pages meanwhile.

    scripts/bench kill_switch

A worker process of its own carries the cut out; this process presses the button and then does what people
do: it opens pages, again and again. The systems are in the worker's memory and take 200 ms a call.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.measuring import Figure, milliseconds, own_installation, report

PEOPLE, SYSTEMS, FAILING, GIVE_UP_AFTER = 500, 12, 3, 180.0
FIRST_CALL, READ_BACK, PAGE = 5.0, 60.0, 300.0


def main() -> int:
    """Prepare, press the button, watch."""
    with own_installation():
        cut, user = _prepare()
        worker = subprocess.Popen([sys.executable, "-m", "benchmarks.kill_switch_worker"])
        try:
            _wait_for_worker()
            pages = _press_and_browse(cut, user)
        finally:
            worker.terminate()
            worker.wait(timeout=120)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = Figure("processor time of the worker", used.ru_utime + used.ru_stime, "s")
        figures = [*_figures(pages), spent]
        return report(f"kill switch, {PEOPLE} people in {SYSTEMS} systems, {FAILING} failing", figures)


def _prepare() -> tuple[Any, Any]:
    from benchmarks.firm import NOW, make_firm, template_text
    from benchmarks.kill_switch_worker import MODES
    from benchmarks.starting import _start
    from partwell import clock
    from partwell.access.models import System
    from partwell.access.operations.cuts import order_cut
    from partwell.journeys.template_operations import publish_template
    from partwell.people.actors import actor_for_user, console_actor

    user, leavers = make_firm(PEOPLE, template_steps=12)
    publish_template(text=template_text("short", 12), actor=console_actor(), now=NOW)
    departures = [_start(user, leaver, "short").departure for leaver in leavers]
    for number in range(SYSTEMS):
        System.objects.create(
            name=f"system-{number}",
            title=f"System {number}",
            connector="measured",
            settings={"mode": MODES[number] if number < FAILING else "ok"},
            created_at=clock.now(),
        )
    actor = actor_for_user(user, is_fresh=True)
    cut = order_cut(
        departures=departures, title="Everybody", reason="Measured, never used.", actor=actor, now=clock.now()
    )
    return cut, user


def _wait_for_worker() -> None:
    ready = Path(os.environ["PARTWELL_DATA_DIR"]) / "benchmark-worker-ready"
    deadline = time.monotonic() + 60
    while not ready.exists():
        if time.monotonic() > deadline:
            raise SystemExit("the worker did not start")
        time.sleep(0.1)
    time.sleep(3)  # from there to its first look at the queues


def _press_and_browse(cut: Any, user: Any) -> list[float]:
    from django.test import Client

    from partwell import clock
    from partwell.access.models import SystemRun
    from partwell.access.operations.cuts import approve_cut
    from partwell.people.actors import actor_for_user
    from partwell.people.models import User

    second = User.objects.get(email="it_security@firm.example")
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(user)
    addresses = ["/", "/departures/", f"/departures/{cut.departures.first().pk}/", "/access/"]
    for address in addresses:
        browser.get(address)
    approve_cut(cut=cut, actor=actor_for_user(second, is_fresh=True), now=clock.now())
    times = []
    deadline = time.monotonic() + GIVE_UP_AFTER
    while time.monotonic() < deadline:
        times += [milliseconds(lambda address=address: browser.get(address)) for address in addresses]
        if not SystemRun.objects.filter(plan__cut=cut, state="running").exists():
            break
        time.sleep(0.05)
    return times


def _figures(pages: list[float]) -> list[Figure]:
    from partwell.access.models import Change, Cut

    fired_at = Cut.objects.get().fired_at
    assert fired_at is not None
    first: dict[Any, float] = {}
    accounts: dict[int, float] = {}
    last = 0.0
    rows = Change.objects.exclude(requested_at=None).values_list(
        "account__departure_id", "account_id", "requested_at", "verified_at", "account__system__settings"
    )
    unproven = 0
    for departure, account, requested_at, verified_at, settings in rows:
        seconds = (requested_at - fired_at).total_seconds()
        first[departure] = min(seconds, first.get(departure, seconds))
        accounts[account] = min(seconds, accounts.get(account, seconds))
        if verified_at is not None:
            last = max(last, (verified_at - fired_at).total_seconds())
        elif settings["mode"] == "ok":
            unproven += 1
    expected = PEOPLE * (SYSTEMS - FAILING)
    return [
        Figure("people with a first blocking call", len(first), ""),
        Figure("first blocking call of a person, p95", _p(list(first.values()), 95), "s", FIRST_CALL),
        Figure("first blocking call of an account, p95", _p(list(accounts.values()), 95), "s"),
        Figure("accounts reached", len(accounts), "", expected, at_least=True),
        Figure("changes in reachable systems not read back", unproven, "", 0),
        Figure("everything reachable read back after", last, "s", READ_BACK),
        Figure("green in a failing system", _green_in_failing(), "", 0),
        Figure("pages meanwhile, median", statistics.median(pages), "ms"),
        Figure("pages meanwhile, p99", _p(pages, 99), "ms", PAGE),
    ]


def _green_in_failing() -> int:
    from partwell.access.models import Change

    return Change.objects.filter(state="verified").exclude(account__system__settings__mode="ok").count()


def _p(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else float("inf")


if __name__ == "__main__":
    sys.exit(main())
