"""Everybody who might read: each with a browser as they hold it, and with an API token where they sign in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.core.cache import cache
from django.db import transaction
from django.test import Client

from partwell.departures.guests import guest_actor
from partwell.departures.models import Departure, Participant
from partwell.journeys.guests import invite_guest
from partwell.journeys.models import Step
from partwell.people.actors import actor_for_user, console_actor
from partwell.people.models import PersonAlias, RoleGrant, User
from partwell.people.token_operations import create_token
from tests.authorisation_stage import Player, Scene, Stage
from tests.factories import NOW
from tests.reading.canaries import Canaries
from tests.reading.planting import helpers_step, open_again

MIGHT = tuple((role, "") for role in ("admin", "hr", "it_security"))
"""What a mighty leaver is granted, for the whole firm."""


@dataclass(frozen=True)
class Reader:
    """One who reads: the user, if there is one; a guest's cookies and mailbox; a token's secret.

    `office` is what the registers make them to the office, beside what they were granted.
    """

    player: Player
    user: User | None = None
    cookies: dict[str, str] = field(default_factory=dict)
    secret: str = ""
    office: str = ""
    mailbox: str = ""

    @property
    def name(self) -> str:
        return self.player.name

    @property
    def address(self) -> str:
        """Where mail reaches them."""
        return self.user.email if self.user else self.mailbox


def readers_of(stage: Stage, canaries: Canaries) -> list[Reader]:
    """All of them. What each opens on the way (a link, a token) is a secret that nobody may read."""
    players = [player for player in stage.players if player.actor.channel.value == "web"]
    players += [_taking_part_as_hr(), *_second_accounts(stage)]
    found = [_signed_in(player, canaries) for player in players if player.actor.user_id is not None]
    # Without a token: administrators see whose tokens there are, and these names are words to look for.
    found += [Reader(player, user=User.objects.get(pk=player.actor.user_id)) for player in _owners(stage)]
    found += _from_the_register(stage, canaries)
    for scene in stage.scenes.values():
        found += _guests(scene, canaries)
    for player in stage.players:
        if player.actor.channel.value == "api":
            user = User.objects.get(pk=player.actor.user_id)
            found.append(Reader(player, secret=_token(user, sorted(player.actor.scopes or ()), canaries)))
    return [*found, Reader(next(player for player in stage.players if player.name == "nobody"))]


@contextmanager
def reading_as(reader: Reader) -> Iterator[Client]:
    """A browser of this reader, who holds exactly the roles that they are meant to hold; all that reading
    leaves behind is taken back."""
    mark = transaction.savepoint()
    cache.clear()
    browser = Client(SERVER_NAME="localhost")
    if reader.user is not None:
        granted = [role for role, _ in reader.player.grants]
        RoleGrant.objects.filter(user=reader.user).exclude(role__in=granted).delete()
        browser.force_login(reader.user)
    for name, value in reader.cookies.items():
        browser.cookies[name] = value
    try:
        yield browser
    finally:
        transaction.savepoint_rollback(mark)


def _signed_in(player: Player, canaries: Canaries, *, office: str = "") -> Reader:
    user = User.objects.get(pk=player.actor.user_id)
    return Reader(player, user=user, secret=_token(user, ["read"], canaries), office=office)


def _token(user: User, scopes: list[str], canaries: Canaries) -> str:
    _, secret = create_token(scopes=scopes, email=user.email, actor=console_actor(), now=NOW)
    canaries.plant_secret(f"token of {user.email}", secret)
    return secret


def _taking_part_as_hr() -> Player:
    """HR of the whole firm who takes part in every departure as well."""
    user = User.objects.create_user("hr.taking.part@players.example", name="hr taking part")
    RoleGrant.objects.create(user=user, role="hr", granted_at=NOW, granted_by="stage")
    Participant.objects.bulk_create(
        Participant(departure=departure, user=user, capacity="hr", added_at=NOW)
        for departure in Departure.objects.all()
    )
    return Player(user.name, actor_for_user(user), grants=(("hr", ""),), part="hr")


def _owners(stage: Stage) -> Iterator[Player]:
    """The owners of steps that somebody added, each in one departure alone."""
    for scene in stage.scenes.values():
        owner = Step.objects.get(journey_id=scene.departure.pk, is_own=True).owner
        assert owner is not None
        yield Player(f"owner in {scene.name}", actor_for_user(owner), part="legal", only_in=scene.name)


def _second_accounts(stage: Stage) -> Iterator[Player]:
    """Leavers with all roles by an account that the register does not know to be theirs: it is older than
    the entry, and only one of their further addresses is the same."""
    for scene in stage.scenes.values():
        if (person := scene.departure.person) is not None:
            alias = f"second.{scene.name.replace(' ', '.')}@harbour.example"
            user = User.objects.create_user(alias, name="Second")
            for role, department in MIGHT:
                RoleGrant.objects.create(
                    user=user, role=role, department=department, granted_at=NOW, granted_by="stage"
                )
            PersonAlias.objects.create(person=person, email=alias)
            name = f"mighty leaver of {scene.name} by another account"
            yield Player(name, actor_for_user(user), grants=MIGHT, leaves=scene.name)


def _from_the_register(stage: Stage, canaries: Canaries) -> Iterator[Reader]:
    """Those whom the register names: each leaver's manager, and the client's account manager."""
    for scene in stage.scenes.values():
        person, client = scene.departure.person, scene.departure.client
        named = person.manager if person else client.account_manager if client else None
        assert named is not None
        role = "line_manager" if person else "account_manager"
        actor = actor_for_user(User.objects.get(person=named))
        player = Player(f"{role} of {scene.name}", actor, part=role, only_in=scene.name)
        yield _signed_in(player, canaries, office=role)


def _guests(scene: Scene, canaries: Canaries) -> Iterator[Reader]:
    for capacity, keys in (("departing", []), ("helper", [helpers_step(scene)])):
        own = ("departing",) if capacity == "departing" else ()
        place = f"{capacity} guest's address"
        word = canaries.plant(place, scene.name, "guests.invite", "evidence.view", *own)
        address = f"{word}@outside.example"
        with open_again(scene) as departure:
            invitation = invite_guest(
                departure=departure,
                email=address,
                capacity=capacity,
                step_keys=keys,
                actor=console_actor(),
                now=NOW,
            )
            canaries.plant_secret(f"link for {address}", invitation.token)
            browser = Client(SERVER_NAME="localhost")
            answer = browser.post(f"/g/{invitation.token}/")
            assert answer.status_code == 302, answer.content
        cookies = {name: morsel.value for name, morsel in browser.cookies.items()}
        actor = guest_actor(invitation.link)
        player = Player(f"{capacity} guest of {scene.name}", actor, linked_to=scene.name)
        yield Reader(player, cookies=cookies, mailbox=address)
