"""Hostile and careless YAML, and where its values stand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partwell.journeys.template.check import DIALECT, check
from partwell.journeys.template.model import Anchor, Due, Unit
from partwell.yaml_text import MAX_BYTES, Dialect, Unreadable, load
from tests.unit.template_texts import SOUND

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{earlier}'] * 9)}]\n"
    for earlier, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (BOMB, 1, "Anchors"),
        ("a: 1\nb: *a\n", 2, "aliases"),
        ("a: 1\nb: " + "[" * 100_000, 2, "Nested deeper"),
        ("a: 1\n" + "b: {" * 50, 2, "Nested deeper"),
        ("a: " + "x" * MAX_BYTES, 1, "512 KB"),
        ("- x\n" * 30_000, 20_000, "more than"),
        ("a: 1\nb: 2\na: 3\n", 3, "“a” is here twice, first on line 1"),
        ("a: 1\n? [x]\n: 2\n", 2, "plain word"),
        ("a: 1\nyes: 2\n", 2, "plain word"),
        ("a: 1\n~: 2\n", 2, "plain word"),
        ("a: 1\n---\nb: 2\n", 2, "One file holds one template"),
        ("a: 1\nb: !!python/object/apply:os.system [id]\n", 2, "tag"),
        ("a: 1\nb: [1\n", 3, "not YAML"),
        ("a: \x00", 1, "not YAML"),
        ("", 1, "empty"),
        ("# nothing\n", 1, "empty"),
    ],
)
def test_dangerous_or_broken_yaml_is_refused_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(Unreadable) as caught:
        load(text, DIALECT)
    assert message in caught.value.message
    assert caught.value.position.line == line
    assert check(text, file="x")[0].line == line


def test_every_value_knows_its_place() -> None:
    loaded = load(SOUND, DIALECT)
    assert loaded.position_of(("steps", 1, "due")).line == SOUND.splitlines().index(
        "    due: notice +3 working_days"
    ) + 1  # fmt: skip
    assert loaded.position_of(("steps", 1, "nothing")).line == loaded.position_of(("steps", 1)).line


def test_values_are_read_as_they_are_written() -> None:
    value = load("a: 2026-01-31\nb: 1.5\nc: no\nd: NO\ne: 'yes'\nf: 12\ng:\nh: 0x1f\n", DIALECT).value
    assert value == {"a": "2026-01-31", "b": "1.5", "c": False, "d": False, "e": "yes", "f": 12, "g": None,
                     "h": "0x1f"}  # fmt: skip


def test_a_fraction_is_a_number_only_where_the_file_may_hold_one() -> None:
    assert load("b: 1.5\nc: .5.\n", Dialect("file", max_depth=3, fractions=True)).value == {
        "b": 1.5,
        "c": ".5.",
    }


@given(st.text(alphabet="ab:-[]{}&*!?#|>'\"%\n ,~0", max_size=60))
def test_no_text_makes_the_checker_fail(text: str) -> None:
    assert check(text, file="x")


@pytest.mark.parametrize("count", [401, 2000])
def test_more_than_400_steps_are_refused(count: int) -> None:
    head, steps = SOUND.split("steps:\n")
    first = steps.split("  - key: say-wishes")[0]
    text = head + "steps:\n" + "".join(first.replace("confirm-notice", f"k{n}") for n in range(count))
    problems = check(text, file="x")
    assert [p for p in problems if "400" in p.message or "more than" in p.message]


@given(st.sampled_from(Anchor), st.integers(-999, 999), st.sampled_from(Unit))
def test_a_due_date_reads_back_as_it_was_written(anchor: Anchor, offset: int, unit: Unit) -> None:
    due = Due(anchor=anchor, offset=offset, unit=unit if offset else Unit.DAYS)
    assert Due.parse(str(due)) == due


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "notice + 1 day",
        "notice +1",
        "notice 1 day",
        "notice +1 week",
        "+1 day",
        "notice +1000 days",
    ],
)
def test_other_words_are_no_due_date(text: str) -> None:
    with pytest.raises(ValueError, match="last_working_day -5 working_days"):
        Due.parse(text)
