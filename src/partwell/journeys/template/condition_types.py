"""Whether a condition reads only what there is, compares like with like, and says yes or no.

Walks the parse tree by CEL's grammar and knows the few forms that conditions may take; every other form
is refused by name. The walk also collects what each field is compared with, from which
`can_hold` makes up the departures that could matter.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, cast

from lark import Token, Tree

from partwell.departures.states import SubjectKind
from partwell.journeys.template.conditions import (
    FIELDS,
    Condition,
    ConditionError,
    FieldType,
    evaluate,
    facts_for,
)

TEXT_FUNCTIONS = ("startsWith", "endsWith", "contains")
MAX_CASES = 512

_FORBIDDEN = {
    "addition": "Sums are not read in conditions",
    "multiplication": "Products are not read in conditions",
    "member_index": "Square brackets after a field are not read",
    "member_object": "Braces are not read in conditions",
    "map_lit": "Braces are not read in conditions",
    "mapinits": "Braces are not read in conditions",
    "dot_ident": "A leading dot is not read",
    "dot_ident_arg": "A leading dot is not read",
}


@dataclass
class Reading:
    """What a condition reads: literals by field, and fields whose values cannot be listed."""

    literals: defaultdict[str, set[str | int]] = field(default_factory=lambda: defaultdict(set))
    open_ended: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class _Part:
    """The type of a part, its field or literals where it is one."""

    type: FieldType
    field: str = ""
    values: tuple[str | int, ...] = ()
    item_type: FieldType | None = None


def check_types(condition: Condition, audience: SubjectKind) -> Reading:
    """What the condition reads; raises `ConditionError` for a form, field or comparison that is wrong."""
    walk = _Walk(audience)
    if walk.type_of(condition.tree).type is not FieldType.FLAG:
        raise ConditionError(
            f"“{condition.source}” is neither true nor false. Compare it with something, as in "
            "“person.tenure_years >= 5”."
        )
    return walk.reading


def can_hold(conditions: Sequence[tuple[Condition, Reading]], audience: SubjectKind, scenario: str) -> bool:
    """Whether some departure of this scenario meets all the conditions at once.

    Tries every combination of the values that the conditions mention and one that they do not. Answers
    True where that is no proof: too many combinations, or text that is searched rather than compared.
    """
    names = {name for _, reading in conditions for name in reading.literals}
    if any(reading.open_ended for _, reading in conditions):
        return True
    candidates = {name: _candidates(name, conditions, audience, scenario) for name in names}
    cases = 1
    for values in candidates.values():
        cases *= len(values)
    if cases > MAX_CASES:
        return True
    for case in itertools.product(*candidates.values()):
        groups: dict[str, dict[str, Any]] = {"departure": {}, "person": {}, "client": {}}
        for name, value in zip(candidates, case, strict=True):
            group, key = name.split(".")
            groups[group][key] = value
        facts = facts_for(departure=groups["departure"], person=groups["person"], client=groups["client"])
        if all(evaluate(condition, facts) for condition, _ in conditions):
            return True
    return False


def _candidates(
    name: str,
    conditions: Sequence[tuple[Condition, Reading]],
    audience: SubjectKind,
    scenario: str,
) -> list[Any]:
    if name == "departure.subject_kind":
        return [audience.value]
    if name == "departure.scenario":
        return [scenario]
    known = FIELDS[name]
    if known.type is FieldType.FLAG:
        return [True, False]
    if known.choices:
        return list(known.choices)
    mentioned = set().union(
        *(reading.literals[name] for _, reading in conditions if name in reading.literals)
    )
    if known.type is FieldType.NUMBER:
        # No number of ours is negative, so a step for fewer than 0 days can never be needed.
        around = {n + d for n in mentioned if isinstance(n, int) for d in (-1, 0, 1)} | {0}
        return sorted(n for n in around if n >= 0)
    return [*sorted(str(m) for m in mentioned), "", "\N{BALLOT X}"]


class _Walk:
    def __init__(self, audience: SubjectKind) -> None:
        self.audience = audience
        self.reading = Reading()

    def type_of(self, node: Tree[Any]) -> _Part:
        only = node.children[0] if len(node.children) == 1 else None
        if isinstance(only, Tree) and node.data != "list_lit":
            return self.type_of(only)
        if node.data in _FORBIDDEN:
            raise ConditionError(f"{_FORBIDDEN[node.data]}. Compare fields with plain values.")
        handler = getattr(self, f"_{node.data}", None)
        if handler is None:
            raise ConditionError("Only comparisons of fields are read. Leave calls and macros away.")
        part: _Part = handler(node)
        return part

    def _expr(self, node: Tree[Any]) -> _Part:
        question, yes, no = (self.type_of(child) for child in node.children)
        self._want_flags("? :", question, yes, no)
        return yes

    def _conditionalor(self, node: Tree[Any]) -> _Part:
        self._want_flags("||", *(self.type_of(child) for child in node.children))
        return _Part(FieldType.FLAG)

    def _conditionaland(self, node: Tree[Any]) -> _Part:
        self._want_flags("&&", *(self.type_of(child) for child in node.children))
        return _Part(FieldType.FLAG)

    def _unary(self, node: Tree[Any]) -> _Part:
        if node.children[0].data != "unary_not":
            raise ConditionError("A minus is not read here; no field is ever negative.")
        self._want_flags("!", self.type_of(node.children[1]))
        return _Part(FieldType.FLAG)

    def _relation(self, node: Tree[Any]) -> _Part:
        operator, right_node = node.children
        left, right = self.type_of(operator.children[0]), self.type_of(right_node)
        if operator.data == "relation_in":
            if right.type is not FieldType.LIST or right.item_type not in (None, left.type):
                raise ConditionError(
                    f"“in” looks for a {left.type} in a list of such, as in “person.country in ['DE', 'AT']”."
                )
            self._note(left, right)
            return _Part(FieldType.FLAG)
        if left.type is not right.type or left.type is FieldType.LIST:
            raise ConditionError(
                f"A {left.type} is compared with a {right.type}. Numbers are written plain (5), text in "
                "quotes ('DE'), flags are true or false."
            )
        if operator.data not in ("relation_eq", "relation_ne") and left.type is not FieldType.NUMBER:
            raise ConditionError("Smaller and larger are for numbers. Use == or != here.")
        self._note(left, right)
        return _Part(FieldType.FLAG)

    def _member_dot(self, node: Tree[Any]) -> _Part:
        name = _dotted(node)
        known = FIELDS.get(name)
        if known is None:
            close = get_close_matches(name, FIELDS, n=1, cutoff=0.5)
            hint = f" Did you mean {close[0]}?" if close else ""
            if name == "departure.reason":
                hint = " The reason is HR's alone, so that no list of steps gives it away."
            raise ConditionError(f"Conditions know no field {name}.{hint}")
        if known.audience not in (None, self.audience):
            raise ConditionError(f"{name} is never there in a template for {self.audience}.")
        self.reading.literals[name].update(())
        return _Part(known.type, field=name)

    def _member_dot_arg(self, node: Tree[Any]) -> _Part:
        base, function = self.type_of(node.children[0]), str(node.children[1])
        arguments = node.children[2].children if node.children[2] is not None else []
        if function not in TEXT_FUNCTIONS:
            raise ConditionError(f"“{function}” is not read. There are {', '.join(TEXT_FUNCTIONS)}.")
        parts = [self.type_of(argument) for argument in arguments]
        if base.type is not FieldType.TEXT or [p.type for p in parts] != [FieldType.TEXT]:
            raise ConditionError(f"“{function}” asks a text field about one text in quotes.")
        self.reading.open_ended.update(p.field for p in (base, *parts) if p.field)
        return _Part(FieldType.FLAG)

    def _ident(self, node: Tree[Any]) -> _Part:
        raise ConditionError(
            f"“{node.children[0]}” is no field. Fields have two parts, as in person.country."
        )

    def _list_lit(self, node: Tree[Any]) -> _Part:
        items = node.children[0].children if node.children and node.children[0] is not None else []
        parts = [self.type_of(item) for item in items]
        types = {part.type for part in parts}
        if len(types) > 1 or FieldType.LIST in types or any(part.field for part in parts):
            raise ConditionError("A list holds plain values of one kind, as in ['DE', 'AT'].")
        return _Part(
            FieldType.LIST,
            values=tuple(v for part in parts for v in part.values),
            item_type=parts[0].type if parts else None,
        )

    def _literal(self, node: Tree[Any]) -> _Part:
        token = cast(Token, node.children[0])
        text = str(token)
        if token.type == "BOOL_LIT":
            return _Part(FieldType.FLAG)
        if token.type == "INT_LIT" and text.isdigit() and len(text) <= 9:
            return _Part(FieldType.NUMBER, values=(int(text),))
        if token.type == "STRING_LIT" and text[0] in "'\"" and "\\" not in text:
            return _Part(FieldType.TEXT, values=(text[1:-1],))
        raise ConditionError(
            f"{text} is not read. Write whole numbers of up to nine digits, and text in plain quotes."
        )

    def _want_flags(self, operator: str, *parts: _Part) -> None:
        if any(part.type is not FieldType.FLAG for part in parts):
            raise ConditionError(f"“{operator}” joins comparisons; one side here is neither true nor false.")

    def _note(self, left: _Part, right: _Part) -> None:
        if left.field and right.field:
            self.reading.open_ended.update((left.field, right.field))
        for one, other in ((left, right), (right, left)):
            if one.field:
                self.reading.literals[one.field].update(other.values)


def _dotted(node: Tree[Any]) -> str:
    """The dotted name of a chain of members, however it is wrapped."""
    if node.data == "member_dot":
        return f"{_dotted(node.children[0])}.{node.children[1]}"
    if node.data == "ident":
        return str(node.children[0])
    if len(node.children) == 1 and isinstance(node.children[0], Tree):
        return _dotted(node.children[0])
    raise ConditionError("A field is named by two words and a dot, as in person.country.")
