"""Conditions that can be put together by choosing: fields, comparisons and values, of which all or any hold.

Only a part of what conditions can say is shown so. `from_cel` answers None for the rest, which is then kept
as it was written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from partwell.journeys.template.conditions import FIELDS, ConditionError, FieldType


class Comparison(StrEnum):
    """How a field is compared; `YES` and `NO` need no value, the two lists take several with commas."""

    IS = "is"
    IS_NOT = "is_not"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    ONE_OF = "one_of"
    NONE_OF = "none_of"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    YES = "yes"
    NO = "no"


COMPARISONS: dict[FieldType, tuple[Comparison, ...]] = {
    FieldType.TEXT: (
        Comparison.IS,
        Comparison.IS_NOT,
        Comparison.ONE_OF,
        Comparison.NONE_OF,
        Comparison.CONTAINS,
        Comparison.STARTS_WITH,
    ),
    FieldType.NUMBER: (Comparison.IS, Comparison.IS_NOT, Comparison.AT_LEAST, Comparison.AT_MOST),
    FieldType.FLAG: (Comparison.YES, Comparison.NO),
}
_SIGNS = {
    Comparison.IS: "==",
    Comparison.IS_NOT: "!=",
    Comparison.AT_LEAST: ">=",
    Comparison.AT_MOST: "<=",
}
_FUNCTIONS = {Comparison.CONTAINS: "contains", Comparison.STARTS_WITH: "startsWith"}


class Join(StrEnum):
    """Whether all comparisons have to hold or one is enough."""

    ALL = "all"
    ANY = "any"


_JOINED = {Join.ALL: "&&", Join.ANY: "||"}


@dataclass(frozen=True)
class Choice:
    """One comparison. Several values of a list are separated by commas."""

    field: str
    comparison: Comparison
    value: str = ""


@dataclass(frozen=True)
class Choices:
    """A whole condition; without comparisons the step is always there."""

    comparisons: tuple[Choice, ...] = ()
    join: Join = Join.ALL


def to_cel(choices: Choices) -> str:
    """The condition in CEL, empty without comparisons. Raises `ConditionError` for a comparison that makes
    none."""
    return f" {_JOINED[choices.join]} ".join(_part(choice) for choice in choices.comparisons)


def _part(choice: Choice) -> str:
    known = FIELDS.get(choice.field)
    if known is None:
        raise ConditionError(f"Conditions know no field {choice.field}. Choose one of the list.")
    if choice.comparison not in COMPARISONS[known.type]:
        raise ConditionError(
            f"{choice.field} is a {known.type}. Choose {_either(COMPARISONS[known.type])} for it."
        )
    match choice.comparison:
        case Comparison.YES:
            return choice.field
        case Comparison.NO:
            return f"!{choice.field}"
        case Comparison.ONE_OF | Comparison.NONE_OF:
            values = ", ".join(_quoted(each.strip()) for each in choice.value.split(",") if each.strip())
            if not values:
                raise ConditionError(f"Name the values of {choice.field}, with commas between them.")
            one_of = f"{choice.field} in [{values}]"
            return one_of if choice.comparison is Comparison.ONE_OF else f"!({one_of})"
        case Comparison.CONTAINS | Comparison.STARTS_WITH:
            return f"{choice.field}.{_FUNCTIONS[choice.comparison]}({_quoted(choice.value)})"
    value = _number(choice) if known.type is FieldType.NUMBER else _quoted(choice.value)
    return f"{choice.field} {_SIGNS[choice.comparison]} {value}"


def _number(choice: Choice) -> str:
    value = choice.value.strip()
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise ConditionError(f"{choice.field} is a number. Write a whole one of up to nine digits.")
    return str(int(value))


def _quoted(value: str) -> str:
    if "\\" in value or "\n" in value or ("'" in value and '"' in value):
        raise ConditionError("A value in a condition has no backslash, and not both kinds of quotes.")
    return f'"{value}"' if "'" in value else f"'{value}'"


def _either(comparisons: tuple[Comparison, ...]) -> str:
    words = [each.replace("_", " ") for each in comparisons]
    return f"{', '.join(words[:-1])} or {words[-1]}"


_TEXT = r"(?:'[^'\\\n]*'|\"[^\"\\\n]*\")"
_NAME = r"(?P<field>[a-z]+\.[a-z_]+)"
_LIST = rf"\[\s*(?P<values>{_TEXT}(?:\s*,\s*{_TEXT})*)\s*\]"
_PARTS: tuple[tuple[re.Pattern[str], Comparison | None], ...] = (
    (re.compile(rf"!\s*\(\s*{_NAME}\s+in\s+{_LIST}\s*\)"), Comparison.NONE_OF),
    (re.compile(rf"{_NAME}\s+in\s+{_LIST}"), Comparison.ONE_OF),
    (re.compile(rf"{_NAME}\.contains\(\s*(?P<text>{_TEXT})\s*\)"), Comparison.CONTAINS),
    (re.compile(rf"{_NAME}\.startsWith\(\s*(?P<text>{_TEXT})\s*\)"), Comparison.STARTS_WITH),
    (
        re.compile(rf"{_NAME}\s*(?P<sign>==|!=|>=|<=)\s*(?:(?P<text>{_TEXT})|(?P<number>[0-9]{{1,9}})\b)"),
        None,
    ),
    (re.compile(rf"!\s*{_NAME}\b(?!\.)"), Comparison.NO),
    (re.compile(rf"{_NAME}\b(?!\.)"), Comparison.YES),
)
_BETWEEN = re.compile(r"\s*(&&|\|\|)\s*")


def from_cel(source: str) -> Choices | None:
    """The choices that say what `source` says, or None where choices cannot show it."""
    rest = source.strip()
    found: list[Choice] = []
    joins: set[str] = set()
    while rest:
        matched = _match(rest)
        if matched is None:
            return None
        choice, length = matched
        found.append(choice)
        rest = rest[length:]
        if not rest.strip():
            break
        between = _BETWEEN.match(rest)
        if between is None or between.end() == len(rest):
            return None
        joins.add(between[1])
        rest = rest[between.end() :]
    if len(joins) > 1:
        return None
    return Choices(tuple(found), Join.ANY if joins == {"||"} else Join.ALL)


def _match(text: str) -> tuple[Choice, int] | None:
    for pattern, comparison in _PARTS:
        found = pattern.match(text)
        if found is None:
            continue
        groups = found.groupdict()
        meant = comparison or next(each for each, sign in _SIGNS.items() if sign == groups["sign"])
        known = FIELDS.get(groups["field"])
        if known is None or meant not in COMPARISONS[known.type]:
            return None
        if comparison is None and (groups["number"] is None) is (known.type is FieldType.NUMBER):
            return None
        value = _value(groups)
        return None if value is None else (Choice(known.name, meant, value), found.end())
    return None


def _value(groups: dict[str, str | None]) -> str | None:
    if values := groups.get("values"):
        items = [each[1:-1] for each in re.findall(_TEXT, values)]
        # What would be read otherwise when it comes back is not shown as choices.
        return (
            ", ".join(items)
            if all(item and item == item.strip() and "," not in item for item in items)
            else None
        )
    if text := groups.get("text"):
        return text[1:-1]
    return groups.get("number") or ""
