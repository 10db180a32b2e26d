"""Access ends at its minute, whatever becomes of the worker that was to end it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.console import Console
from tests.servers.running import wait_until
from tests.servers.samba import SambaServer
from tests.servers.scim import ScimServer
from tests.servers.slapd import SlapdServer
from tests.shows import INES, LUCIA, Accounts, connect, found_firm


def test_access_ends_at_its_minute_though_a_worker_is_killed_just_before(
    console: Console,
    tmp_path: Path,
    slapd_server: SlapdServer,
    samba_ad_server: SambaServer,
    scim_server: ScimServer,
) -> None:
    found_firm(console, tmp_path)
    lucia = Accounts(slapd_server, samba_ad_server, scim_server, LUCIA, "lucia").make()
    for name, description in lucia.systems().items():
        connect(console, tmp_path, name, description)
    console.run("roles", "grant", LUCIA, "finance")
    with workers(console, 2) as (first, _):
        there = datetime.now(ZoneInfo("Asia/Kolkata")) + timedelta(seconds=20)
        start = ["journeys", "start", "--template", "staff-resignation", "--person", LUCIA]
        start += ["--last-day", there.date().isoformat()]
        # No offset: it is meant where she lives.
        journey = console.ask(*start, "--access-end", there.replace(tzinfo=None).isoformat())["id"]
        assert all(lucia.can_sign_in().values())
        just_before = there - timedelta(seconds=1)
        wait_until(lambda: datetime.now(UTC) > just_before, seconds=30, what="the last second before")
        assert all(lucia.can_sign_in().values()), "nothing is cut before its time"
        first.kill()
        first.wait()
        wait_until(lambda: not any(lucia.can_sign_in().values()), seconds=55, what="access cut everywhere")
        seconds = (datetime.now(UTC) - there).total_seconds()
        print(f"\n  cut in three systems {seconds:.1f} s after access end, one worker of two killed")
        assert seconds > 0

        wait_until(lambda: is_refused(console, LUCIA), seconds=30, what="her own sign-in ended")
        assert LUCIA not in {row["email"] for row in console.ask("roles", "list")["items"]}
        wait_until(lambda: not running_systems(console, journey), seconds=30, what="all systems' runs over")
        view = console.ask("access", "verify", journey, expect=1)
        assert view["kind"] == "standing" and view["approved_by"] == ""
        assert {(c["action"], c["state"], c["authority"]) for c in view["changes"]} == {
            ("suspend", "verified", "standing rule"),
            ("remove_entitlements", "planned", ""),
            ("revoke_sessions", "manual", ""),
        }

        # What the rule did not cover waits for a signature, and the journey goes on from there.
        console.ask("access", "approve", journey, "--as", INES)
        console.run("access", "apply", journey, "--no-wait", "--json")
        for system in lucia.systems():
            console.ask("access", "attest", journey, "--system", system, "--note", "Nobody is signed in.")
        wait_until(
            lambda: states_of(console, journey, "approve-access-plan", "cut-access") == {"done"},
            seconds=30,
            what="both steps done",
        )


def is_refused(console: Console, email: str) -> bool:
    """Whether this person's sign-in has ended."""
    return console.run("journeys", "list", "--as", email, expect=None).code == 3


def states_of(console: Console, journey: str, *keys: str) -> set[str]:
    steps = console.ask("steps", "list", journey)["items"]
    return {step["state"] for step in steps if step["key"] in keys}


def running_systems(console: Console, journey: str) -> list[str]:
    said = console.run("access", "verify", journey, "--json", expect=1).data
    return [run["system"] for run in said["runs"] if run["state"] in ("running", "waiting")]


@contextmanager
def workers(console: Console, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many workers of the installation, ready to work."""
    log = console.folder / "worker.log"
    started = [console.start("worker") for _ in range(count)]
    try:
        wait_until(lambda: log.read_text().count("is ready") == count, seconds=90, what="workers ready")
        yield started
    finally:
        for worker in started:
            worker.terminate()
        for worker in started:
            worker.wait(timeout=30)
