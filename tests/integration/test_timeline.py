"""“As it happened” calls accounts and systems as people do; their ids stay in the record."""

from __future__ import annotations

import pytest

from partwell import clock
from partwell.access import operations
from partwell.access.models import AccountRecord
from partwell.evidence.models import Event
from partwell.evidence.queries import fields_of
from partwell.web.timeline import describe, timeline
from tests.access_world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pauses")]
DN = "uid=4711,ou=people,dc=firm,dc=example"
OTHER = "uid=4712,ou=people,dc=firm,dc=example"


def happened() -> list[str]:
    return [entry["said"] for entry in timeline(Event.objects.filter(kind__startswith="access."))]


def cut(world: World, mode: str) -> None:
    world.add_system("ldap", accounts=0)
    world.systems["ldap"].title = "Directory"
    world.systems["ldap"].save()
    world.add_account("ldap", DN)
    plan = world.plan()
    world.approve(plan)
    world.store.set_mode("ldap", mode)
    world.apply(plan)
    world.run()


def test_a_cut_is_told_by_login_and_title_and_the_id_is_on_record(world: World) -> None:
    cut(world, "ok")
    said = happened()
    assert "Asked for suspending for ada in Directory" in said
    assert "Accepted, not read back yet: suspending for ada in Directory" in said
    assert any(sentence.startswith("Read back, suspending for ada in Directory") for sentence in said)
    assert not [sentence for sentence in said if DN in sentence or "ldap" in sentence]
    kept = fields_of(Event.objects.filter(kind="access.verified")[0])
    assert (kept["account"].value, kept["login"].value, kept["system"].value) == (DN, "ada", "ldap")


def test_failures_attestations_readings_and_reasons_are_told_so_too(world: World) -> None:
    cut(world, "denies")
    operations.attest_account(
        account=AccountRecord.objects.get(), note="Gone by hand.", actor=world.requester, now=clock.now()
    )
    operations.verify_plan(departure=world.departure, actor=world.console, now=clock.now())
    said = happened()
    assert any(sentence.startswith("Failed, suspending for ada in Directory: ") for sentence in said)
    assert "Rita attested for ada in Directory: Gone by hand." in said
    assert not [sentence for sentence in said if DN in sentence]
    (row, *_) = fields_of(Event.objects.get(kind="access.read_back"))["accounts"].value
    assert (row["account"], row["login"]) == (DN, "ada")


def test_a_choice_and_a_drift_name_logins(world: World) -> None:
    system = world.add_system("ldap", accounts=0)
    world.add_account("ldap", DN)
    world.add_account("ldap", OTHER, login="ada.old")
    world.plan()
    plan = operations.link_accounts(
        departure=world.departure, system=system, external_ids=[DN], actor=world.requester, now=clock.now()
    )
    assert "Rita said which accounts in Ldap are theirs: ada" in happened()
    third = OTHER.replace("4712", "4713")
    world.add_account("ldap", third, login="ada.new")
    world.approve(plan)
    world.apply(plan)
    world.run()
    (drifted,) = [sentence for sentence in happened() if "is not as plan" in sentence]
    assert "Ldap is not as plan" in drifted
    assert "ada.new" in drifted
    assert third not in drifted
    kept = fields_of(Event.objects.get(kind="access.drifted"))
    assert kept["accounts"].value == [third]


def test_events_from_before_logins_were_kept_fall_back_to_the_id(world: World) -> None:
    cut(world, "ok")
    event = Event.objects.filter(kind="access.requested")[0]
    old = {name: value for name, value in fields_of(event).items() if name not in ("login", "system_title")}
    assert describe(event, old)["said"].endswith(f"for {DN} in ldap")
