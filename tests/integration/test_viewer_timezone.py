"""In which timezone somebody reads a page: their own, their entry's, the firm's, or the one that was set."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from partwell import clock
from partwell.people.models import Installation, Person, User
from partwell.web.session import viewer_timezone
from partwell.web.signin import Backend
from tests.signing_in import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("own", "entry", "firm", "read"),
    [
        ("Asia/Tokyo", "Europe/London", "Europe/Berlin", "Asia/Tokyo"),
        ("", "Europe/London", "Europe/Berlin", "Europe/London"),
        ("", None, "Europe/Berlin", "Europe/Berlin"),
        ("", "", "Europe/Berlin", "Europe/Berlin"),
        ("", None, "", "UTC"),
        ("", None, None, "UTC"),
    ],
)
def test_a_sessions_user_brings_along_where_the_firm_is(
    own: str,
    entry: str | None,
    firm: str | None,
    read: str,
    django_assert_num_queries: DjangoAssertNumQueries,
    settings: Any,
) -> None:
    settings.DEFAULT_PERSON_TIMEZONE = "UTC"
    if firm is not None:
        Installation.objects.create(company_name="Harbour & Vale", timezone=firm, initialised_at=clock.now())
    user = User.objects.create_user("ada@firm.example", PASSWORD, timezone=own)
    if entry is not None:
        user.person = Person.objects.create(name="Ada", email="ada@firm.example", timezone=entry)
        user.save()
    with django_assert_num_queries(1):
        found = Backend().get_user(user.pk)
        assert found is not None and viewer_timezone(found) == read
    assert viewer_timezone(User.objects.get(pk=user.pk)) == read
