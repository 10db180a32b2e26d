"""The small firm of `tests/shows.py` by the API: set up, with a token for each person, and its steps done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.installation import Installation, served
from tests.over_http import Caller, SignedIn, problem_of
from tests.servers.running import wait_until
from tests.shows import (
    CLIENTS,
    CONTRACTS,
    EVA,
    PEOPLE,
    PLAYS,
    ROLES,
    day,
    own_console,
    prepare,
)

BY_HAND = ("task", "approval")
# What a worker does in its own time: cutting three systems, reading them back, signing the record.
WORK_SECONDS = 120


@dataclass
class Firm:
    """An installation that is served, and its people, each with a token of their own."""

    installation: Installation
    callers: dict[str, Caller] = field(default_factory=dict)
    _open: ExitStack = field(default_factory=ExitStack)

    def as_(self, email: str) -> Caller:
        """The API as this person's token uses it: it may change what they may change."""
        if email not in self.callers:
            self.callers[email] = self.with_token(email, "write")
        return self.callers[email]

    def with_token(self, email: str, *scopes: str) -> Caller:
        """The API with a further token of this person, made at the console."""
        wanted = [word for scope in scopes for word in ("--scope", scope)]
        made = self.installation.console.ask("tokens", "create", *wanted, "--email", email)
        return self._open.enter_context(Caller(self.installation.url, made["token"]))

    def sign_in(self, email: str) -> SignedIn:
        """The pages, for this person with password and second factor."""
        self.installation.give_passwords(email)
        secret = self.installation.give_second_factor(email)
        return self._open.enter_context(SignedIn(self.installation.url, email, secret))


@contextmanager
def firm(folder: Path) -> Iterator[Firm]:
    """A new firm with its roles granted; what its registers hold comes by the API."""
    with own_console(folder) as console:
        company = ["--company", "Harbour & Vale", "--admin-email", EVA]
        prepare(console, "company", lambda: console.run("init", *company))
        with served(console) as installation:
            made = Firm(installation)
            with made._open:
                yield made


def fill_registers(made: Firm) -> None:
    """Import people, clients and contracts as the administrator, and grant the roles at the console."""
    for kind, text in (
        ("people", PEOPLE),
        ("clients", CLIENTS),
        ("contracts", CONTRACTS.format(end=day(60))),
    ):
        answer = made.as_(EVA).send_csv(f"/{kind}/import", text)
        assert answer.json().get("applied") is True, answer.text
    for email, role in ROLES.items():
        made.installation.console.run("roles", "grant", email, role)


def connect(made: Firm, description: str, *, who: str) -> None:
    """Connect a system as described, and see that the connection works."""
    body = yaml.safe_load(description)
    made.as_(who).post("/systems", body, status=201)
    assert made.as_(who).post(f"/systems/{body['name']}/test")["ok"] is True


def open_steps(made: Firm, journey: str, who: str) -> list[Any]:
    """The steps that somebody can complete now."""
    steps = made.as_(who).every(f"/journeys/{journey}/steps", limit=50, state="open")
    return [step for step in steps if step["kind"] in BY_HAND]


def complete(made: Firm, journey: str, step: dict[str, Any], letter: Path, who: str) -> None:
    """Complete a step as this person, with the evidence that it asks for."""
    caller, address = made.as_(who), f"/journeys/{journey}/steps/{step['key']}"
    # Two hold that role, so its steps wait in a queue until one of them takes them.
    if step["role"] == "finance" and step["owner"] != "Fritz Keller":
        assert caller.post(f"{address}/claim")["owner"] == "Fritz Keller"
    if step["evidence"] == "file":
        caller.send_file(f"{address}/files", letter)
    said = {
        "note": {"note": f"Done: {step['title']}."},
        "link": {"link": "https://files.firm.test/record"},
    }.get(step["evidence"], {})
    assert caller.post(f"{address}/complete", said)["state"] == "done"


def complete_all(made: Firm, journey: str, letter: Path, *, hr: str, **plays: str) -> int:
    """Complete every step that a person completes, until none is open; how many. Those of the leaving side
    are HR's to complete; `plays` says who has which role, beside `PLAYS`."""
    count = 0
    while steps := open_steps(made, journey, hr):
        for step in steps:
            complete(made, journey, step, letter, {"departing": hr, **PLAYS, **plays}[step["role"]])
        count += len(steps)
    return count


def settled_step(made: Firm, journey: str, key: str, who: str) -> dict[str, Any]:
    """A step that the product settles by itself, once it has."""
    found: list[dict[str, Any]] = []

    def is_done() -> bool:
        step = made.as_(who).get(f"/journeys/{journey}/steps/{key}")
        found.append(step)
        return bool(step["state"] == "done")

    wait_until(is_done, seconds=WORK_SECONDS, what=f"the step {key} done")
    return found[-1]


def approve_on_the_web(person: SignedIn, journey: str, *, word: str) -> None:
    """Read the plan's page and approve what stands on it, typing what it asks for."""
    page = f"/departures/{journey}/access/"
    answer = person.submit(page, form=f"{page}approve/", word=word)
    assert answer.status_code == 200 and "is approved. Nothing has been cut yet." in answer.text


def a_token_cannot_approve(made: Firm, journey: str, who: str) -> None:
    """Whatever its scopes are: it is refused, and the refusal leads to where a person approves."""
    caller = made.with_token(who, "read", "write", "access")
    problem = problem_of(caller.answer("POST", f"/journeys/{journey}/access/approve"), 403)
    assert (problem["code"], problem["title"]) == ("second_person_needed", "Forbidden")
    assert problem["approve_at"].endswith(f"/departures/{journey}/access/")
    assert made.as_(who).get(f"/journeys/{journey}/access")["state"] == "proposed"


def wait_for_cut(caller: Caller, journey: str, *, count: int) -> dict[str, Any]:
    """The access of a departure, once so many changes were read back and nothing is on its way any more."""
    seen: list[dict[str, Any]] = []

    def is_over() -> bool:
        view = caller.get(f"/journeys/{journey}/access")
        seen.append(view)
        return bool(view["counts"].get("verified", 0) >= count and not is_running(view))

    wait_until(is_over, seconds=WORK_SECONDS, what=f"{count} changes read back")
    return seen[-1]


def is_running(view: dict[str, Any]) -> bool:
    """Whether a system is still being worked on."""
    return any(run["state"] in ("running", "waiting") for run in view["runs"])


def head_to_keep(caller: Caller, journey: str) -> str:
    """The head over all that has happened in a departure, once it is signed."""
    said: list[dict[str, Any]] = []

    def is_signed() -> bool:
        said.append(caller.get(f"/journeys/{journey}/statement"))
        return said[-1]["head"] is not None

    wait_until(is_signed, seconds=WORK_SECONDS, what="the head of the record signed")
    assert said[-1]["head"] in said[-1]["statement"]
    return str(said[-1]["head"])
