"""Who answers for a template, and that somebody read it and it still holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from partwell.evidence.models import Event
from partwell.evidence.queries import fields_of
from partwell.journeys.models import TemplateUpkeep
from partwell.journeys.template_operations import LIBRARY_ACTOR, publish_template
from partwell.journeys.upkeep_operations import confirm_template_review, set_template_owner
from partwell.journeys.upkeep_queries import READ_EVERY, Lack, list_upkeep, show_upkeep
from partwell.journeys.upkeep_reminders import FIRST_READING, remind_owners
from partwell.people.actors import console_actor
from partwell.people.models import User
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid, NotAllowed, NotFound
from partwell.signals.models import Message
from tests.factories import NOW, SMALL_TEMPLATE, as_actor, make_holder, publish

pytestmark = pytest.mark.django_db
CONSOLE = console_actor()
NOTE = "Read every step; the dates fit the new notice."


@pytest.fixture
def library() -> None:
    publish_template(text=SMALL_TEMPLATE, actor=LIBRARY_ACTOR, now=NOW)


@pytest.fixture
def tom() -> User:
    return make_holder(Role.IT_SECURITY, "Tom Wirth")


def own(to: User | None) -> TemplateUpkeep:
    return set_template_owner(template_id="small", to=to, actor=CONSOLE, now=NOW)


def lacks(after: timedelta = timedelta()) -> tuple[Lack, ...]:
    return show_upkeep(template_id="small", actor=CONSOLE).lacks(NOW + after)


def test_what_came_with_the_product_nobody_owns_and_nobody_has_read(library: None, tom: User) -> None:
    assert lacks() == (Lack.NO_OWNER, Lack.NEVER_READ)
    own(tom)
    assert lacks() == (Lack.NEVER_READ,)
    confirm_template_review(template_id="small", version=1, note=NOTE, actor=as_actor(tom), now=NOW)
    assert lacks() == ()
    assert lacks(READ_EVERY - timedelta(seconds=1)) == ()
    assert lacks(READ_EVERY) == (Lack.UNREAD,)
    [upkeep] = list_upkeep(actor=CONSOLE)
    assert upkeep.as_dict(NOW)["last_read_by"] == as_actor(tom).label


def test_whoever_published_a_version_here_has_read_it() -> None:
    publish()
    assert lacks() == (Lack.NO_OWNER,)


def test_an_owner_who_cannot_sign_in_any_more_is_named(library: None, tom: User) -> None:
    own(tom)
    User.objects.filter(pk=tom.pk).update(is_active=False)
    assert Lack.OWNER_GONE in lacks()


def test_each_change_of_owner_is_on_record_once(library: None, tom: User) -> None:
    own(tom)
    own(tom)
    own(None)
    own(None)
    found = [fields_of(each) for each in Event.objects.filter(kind="template.owner_set")]
    assert sorted((each["from"].value, each["to"].value) for each in found) == [
        ("", str(tom)),
        (str(tom), ""),
    ]


def test_only_who_reads_templates_and_signs_in_can_own_one(library: None, tom: User) -> None:
    stranger = User.objects.create_user("stranger@x.example", name="Stranger")
    with pytest.raises(Invalid) as refused:
        own(stranger)
    assert (refused.value.code, refused.value.field) == ("owner_reads_none", "to")
    User.objects.filter(pk=tom.pk).update(is_active=False)
    with pytest.raises(Invalid) as refused:
        own(User.objects.get(pk=tom.pk))
    assert refused.value.code == "owner_inactive"
    with pytest.raises(NotFound):
        set_template_owner(template_id="none", to=None, actor=CONSOLE, now=NOW)


def test_only_its_owner_or_who_names_owners_says_that_it_holds(library: None, tom: User) -> None:
    with pytest.raises(NotAllowed) as refused:
        confirm_template_review(template_id="small", version=1, note=NOTE, actor=as_actor(tom), now=NOW)
    assert refused.value.code == "not_the_owner"
    hanna = as_actor(make_holder(Role.HR, "Hanna Weiss"))
    confirm_template_review(template_id="small", version=1, note=NOTE, actor=hanna, now=NOW)
    with pytest.raises(NotAllowed):
        set_template_owner(template_id="small", to=tom, actor=as_actor(tom), now=NOW)


def test_a_version_that_was_replaced_meanwhile_is_not_confirmed(library: None) -> None:
    publish(SMALL_TEMPLATE.replace("A small journey", "A smaller journey", 1))
    with pytest.raises(Conflict) as refused:
        confirm_template_review(template_id="small", version=1, note=NOTE, actor=CONSOLE, now=NOW)
    assert refused.value.field == "version"


@pytest.mark.parametrize("note", ["", "  ok ", "x" * 2001])
def test_a_reading_says_what_was_looked_at(library: None, note: str) -> None:
    with pytest.raises(Invalid) as refused:
        confirm_template_review(template_id="small", version=1, note=note, actor=CONSOLE, now=NOW)
    assert refused.value.field == "note"
    assert not TemplateUpkeep.objects.exists()


def reminded(now: datetime) -> list[str]:
    """To whom the reminders went that are in the outbox once this moment has come."""
    remind_owners(now=now)
    return list(Message.objects.filter(kind="template_unread").order_by("pk").values_list("to", flat=True))


def test_an_owner_is_reminded_once_a_year_after_the_last_reading_and_in_the_morning(
    library: None, tom: User
) -> None:
    User.objects.filter(pk=tom.pk).update(timezone="Europe/Berlin")
    own(tom)
    assert reminded(NOW + FIRST_READING - timedelta(seconds=1)) == []
    assert reminded(NOW + FIRST_READING) == [tom.email]
    assert reminded(NOW + FIRST_READING + timedelta(days=3)) == [tom.email]
    read_at = NOW + timedelta(days=40)
    confirm_template_review(template_id="small", version=1, note=NOTE, actor=as_actor(tom), now=read_at)
    assert reminded(read_at + READ_EVERY - timedelta(seconds=1)) == [tom.email]
    # Due at ten in the morning there; in the night after, nobody is written to.
    in_the_night = datetime(2027, 12, 13, 2, tzinfo=UTC)
    assert read_at + READ_EVERY == datetime(2027, 12, 12, 9, tzinfo=UTC)
    assert reminded(in_the_night) == [tom.email]
    assert reminded(in_the_night + timedelta(hours=5)) == [tom.email, tom.email]


def test_nobody_is_reminded_of_what_nobody_owns_or_an_owner_who_is_gone(library: None, tom: User) -> None:
    assert reminded(NOW + 2 * READ_EVERY) == []
    own(tom)
    User.objects.filter(pk=tom.pk).update(is_active=False)
    assert reminded(NOW + 2 * READ_EVERY) == []
