"""What stands around the steps of several journeys in one list."""

from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from partwell.departures.models import Departure
from partwell.departures.states import Confidentiality
from partwell.journeys.models import Step
from partwell.journeys.queries import Around, around
from partwell.people.roles import Role
from tests.factories import make_holder, make_person, publish, start_journey

pytestmark = pytest.mark.django_db


def test_each_step_is_told_whose_it_is_and_what_it_waits_for(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make_holder(Role.HR, "Amara Osei")
    publish()
    marit = start_journey(make_person("Marit Lindqvist"))
    joon = start_journey(make_person("Joon-ho Park"))
    Departure.objects.filter(pk=joon.pk).update(confidentiality=Confidentiality.NEED_TO_KNOW)
    steps = list(Step.objects.filter(journey__in=[marit, joon]))
    awaited = {key for step in steps for key in step.waits_for}
    assert awaited, "a template in which something waits"
    titles = {step.key: step.title for step in steps if step.key in awaited}
    with django_assert_num_queries(1):
        assert around(steps) == {
            marit.pk: Around("Marit Lindqvist", False, titles),
            joon.pk: Around("Joon-ho Park", True, titles),
        }
    waiting_for_nothing = [step for step in steps if not step.waits_for and step.journey_id == marit.pk]
    assert around(waiting_for_nothing) == {marit.pk: Around("Marit Lindqvist", False, {})}
    with django_assert_num_queries(0):
        assert around([]) == {}
