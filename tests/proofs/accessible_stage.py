"""The demo firm for the proof of the pages, and everybody who opens one.

Building it takes half a minute, so it is built once, kept aside, and put back for each test: every one of
them finds the same firm, whatever the others did.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core.management import call_command
from django.db import connection
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, expect

from partwell import clock
from partwell.access.ghosts import cutting, keeping, sweeping
from partwell.access.models import Credential, CredentialRotation, Ghost, Holder, Transfer
from partwell.access.operations.mapping import take_map
from partwell.access.runs import run_system
from partwell.access.transfers.operations import name_successor, open_transfer
from partwell.closure.audits.samples import draw
from partwell.demo.credentials import SHARED
from partwell.demo.firm import address as address_of
from partwell.demo.operations import ensure_demo
from partwell.demo.signin import PASSWORD, WITH_SECOND_FACTOR, seed_of
from partwell.demo.systems import store
from partwell.demo.telling import Tale
from partwell.departures.models import Departure
from partwell.engine import schema
from partwell.journeys.draft_operations import Origin, begin_draft
from partwell.journeys.guests import invite_guest
from partwell.journeys.models import Round, Step
from partwell.journeys.rounds.carrying_out import go_on
from partwell.journeys.rounds.drift import drift_of
from partwell.journeys.rounds.operations import approve_round, prepare_round
from partwell.journeys.rounds.preview import Terms
from partwell.journeys.template.library import LIBRARY_DIR
from partwell.journeys.template_operations import publish_template
from partwell.people.actors import actor_for_user, console_actor
from partwell.people.invitations import invitation_token
from partwell.people.models import Client, Person, User
from partwell.people.operations import grant_role
from partwell.people.roles import Role
from partwell.signals.models import SecurityEvent
from partwell.signals.receivers import add_receiver
from tests.browser import beside_the_browser
from tests.moved_templates import another_version

NOBODY, GUEST, HELPER = "nobody", "guest", "helper"
NOBODYS = ("undecided", "kept", "proposed", "cut")
NEW_VERSION = "staff-urgent-cut"
MOVED = "staff-retirement"
"""A template of which one journey runs on the version before the latest."""
NEWCOMER = "noor.haddad@harbourvale.example"


class KeptFirm:
    """The demo firm as it was just built: its database and its data folder."""

    def __init__(self, folder: Path, aside: Path) -> None:
        """Build it in the empty test database, with `folder` for its data; keep copies in `aside`."""
        assert connection.vendor == "sqlite", "the firm is kept as a file: run this proof on SQLite"
        self.folder, self._aside = folder, aside
        beside_the_browser(self._build)
        shutil.copytree(folder, aside / "data")
        with closing(sqlite3.connect(aside / "database")) as copy:
            _raw_connection().backup(copy)
        leave_nothing()

    def put_back(self) -> None:
        """Replace whatever the test database and the data folder hold."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._aside / "data", self.folder)
        with closing(sqlite3.connect(self._aside / "database")) as copy:
            copy.backup(_raw_connection())

    def _build(self) -> None:
        ensure_demo(clock.now())
        _add_what_the_demo_lacks()


def _raw_connection() -> sqlite3.Connection:
    connection.ensure_connection()
    raw: sqlite3.Connection = connection.connection
    return raw


def leave_nothing() -> None:
    """Empty the test database, the engine's runs included."""
    call_command("flush", interactive=False, verbosity=0)
    schema.forget_runs()


def _add_what_the_demo_lacks() -> None:
    """Somebody who never signed in, and with her a second pair of hands in finance: a step for either; and a
    sweep for ghost accounts, which finds the one that came back, and some of nobody; and a template
    that is being written."""
    now = clock.now()
    grant_role(email=NEWCOMER, role=Role.FINANCE, actor=console_actor(), now=now)
    tale = Tale(now=now, today=clock.today_in("Europe/Berlin", now=now))
    tale.starts(
        "client-early-cancellation",
        by="Lukas Brandt",
        client="EBB",
        notice=-11,
        last_day=tale.day(60),
        reason="pricing",
    )
    tale.catch_up(now - timedelta(hours=20))
    for name in NOBODYS:
        store().add_account("vpn", name, login=name, emails=[], sessions=1, groups={"1": "remote-access"})
    sweep = sweeping.start_sweep(actor=console_actor(), now=now, here=True)
    for row in sweep.systems.filter(state="waiting"):
        sweeping.sweep_system(str(row.pk))
    _decide_about_nobodys(now)
    _register_a_receiver(now)
    origin = Origin(template="staff-resignation")
    begin_draft(origin=origin, template_id="own-resignation", actor=console_actor(), now=now)
    _publish_a_new_version(now)
    _prepare_rounds(now)


def _prepare_rounds(now: datetime) -> None:
    """A round that waits for its second person, and one that was started."""
    hr, boss = (User.objects.get(email=address_of(name)) for name in ("Amara Osei", "Helen Marsh"))
    # Those named first play parts of their own; whoever leads nobody and holds nothing is at the end.
    free = Person.objects.filter(
        left_on_date=None, departures=None, reports=None, user__grants=None
    ).order_by("-pk")
    for name, people in (("Closing the workshop", free[:3]), ("Moving the studio", free[3:6])):
        terms = Terms(name, "staff-redundancy", last_working_date=now.date() + timedelta(days=90))
        found = prepare_round(
            terms=terms,
            data="\n".join(person.email for person in people).encode(),
            approvers=[boss],
            actor=actor_for_user(hr),
            now=now,
        )
    second = actor_for_user(boss, is_fresh=True)
    approve_round(found=found, digest=drift_of(found, now=now).digest, actor=second, now=now)
    go_on(str(found.pk), now)


def _publish_a_new_version(now: datetime) -> None:
    """A template that was changed once: a title, a due date and a condition."""
    text = (LIBRARY_DIR / f"{NEW_VERSION}.yaml").read_text(encoding="utf-8")
    text = text.replace("Write down what happened", "Write down at once what happened")
    text = text.replace(
        "due: access_end +24 hours", "due: access_end +12 hours\n    when: person.tenure_years >= 0"
    )
    publish_template(text=text, actor=console_actor(), now=now)
    library = (LIBRARY_DIR / f"{MOVED}.yaml").read_text(encoding="utf-8")
    publish_template(text=another_version(library), actor=console_actor(), now=now)


def _decide_about_nobodys(now: datetime) -> None:
    """Of the accounts of nobody, one is kept, one is proposed to be cut, and one is cut."""
    found = {ghost.external_id: ghost for ghost in Ghost.objects.filter(external_id__in=NOBODYS)}
    keeping.keep_service_account(
        ghost=found["kept"],
        owner=Person.objects.get(email=address_of("Joon-ho Baek")),
        reason="It backs the shop up at night.",
        review_date=now.date() + timedelta(days=90),
        actor=console_actor(),
        now=now,
    )
    for name in ("proposed", "cut"):
        plan = cutting.propose_cut(
            ghost=found[name],
            reason="Nobody knows what it was for.",
            actor=console_actor(),
            now=now,
            here=True,
        )
        cutting.look_at_ghost(str(plan.pk))
        plan.refresh_from_db()
    second = actor_for_user(User.objects.get(email=address_of("Priya Raman")), is_fresh=True)
    cutting.approve_cut(plan=plan, checksum=plan.checksum, actor=second, now=now)
    for run in plan.runs.all():
        run_system(str(plan.pk), str(run.system_id))


def _register_a_receiver(now: datetime) -> None:
    """A receiver that took one signal, waits for another and would not have a third."""
    gateway = add_receiver(
        name="gateway",
        description={
            "title": "Office gateway",
            "endpoint": "https://8.8.8.8/security-events",
            "audience": "https://gateway.harbourvale.example",
            "authorization": "env:GATEWAY_TOKEN",
        },
        actor=console_actor(),
        now=now - timedelta(days=4),
    )
    for number, (state, answer) in enumerate(
        (
            ("accepted", ""),
            ("queued", "It answered 503."),
            ("failed", "It refused the token: invalid_audience."),
        )
    ):
        SecurityEvent.objects.create(
            receiver=gateway,
            signal="session-revoked",
            jti=f"{number:032x}",
            dedupe_key=f"{number}",
            scope="installation",
            state=state,
            answer=answer,
            attempts=number + 1,
            created_at=now - timedelta(hours=number + 1),
            give_up_at=now + timedelta(days=2),
            next_attempt_at=now + timedelta(minutes=10),
            settled_at=None if state == "queued" else now,
        )


@dataclass
class Stage:
    """Who has a browser open, and what addresses may name."""

    open_context: Callable[[], BrowserContext]
    port: int
    things: dict[str, str] = field(default_factory=dict)
    _pages: dict[str, Page] = field(default_factory=dict)
    _codes: dict[str, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        now, console = clock.now(), console_actor()
        kestrel = departure_of("Kestrel Outdoor GmbH")
        links = {
            GUEST: invite_guest(
                departure=kestrel, email="sabine@kestrel.example", name="Sabine", actor=console, now=now
            ),
            HELPER: invite_guest(
                departure=kestrel,
                email="ravi@outside.example",
                name="Ravi",
                capacity="helper",
                step_keys=[step_of(kestrel.subject_name, state="open", role="legal").key],
                actor=console,
                now=now,
            ),
            "spare": invite_guest(departure=kestrel, email="joerg@kestrel.example", actor=console, now=now),
        }
        forgetful = User.objects.get(email=address_of("Camille Roche"))
        self.things = {
            "participant": str(kestrel.participants.exclude(capacity="departing").first().pk),
            **{
                re.sub(r"\W.*", "", departure.subject_name).lower(): str(departure.pk)
                for departure in Departure.objects.all()
            },
            **{f"link {name}": invitation.token for name, invitation in links.items()},
            "mapped": str(self._map()),
            "manager": str(Person.objects.get(email=address_of("Joon-ho Baek")).pk),
            "client": str(Client.objects.get(client_ref="BDG").pk),
            "ghost": str(Ghost.objects.filter(departure__isnull=False).first().pk),
            "credential": str(Credential.objects.get(name=SHARED[0].name).pk),
            "rotation": str(rotation_of(SHARED[0].name).pk),
            "rotation by connector": str(rotation_of(SHARED[1].name).pk),
            "holder": str(Holder.objects.filter(credential__name=SHARED[0].name).first().pk),
            **self._handed_over(),
            **{
                f"nobody {ghost.login}": str(ghost.pk)
                for ghost in Ghost.objects.filter(external_id__in=NOBODYS)
            },
            "round prepared": str(Round.objects.get(state="prepared").pk),
            "round started": str(Round.objects.get(state="started").pk),
            "sample": self._sample(),
            "invitation": invitation_token(User.objects.get(email=NEWCOMER), now=now),
            "reset account": user_pk_to_url_str(forgetful),
            "reset key": default_token_generator.make_token(forgetful),
        }

    def _handed_over(self) -> dict[str, str]:
        """One hand-over that nobody was named for, one that its successor can accept, and one by hand."""
        marit, now = departure_of("Marit Lindqvist"), clock.now()
        by_hand = open_transfer(
            departure=marit, kind="tickets", what="Tickets of the shop", actor=console_actor(), now=now
        )
        name_successor(transfer=by_hand, email=address_of("Joon-ho Baek"), actor=console_actor(), now=now)
        return {
            "handed over": str(marit.transfers.get(state="open", kind="mailbox").pk),
            "handed to accept": str(Transfer.objects.filter(state="done").first().pk),
            "handed by hand": str(by_hand.pk),
        }

    def _sample(self) -> str:
        """Everybody who left in a year, drawn for an auditor."""
        today = clock.now().date()
        drawn = draw(since=today - timedelta(days=364), until=today, actor=console_actor(), now=clock.now())
        return str(drawn.id)

    def _map(self) -> int:
        """Somebody whose access map was taken a while ago."""
        person = Person.objects.get(email=address_of("Marit Lindqvist"))
        beside_the_browser(lambda: take_map(person=person, actor=console_actor(), now=clock.now()))
        return int(person.pk)

    def page_of(self, who: str) -> Page:
        """The browser of this person, who has come in."""
        if who not in self._pages:
            page = self._pages[who] = self.open_context().new_page()
            if who in (GUEST, HELPER):
                page.goto(reverse("web:guest_open", args=[self.things[f"link {who}"]]))
                page.get_by_role("button", name="Open my page").click()
                expect(page.get_by_role("heading", level=1)).to_contain_text("Hello")
            elif who != NOBODY:
                self.sign_in(page, who)
        return self._pages[who]

    def sign_in(self, page: Page, name: str) -> None:
        """Sign somebody of the firm in through the form."""
        page.goto(reverse("account_login"))
        page.get_by_label("E-mail").fill(address_of(name))
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        if name in WITH_SECOND_FACTOR:
            page.get_by_label("Six digits").fill(self.code_of(name))
            page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1, name="Today")).to_be_visible()

    def code_of(self, name: str) -> str:
        """A code of this person's second factor that was not used yet: each counts once."""
        early, now, late = yield_hotp_counters_from_time()
        used = self._codes.setdefault(name, set())
        counter = next(each for each in (now, late, early) if each not in used)
        used.add(counter)
        return format_hotp_value(hotp_value(seed_of(address_of(name)), counter))


def rotation_of(name: str) -> CredentialRotation:
    """The rotation of a secret of the demo."""
    return CredentialRotation.objects.get(credential__name=name)


def departure_of(name: str) -> Departure:
    """The departure of somebody of the demo."""
    return Departure.objects.get(subject_name=name)


def step_of(name: str, **wanted: object) -> Step:
    """The first step of somebody's journey that is as wanted."""
    steps = Step.objects.filter(journey__departure__subject_name=name, **wanted).order_by("position")
    found = steps.first()
    assert found is not None, f"the demo has no step of {name} with {wanted}"
    return found
