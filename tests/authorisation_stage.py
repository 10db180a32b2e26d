"""A stage for the proof of the authorisation matrix: departures of each kind, and everybody who may try.

The stage is built by operations; the players' parts are written down beside them, so that what the product
works out for itself can be compared with what was meant.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from partwell.access.models import Credential, Holder
from partwell.departures.guests import guest_actor, invite
from partwell.departures.models import Departure, Participant
from partwell.journeys.intake import Intake
from partwell.journeys.models import Step
from partwell.journeys.operations.starting import start
from partwell.journeys.template.library import LIBRARY_DIR
from partwell.people.actors import Actor, Channel, actor_for_user, console_actor, engine_actor
from partwell.people.models import Client, Contact, Installation, Person, RoleGrant, User
from tests.factories import LAST_DAY, NOW, make_person
from tests.guest_world import TEMPLATE as TWO_SIDES

DEPARTMENT, ELSEWHERE = "Platform", "Sales"
CLIENT_TEMPLATE = Path(__file__).with_name("small_client.yaml").read_text(encoding="utf-8")
GRANTED = ("hr", "it_security", "executive", "finance", "legal", "admin", "account_manager")
PARTS = ("hr", "it_security", "line_manager", "account_manager", "executive", "finance", "legal")
CREDENTIAL = "Team login"
INSIDE, OWN = "inside", "write-note"
"""Steps of the template: one of the inside, one of the leaving side."""


@dataclass(frozen=True)
class Scene:
    """One departure, and what is true of it."""

    name: str
    departure: Departure
    is_closed: bool = False
    is_restricted: bool = False
    is_client: bool = False


@dataclass(frozen=True)
class Player:
    """An actor, and by hand what they are: granted roles with their department, a part in every departure
    (or in one alone), the departure that is their own, the one that their link is for, and what they are to
    the shared credential `CREDENTIAL`."""

    name: str
    actor: Actor
    grants: tuple[tuple[str, str], ...] = ()
    part: str = ""
    only_in: str = ""
    owns_step: bool = False
    leaves: str = ""
    linked_to: str = ""
    knows: str = ""


@dataclass
class Stage:
    scenes: dict[str, Scene] = field(default_factory=dict)
    players: list[Player] = field(default_factory=list)


def build() -> Stage:
    """All of it, in the caller's transaction."""
    from tests.factories import publish

    publish()
    publish(TWO_SIDES)
    publish(CLIENT_TEMPLATE)
    publish((LIBRARY_DIR / "staff-urgent-cut.yaml").read_text("utf-8"))
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=NOW)
    stage = Stage()
    for name, is_closed, is_restricted in (
        ("normal", False, False),
        ("closed", True, False),
        ("restricted", False, True),
        ("restricted and closed", True, True),
    ):
        stage.scenes[name] = _staff_scene(name, is_closed=is_closed, is_restricted=is_restricted)
    stage.scenes["client"] = _client_scene()
    stage.players = [*_holders(), *_participants(stage), *_leavers(stage), *_guests(stage), *_others()]
    stage.players += _who_know()
    return stage


def _staff_scene(name: str, *, is_closed: bool, is_restricted: bool) -> Scene:
    manager = make_person(f"Manager {name.title()}", department=DEPARTMENT)
    leaver = make_person(f"Leaver {name.title()}", department=DEPARTMENT, manager=manager)
    User.objects.create_user(leaver.email, name=leaver.name, person=leaver)
    intake = Intake(
        person=leaver,
        last_working_date=LAST_DAY,
        notice_date=NOW.date(),
        reason="misconduct",
        confidentiality="need_to_know" if is_restricted else "",
    )
    departure = start(template_id="two-sides", intake=intake, actor=console_actor(), now=NOW).departure
    return Scene(name, _ended(departure) if is_closed else departure, is_closed, is_restricted)


def _ended(departure: Departure) -> Departure:
    departure.state, departure.ended_at = "closed", NOW
    departure.save(update_fields=["state", "ended_at"])
    departure.journey.state = "closed"
    departure.journey.save(update_fields=["state"])
    return departure


def _client_scene() -> Scene:
    manager = make_person("Client Manager", department=DEPARTMENT)
    client = Client.objects.create(name="Brightwater", account_manager=manager)
    Contact.objects.create(client=client, name="Orla Byrne", email="orla@brightwater.example")
    intake = Intake(client=client, last_working_date=LAST_DAY, notice_date=NOW.date())
    departure = start(template_id="small-client", intake=intake, actor=console_actor(), now=NOW).departure
    return Scene("client", departure, is_client=True)


def _user(name: str, grants: Iterable[tuple[str, str]] = (), person: Person | None = None) -> User:
    address = f"{name.replace(' ', '.').lower()}@players.example"
    user = User.objects.create_user(address, name=name, person=person)
    for role, department in grants:
        RoleGrant.objects.create(
            user=user, role=role, department=department, granted_at=NOW, granted_by="stage"
        )
    return user


def _holders() -> list[Player]:
    found = []
    for role in GRANTED:
        for where, department in (("", ""), (" here", DEPARTMENT), (" elsewhere", ELSEWHERE)):
            if role == "admin" and department:
                continue
            grants = ((role, department),)
            user = _user(f"granted {role}{where}", grants)
            found.append(Player(user.name, actor_for_user(user, is_fresh=True), grants=grants))
    stale = _user("hr not fresh", [("hr", "")])
    found.append(Player(stale.name, actor_for_user(stale), grants=(("hr", ""),)))
    for scopes in (["read"], ["read", "write"], ["access", "read"]):
        grants = (("hr", ""), ("it_security", ""))
        user = _user(f"token {' '.join(scopes)}", grants)
        actor = actor_for_user(user, channel=Channel.API, scopes=scopes)
        found.append(Player(user.name, actor, grants=grants))
    return found


def _participants(stage: Stage) -> list[Player]:
    found = []
    for part in (*PARTS, "step_owner"):
        user = _user(f"takes part as {part}")
        for scene in stage.scenes.values():
            Participant.objects.create(departure=scene.departure, user=user, capacity=part, added_at=NOW)
            if part == "step_owner":
                Step.objects.filter(journey_id=scene.departure.pk, key=INSIDE).update(
                    owner=user, owner_name=user.name
                )
        found.append(
            Player(user.name, actor_for_user(user, is_fresh=True), part=part, owns_step=part == "step_owner")
        )
    return found


def _leavers(stage: Stage) -> list[Player]:
    """Those who leave, signed in: as they are, and as administrator, HR and security of the whole firm."""
    found = []
    for scene in stage.scenes.values():
        if scene.is_client:
            continue
        person = scene.departure.person
        assert person is not None
        plain = actor_for_user(person.user, is_fresh=True)
        found.append(Player(f"leaver of {scene.name}", plain, leaves=scene.name))
        grants = tuple((role, "") for role in ("admin", "hr", "it_security"))
        for role, department in grants:
            RoleGrant.objects.create(
                user=person.user, role=role, department=department, granted_at=NOW, granted_by="stage"
            )
        mighty = actor_for_user(User.objects.get(pk=person.user.pk), is_fresh=True)
        found.append(Player(f"mighty leaver of {scene.name}", mighty, grants=grants, leaves=scene.name))
    return found


def _guests(stage: Stage) -> list[Player]:
    found = []
    for scene in stage.scenes.values():
        # Closed ones had their guests before they were closed.
        was, scene.departure.state = scene.departure.state, "active"
        for capacity, keys in (("departing", ()), ("helper", (INSIDE,))):
            link = invite(
                departure=scene.departure,
                email=f"{capacity}@outside.example",
                capacity=capacity,
                step_keys=keys,
                actor=console_actor(),
                now=NOW,
            ).link
            found.append(Player(f"{capacity} guest of {scene.name}", guest_actor(link), linked_to=scene.name))
        scene.departure.state = was
    return found


def _who_know() -> list[Player]:
    """A shared credential's owner, and somebody who knows it too."""
    owner, holder = make_person("Credential Owner"), make_person("Credential Holder")
    credential = Credential.objects.create(
        name=CREDENTIAL, owner=owner, owner_name=owner.name, created_at=NOW
    )
    Holder.objects.create(
        credential=credential, person=holder, name=holder.name, email=holder.email, since_date=NOW.date()
    )
    return [
        Player(person.name, actor_for_user(_user(person.name, person=person), is_fresh=True), knows=part)
        for person, part in ((owner, "credential_owner"), (holder, "credential_holder"))
    ]


def _others() -> list[Player]:
    stranger = _user("stranger")
    return [
        Player("stranger", actor_for_user(stranger, is_fresh=True)),
        Player("nobody", Actor(label="nobody", channel=Channel.WEB)),
        Player("console", console_actor()),
        Player("engine", engine_actor("proof")),
    ]


def without_freshness(player: Player) -> Player:
    """The same, whose second factor was proven too long ago."""
    return replace(player, name=f"{player.name}, not fresh", actor=replace(player.actor, is_fresh=False))


ACCESS_ENDED = NOW + timedelta(days=40)
