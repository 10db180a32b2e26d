"""Proof 10: the kill switch shuts everybody out everywhere; what is silent is never green, and heals.

Anchors: Teleport's locks; ASVS 7.4.2 (sessions end when an account is disabled). Short: 12 leavers in 5
systems, of which 3 fail. Long: 500 leavers in 12. How fast it is at its real size is measured by
`scripts/bench kill_switch`; here the figures are printed, not asserted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connections
from django.test import Client

from partwell import clock
from partwell.access import endings, runs
from partwell.access.models import AccountRecord, Change, Cut, SystemRun
from partwell.access.operations import cuts
from partwell.access.states import Authority
from partwell.departures.models import Departure
from partwell.evidence.models import Event
from partwell.evidence.queries import fields_of
from partwell.people.actors import actor_for_user
from partwell.people.models import Installation, User
from partwell.people.token_operations import create_token
from tests.access_world import World, make_departure, make_user, make_world

FAILING = {"down": {}, "raises": {}, "slow": {"seconds": 3600}}
# A call to a stalled system is given up after so long.
PATIENCE = 1.0


@pytest.mark.django_db(transaction=True)
def test_everybody_is_shut_out_at_once_and_what_is_silent_is_never_green(
    tmp_path: Path, long: bool, monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    people, systems = (500, 12) if long else (12, 5)
    monkeypatch.setattr(endings, "pause", lambda attempts: timedelta(0))
    world = make_world(tmp_path)
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=clock.now())
    healthy = [f"healthy-{number}" for number in range(systems - len(FAILING))]
    for name in (*healthy, *FAILING):
        world.add_system(name, accounts=0, time_limit_seconds=PATIENCE if name == "slow" else 20)
    departures = [_leaver(world, number, (*healthy, *FAILING)) for number in range(people)]
    for name, options in FAILING.items():
        world.store.set_mode(name, name, **options)
    inside = _signed_in(departures[:10])
    assert [_can_come_in(*one) for one in inside] == [(True, True)] * len(inside)

    cut = cuts.order_cut(
        departures=departures, title="All", reason="A supplier was broken into.", actor=world.requester,
        now=clock.now(),
    )  # fmt: skip
    assert cut.state == "waiting" and Change.objects.count() == 0, "more than five wait for a second person"
    assert [_can_come_in(*one) for one in inside] == [(True, True)] * len(inside)
    cut = cuts.approve_cut(cut=cut, actor=world.approver, now=clock.now())

    # Before any system was asked: Partwell's own sessions and tokens are dead at the next request.
    assert [_can_come_in(*one) for one in inside] == [(False, False)] * len(inside)
    _work_in_every_system(cut)
    _all_is_proven_in(healthy, people)
    states = AccountRecord.objects.filter(system__name__in=FAILING).values_list("state", flat=True)
    assert set(states) <= {"unreachable", "failed"} and len(states) == people * len(FAILING)
    assert _green() <= set(healthy)
    first, last = _times(cut)

    for name in FAILING:
        world.store.set_mode(name, "ok")
    _work_in_every_system(cut)
    _all_is_proven_in([*healthy, *FAILING], people)
    assert not SystemRun.objects.filter(plan__cut=cut).exclude(state="ended").exists()
    figure(
        f"proof 10: {people} leavers in {systems} systems, {len(FAILING)} failing → first call p95 "
        f"{first:.1f} s, all reachable read back after {last:.1f} s, 0 silent ones green, {len(inside)} "
        "sessions and tokens dead at the next request"
    )


def _leaver(world: World, number: int, systems: tuple[str, ...]) -> Departure:
    email = f"leaver{number}@firm.example"
    for system in systems:
        world.add_account(system, f"{system}:{number}", login=f"leaver{number}", emails=[email])
    return make_departure(email)


def _signed_in(departures: list[Departure]) -> list[tuple[Client, Client]]:
    """A browser and a token of each of these leavers, who work in HR."""
    found = []
    for departure in departures:
        user: User = make_user(departure.subject_email.partition("@")[0], roles=("hr",))
        user.person = departure.person
        user.save()
        browser = Client(SERVER_NAME="localhost")
        browser.force_login(user)
        _, secret = create_token(scopes=["read"], actor=actor_for_user(user, is_fresh=True), now=clock.now())
        token = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {secret}"})
        found.append((browser, token))
    return found


def _can_come_in(browser: Client, token: Client) -> tuple[bool, bool]:
    return browser.get("/").status_code == 200, token.get("/api/v1/journeys").status_code == 200


def _work_in_every_system(cut: Cut) -> None:
    """Play the worker: all systems side by side, each until it comes no further now."""

    def work(system_id: int) -> None:
        try:
            runs.run_cut(str(cut.pk), str(system_id))
        finally:
            connections.close_all()

    live = SystemRun.objects.filter(plan__cut=cut).exclude(state="ended")
    threads = [
        threading.Thread(target=work, args=(system_id,))
        for system_id in set(live.values_list("system_id", flat=True))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _all_is_proven_in(systems: list[str], people: int) -> None:
    """Every account is there, and what may be done to it without a signature was done and read back."""
    changes = Change.objects.filter(account__system__name__in=systems, authority=Authority.CUT)
    assert set(changes.values_list("state", flat=True)) == {"verified"}
    accounts = set(changes.values_list("account_id", flat=True))
    assert len(accounts) == people * len(systems)


def _green() -> set[str]:
    """Systems in which anything was ever said to be verified."""
    return {str(fields_of(event)["system"].value) for event in Event.objects.filter(kind="access.verified")}


def _times(cut: Cut) -> tuple[float, float]:
    """Seconds from firing to the first call for a person (p95), and to the last reading."""
    assert cut.fired_at is not None
    first: dict[object, float] = {}
    last = 0.0
    for departure, requested_at, verified_at in Change.objects.exclude(requested_at=None).values_list(
        "account__departure_id", "requested_at", "verified_at"
    ):
        seconds = (requested_at - cut.fired_at).total_seconds()
        first[departure] = min(seconds, first.get(departure, seconds))
        if verified_at is not None:
            last = max(last, (verified_at - cut.fired_at).total_seconds())
    ordered = sorted(first.values())
    return ordered[len(ordered) * 95 // 100], last
