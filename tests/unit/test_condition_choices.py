"""Conditions put together by choosing: what choices say, CEL says too, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partwell.departures.states import SubjectKind
from partwell.journeys.template.condition_choices import (
    COMPARISONS,
    Choice,
    Choices,
    Comparison,
    Join,
    from_cel,
    to_cel,
)
from partwell.journeys.template.condition_types import check_types
from partwell.journeys.template.conditions import FIELDS, ConditionError, FieldType, compile_condition

FOR_STAFF = [field for field in FIELDS.values() if field.audience is not SubjectKind.CLIENT]
VALUES = (
    st.text(
        st.characters(codec="utf-8", exclude_characters="\\'\",\n", exclude_categories=("Cc",)), min_size=1
    )
    .map(str.strip)
    .filter(bool)
)


@st.composite
def choices(draw: st.DrawFn) -> Choice:
    field = draw(st.sampled_from(FOR_STAFF))
    comparison = draw(st.sampled_from(COMPARISONS[field.type]))
    if field.type is FieldType.FLAG:
        return Choice(field.name, comparison)
    if field.type is FieldType.NUMBER:
        return Choice(field.name, comparison, str(draw(st.integers(0, 10**9 - 1))))
    if comparison in (Comparison.ONE_OF, Comparison.NONE_OF):
        return Choice(field.name, comparison, ", ".join(draw(st.lists(VALUES, min_size=1, max_size=3))))
    return Choice(field.name, comparison, draw(VALUES))


@given(found=st.lists(choices(), min_size=2, max_size=4).map(tuple), join=st.sampled_from(Join))
def test_what_is_chosen_comes_back_from_its_cel(found: tuple[Choice, ...], join: Join) -> None:
    wanted = Choices(found, join)
    assert from_cel(to_cel(wanted)) == wanted


@pytest.mark.parametrize("field", FOR_STAFF, ids=lambda field: field.name)
def test_every_comparison_makes_a_condition_that_is_sound(field: object) -> None:
    assert field in FOR_STAFF
    for comparison in COMPARISONS[field.type]:  # type: ignore[attr-defined]
        value = "5" if field.type is FieldType.NUMBER else "a, b"  # type: ignore[attr-defined]
        source = to_cel(Choices((Choice(field.name, comparison, value),)))  # type: ignore[attr-defined]
        check_types(compile_condition(source), SubjectKind.STAFF)


@pytest.mark.parametrize(
    "source",
    [
        "(person.manages_people)",
        "person.manages_people ? true : false",
        "person.country == 'DE' && person.title == 'x' || person.manages_people",
        "person.country == person.department",
        "person.country in ['D,E']",
        "person.country in [' DE']",
        "person.country in []",
        "person.tenure_years == '5'",
        "person.country == 5",
        "person.country",
        "person.country.endsWith('x')",
        "person.nothing == 'x'",
        "person.manages_people &&",
        "person.manages_people.contains('x')",
        "'DE' == person.country",
    ],
)
def test_what_choices_cannot_show_is_left_as_it_is_written(source: str) -> None:
    assert from_cel(source) is None


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        (Choice("person.tenure_years", Comparison.AT_LEAST, "five"), "is a number"),
        (Choice("person.tenure_years", Comparison.CONTAINS, "5"), "is, is not, at least or at most"),
        (Choice("person.shoe_size", Comparison.IS, "5"), "no field person.shoe_size"),
        (Choice("person.country", Comparison.ONE_OF, " , "), "Name the values"),
        (Choice("person.title", Comparison.IS, "a'b\"c"), "not both kinds of quotes"),
    ],
)
def test_a_comparison_that_makes_no_condition_says_why(choice: Choice, says: str) -> None:
    with pytest.raises(ConditionError, match=says):
        to_cel(Choices((choice,)))
