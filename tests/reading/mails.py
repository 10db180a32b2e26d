"""Every kind of mail that the product writes, and whether each tells its reader too much."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from django.db import transaction

from partwell.departures.models import Departure
from partwell.evidence.operations import departure_scope
from partwell.journeys import correspondence, reminders
from partwell.people.actors import actor_for_user
from partwell.people.models import Person, PersonAlias, RoleGrant, User
from partwell.signals.models import Message
from tests.authorisation_oracle import held
from tests.authorisation_stage import DEPARTMENT, Player, Scene, Stage
from tests.factories import NOW, make_person, start_journey
from tests.reading.looking import Seen, judge
from tests.reading.readers import Reader
from tests.reading.stage import ReadingStage

OUTSIDE_KINDS = frozenset({"guest_link", "closing_statement"})
STEP_DAYS = 3


def judge_every_mail(whole: ReadingStage) -> tuple[int, set[str], list[str]]:
    """How many mails are written, of which kinds, and what is wrong with them; afterwards none was."""
    mark = transaction.savepoint()
    later = replace(whole, stage=Stage(dict(whole.stage.scenes)), everybody=list(whole.everybody))
    _send(later)
    found = _judge(later)
    transaction.savepoint_rollback(mark)
    return found


def _send(whole: ReadingStage) -> None:
    """Start two more journeys, now that every role has holders, and let time pass over all of them.

    Who leaves then is HR and IT/Security there, by an account that the register does not tie to them.
    """
    leavers = {name: make_person(name, department=DEPARTMENT) for name in ("Later Normal", "Later Hidden")}
    for name, person in leavers.items():
        User.objects.create_user(person.email, name=name, person=person)
        whole.everybody.append(_second_account(person, name))
    for name, person in leavers.items():
        is_restricted = name == "Later Hidden"
        journey = start_journey(
            person, template="two-sides", confidentiality="need_to_know" if is_restricted else ""
        )
        whole.stage.scenes[name] = Scene(name, journey.departure, is_restricted=is_restricted)
    for days in range(0, 40, STEP_DAYS):
        reminders.remind(now=NOW + timedelta(days=days))
    correspondence.tell_of_access(now=NOW)
    correspondence.invite_to_sign_in(now=NOW)
    correspondence.send_closing_statements(statement_of=lambda departure: "Head", now=NOW)


def _second_account(person: Person, scene: str) -> Reader:
    alias = f"{scene.replace(' ', '.').lower()}.second@harbour.example"
    user = User.objects.create_user(alias, name="Second")
    grants = (("hr", DEPARTMENT), ("it_security", DEPARTMENT))
    for role, department in grants:
        RoleGrant.objects.create(
            user=user, role=role, department=department, granted_at=NOW, granted_by="stage"
        )
    PersonAlias.objects.create(person=person, email=alias)
    player = Player(f"{scene} by another account", actor_for_user(user), grants=grants, leaves=scene)
    return Reader(player, user=user)


def _judge(whole: ReadingStage) -> tuple[int, set[str], list[str]]:
    readers = {reader.address: reader for reader in reversed(whole.everybody) if reader.address}
    scenes = {departure_scope(scene.departure.pk): scene for scene in whole.stage.scenes.values()}
    seen, kinds, count = Seen(), set(), 0
    for mail in Message.objects.exclude(dedupe_key__startswith="planted:"):
        count += 1
        kinds.add(mail.kind)
        scene, reader = scenes.get(mail.scope), readers.get(mail.to)
        if scene is not None and not _concerns(mail, reader, scene):
            seen.leaks.append(f"{mail.to} is written to about {scene.name}: {mail.kind}")
        for canary in whole.canaries.found_in(f"{mail.subject}\n{mail.text}"):
            where = f"a mail of kind {mail.kind}"
            if canary.place == f"link for {mail.to}":
                continue
            if reader is None or (scene is not None and scene.is_restricted):
                seen.leaks.append(f"{where} to {mail.to} holds the {canary.place} of {canary.scene}")
            else:
                judge(reader, canary, whole.stage, seen, where=where)
    return count, kinds, seen.leaks


def _concerns(mail: Message, reader: Reader | None, scene: Scene) -> bool:
    """Whether the departure exists for whom a mail about it goes to; to those outside only their own.

    Who was the only one to answer for a role when a journey started takes part in it, as its rows say.
    """
    subject = Departure.objects.get(pk=scene.departure.pk).subject_email
    if reader is None:
        return mail.kind == "closing_statement" and mail.to == subject
    parts = held(reader.player, scene)
    if parts & {"departing", "helper"}:
        return mail.kind in OUTSIDE_KINDS
    takes_part = scene.departure.participants.filter(user=reader.user).exclude(capacity="departing")
    return bool(parts) or (reader.user is not None and takes_part.exists())
