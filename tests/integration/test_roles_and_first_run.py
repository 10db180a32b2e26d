"""The first run, and who holds which role."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from partwell.evidence.models import Event
from partwell.people import operations, queries
from partwell.people.actors import Actor, Channel, Grant, console_actor
from partwell.people.models import Person, PersonAlias, RoleGrant, User
from partwell.people.roles import Role
from partwell.refusals import Conflict, FreshSignInNeeded, Invalid, NotAllowed

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
CONSOLE = console_actor()
VISITOR = Actor(label="first visitor", channel=Channel.WEB)


def initialise(**changes: object) -> User | None:
    given: dict = {"company": "Northwind", "practice": False, "actor": VISITOR, "now": NOW} | changes
    return operations.initialise(**given)


def grant(email: str, role: str, department: str = "") -> RoleGrant:
    return operations.grant_role(email=email, role=role, department=department, actor=CONSOLE, now=NOW)


def test_the_first_run_sets_up_the_firm_and_its_first_administrator() -> None:
    assert queries.installation() is None
    admin = initialise(
        admin_email="Ada@Example.com", admin_name="Ada", admin_password="a long enough secret", practice=True
    )
    assert admin is not None
    assert admin.email == "ada@example.com"
    assert admin.check_password("a long enough secret")
    assert queries.role_holders(Role.ADMIN) == [admin]
    firm = queries.installation()
    assert firm is not None
    assert (firm.company_name, firm.is_practice, firm.initialised_at) == ("Northwind", True, NOW)
    assert set(Event.objects.values_list("kind", flat=True)) == {
        "installation.initialised",
        "user.created",
        "role.granted",
    }


def test_a_second_first_run_is_refused_even_for_the_console() -> None:
    initialise()
    with pytest.raises(Conflict, match="set up already"):
        initialise(company="Somebody else", actor=CONSOLE)
    firm = queries.installation()
    assert firm is not None
    assert firm.company_name == "Northwind"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"company": "  "}, "company"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"admin_email": "nobody"}, "email"),
        ({"admin_email": "a@example.com", "admin_password": "short"}, "admin_password"),
    ],
)
def test_a_first_run_with_bad_input_leaves_nothing_behind(changes: dict, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        initialise(**changes)
    assert refused.value.field == field
    assert queries.installation() is None
    assert not User.objects.exists()
    assert not Event.objects.exists()


def test_an_administrator_without_a_password_cannot_sign_in_yet() -> None:
    admin = initialise(admin_email="ada@example.com")
    assert admin is not None
    assert not admin.has_usable_password()


def test_granting_makes_an_account_that_belongs_to_the_register_entry() -> None:
    person = Person.objects.create(email="Grace@Example.com", name="Grace Hopper")
    given = grant("grace@example.COM", "it_security", "Engineering")
    assert given.user.person == person
    assert given.user.name == "Grace Hopper"
    assert not given.user.has_usable_password()
    assert given.granted_by == CONSOLE.label


def test_an_alias_leads_to_the_account_of_its_person() -> None:
    person = Person.objects.create(email="grace@example.com", name="Grace")
    PersonAlias.objects.create(person=person, email="hopper@example.com")
    assert grant("hopper@example.com", "hr").user == grant("grace@example.com", "finance").user
    assert User.objects.count() == 1


def test_an_account_that_came_before_the_register_entry_is_linked_to_it() -> None:
    early = grant("grace@example.com", "hr").user
    assert early.person is None
    person = Person.objects.create(email="grace@example.com", name="Grace")
    assert operations.ensure_user(person, NOW) == early
    assert operations.ensure_user(person, NOW).person == person


def test_granting_twice_keeps_the_first_grant_and_records_one_event() -> None:
    assert grant("a@example.com", "hr") == grant("a@example.com", "hr")
    assert Event.objects.filter(kind="role.granted").count() == 1


@pytest.mark.parametrize("role", ["line_manager", "departing", "pope"])
def test_roles_that_follow_from_the_register_or_do_not_exist_are_refused(role: str) -> None:
    with pytest.raises(Invalid, match="Choose one of: account_manager, admin"):
        grant("a@example.com", role)


def test_an_administrator_of_one_department_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        grant("a@example.com", "admin", "Sales")
    assert refused.value.field == "department"


def test_a_closed_account_gets_no_role() -> None:
    User.objects.create_user("a@example.com", is_active=False)
    with pytest.raises(Conflict, match="is closed"):
        grant("a@example.com", "hr")


def test_department_holders_come_before_firm_wide_ones_and_nobody_twice() -> None:
    wide = grant("wide@example.com", "hr").user
    sales = grant("sales@example.com", "hr", "Sales").user
    grant("sales@example.com", "hr")
    grant("other@example.com", "hr", "Legal")
    closed = grant("closed@example.com", "hr", "Sales").user
    closed.is_active = False
    closed.save()
    assert queries.role_holders("hr", "Sales") == [sales, wide]
    assert queries.role_holders(Role.HR) == [wide, sales]


def test_role_holders_are_one_query(django_assert_num_queries) -> None:
    for n in range(5):
        grant(f"{n}@example.com", "hr")
    with django_assert_num_queries(1):
        [holder.person for holder in queries.role_holders("hr")]


def test_the_last_administrator_keeps_the_role() -> None:
    grant("ada@example.com", "admin")
    inactive = grant("gone@example.com", "admin").user
    inactive.is_active = False
    inactive.save()
    with pytest.raises(Conflict, match="last administrator"):
        operations.revoke_role(email="ada@example.com", role="admin", actor=CONSOLE, now=NOW)
    grant("bob@example.com", "admin")
    operations.revoke_role(email="Ada@example.com", role="admin", actor=CONSOLE, now=NOW)
    assert [u.email for u in queries.role_holders("admin")] == ["bob@example.com"]


def test_taking_back_what_is_not_held_is_refused() -> None:
    grant("ada@example.com", "hr")
    with pytest.raises(Conflict, match="does not hold HR for Sales"):
        operations.revoke_role(email="ada@example.com", role="hr", department="Sales", actor=CONSOLE, now=NOW)


def test_granting_needs_an_administrator_who_signed_in_recently() -> None:
    def web(role: Role, *, fresh: bool) -> Actor:
        grants = frozenset({Grant(role)})
        return Actor(label="x", channel=Channel.WEB, user_id=1, grants=grants, is_fresh=fresh)

    wanted = {"email": "a@example.com", "role": "hr", "now": NOW}
    with pytest.raises(NotAllowed):
        operations.grant_role(**wanted, actor=web(Role.HR, fresh=True))
    with pytest.raises(FreshSignInNeeded):
        operations.grant_role(**wanted, actor=web(Role.ADMIN, fresh=False))
    operations.grant_role(**wanted, actor=web(Role.ADMIN, fresh=True))


def test_an_address_that_is_another_persons_account_is_not_taken_over() -> None:
    first = Person.objects.create(email="a@example.com", name="A")
    account = operations.ensure_user(first, NOW)
    Person.objects.filter(pk=first.pk).update(email="new@example.com")
    second = Person.objects.create(email="a@example.com", name="B")
    with pytest.raises(Conflict, match="another colleague"):
        operations.ensure_user(second, NOW)
    account.refresh_from_db()
    assert account.person == first
