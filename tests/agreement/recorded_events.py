"""Reads in the source which kinds of evidence event it records, and with which fields.

A call of `record(…)` or `build(…)` names its kind as text, as a constant, or takes it as a parameter; then
the function around it records too, and its own calls are read in the same way. A kind that is put together
(`f"mail.{state}"`) is reported as a pattern, `mail.{}`.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from partwell.access.credentials.settling import AFTERWARDS
from partwell.access.states import AccessState
from partwell.access.transfers.running import ANSWERS
from partwell.departures.states import NoticeState
from partwell.people.imports.columns import KINDS
from partwell.signals.states import MailState

# Where the kind is a parameter of the recording itself.
RECORDERS = ("record", "build")
# What the pieces of a kind that is put together can be.
PUT_TOGETHER = {
    # A change begins as planned or ambiguous; nothing moves to these by an event of its own.
    "access.{}": {f"access.{s}" for s in AccessState} - {"access.planned", "access.ambiguous"},
    # What a connector can settle a rotation to; what people say of one has a kind of its own.
    "credential.rotation_{}": {f"credential.rotation_{s}" for s in (*AFTERWARDS.values(), "failed")},
    # What a system can say of what it hands over.
    "transfer.{}": {f"transfer.{s}" for s in ANSWERS.values()},
    "mail.{}": {f"mail.{MailState.SENT}", f"mail.{MailState.FAILED}"},
    "notice.{}": {f"notice.{NoticeState.STARTED}", f"notice.{NoticeState.DECLINED}"},
    "{}.imported": {f"{kind}.imported" for kind in KINDS},
    "{}.exported": {f"{kind}.exported" for kind in KINDS},
}

SOURCE = Path(__file__).parents[2] / "src" / "partwell"


@dataclass
class Function:
    """A function that takes the kind of an event as its parameter `kind_name`."""

    module: str
    name: str
    kind_name: str
    position: int | None
    default: ast.expr | None
    parameters: frozenset[str]
    takes_more: bool
    fields: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Place:
    """One call that records an event, inside `function`."""

    module: str
    function: ast.FunctionDef | None
    call: ast.Call


class Reader:
    """Reads the source, and of that only the files that may record something: parsing all takes seconds."""

    def __init__(self, source: Path = SOURCE) -> None:
        self.texts = {
            ".".join(("partwell", *path.relative_to(source).with_suffix("").parts)): path.read_text()
            for path in source.rglob("*.py")
            if not {"migrations", "tests"} & set(path.parts)
        }
        self.trees: dict[str, ast.Module] = {}
        self.functions: dict[str, list[Function]] = defaultdict(list)
        self.kinds: dict[str, set[str]] = defaultdict(set)
        self.unreadable: list[str] = []

    def read(self) -> Reader:
        """Follow the calls until no further function turns out to record."""
        seen: set[int] = set()
        calls: list[Place] = []
        found = True
        while found:
            found = False
            calls += self._calls_in_new_files()
            for place in calls:
                if id(place.call) in seen or (recorder := self._recorder(place)) is None:
                    continue
                seen.add(id(place.call))
                found = True
                self._take(place, recorder)
        return self

    def _calls_in_new_files(self) -> Iterator[Place]:
        names = re.compile(rf"\b({'|'.join([*RECORDERS, *self.functions])})\(")
        for module, text in self.texts.items():
            if module in self.trees or not names.search(text):
                continue
            self.trees[module] = ast.parse(text)
            inside: set[int] = set()
            for function in ast.walk(self.trees[module]):
                if isinstance(function, ast.FunctionDef) and function.name not in RECORDERS:
                    for node in ast.walk(function):
                        if isinstance(node, ast.Call) and id(node) not in inside:
                            inside.add(id(node))
                            yield Place(module, function, node)

    def _recorder(self, place: Place) -> Function | None:
        called = place.call.func
        name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
        keywords = {keyword.arg for keyword in place.call.keywords}
        if name in RECORDERS and "scope" in keywords:
            return Function("", name, "kind", 0, None, frozenset({"kind", "scope", "actor", "at"}), False)
        for function in self.functions.get(name, ()):
            # A private name means the function of its own module.
            if not name.startswith("_") or function.module == place.module:
                return function
        return None

    def _take(self, place: Place, recorder: Function) -> None:
        kind = _argument(place.call, recorder)
        if kind is None:
            return
        fields = self._fields(place, recorder) | recorder.fields
        if isinstance(kind, ast.Name) and place.function and kind.id in _parameters(place.function):
            self.functions[place.function.name].append(_wrapper(place, kind.id, fields))
            return
        texts = self._texts(kind, place)
        for text in texts:
            self.kinds[text] |= fields
        if not texts:
            self.unreadable.append(f"{place.module}:{place.call.lineno}")

    def _texts(self, kind: ast.expr, place: Place) -> set[str]:
        if isinstance(kind, ast.Constant) and isinstance(kind.value, str):
            return {kind.value}
        if isinstance(kind, ast.IfExp):
            return self._texts(kind.body, place) | self._texts(kind.orelse, place)
        if isinstance(kind, ast.JoinedStr):
            return {"".join(v.value if isinstance(v, ast.Constant) else "{}" for v in kind.values)}
        if isinstance(kind, ast.Name):
            local = list(_assigned(place.function, kind.id))
            if local:
                return set().union(*(self._texts(value, place) for value in local))
            module, name = _imported(self.trees[place.module], kind.id) or (place.module, kind.id)
            constant = _constant(ast.parse(self.texts.get(module, "")), name)
            return {constant} if constant else set()
        return set()

    def _fields(self, place: Place, recorder: Function) -> set[str]:
        keys: set[str] = set()
        for argument in [*place.call.args, *(k.value for k in place.call.keywords)]:
            values = _assigned(place.function, argument.id) if isinstance(argument, ast.Name) else [argument]
            keys = keys.union(*(self._keys(value, place.module) for value in values))
        if recorder.takes_more:
            keys |= {k.arg for k in place.call.keywords if k.arg and k.arg not in recorder.parameters}
        return keys

    def _keys(self, value: ast.expr, module: str) -> set[str]:
        """The literal keys of a dictionary, with those that are spread into it or that a function makes."""
        if isinstance(value, ast.IfExp):
            return self._keys(value.body, module) | self._keys(value.orelse, module)
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            made = [
                f
                for f in self.trees[module].body
                if isinstance(f, ast.FunctionDef) and f.name == value.func.id
            ]
            returned = [n.value for f in made for n in ast.walk(f) if isinstance(n, ast.Return) and n.value]
            return set().union(*(self._keys(v, module) for v in returned if isinstance(v, ast.Dict)))
        if not isinstance(value, ast.Dict):
            return set()
        pairs = list(zip(value.keys, value.values, strict=True))
        own = {str(k.value) for k, _ in pairs if isinstance(k, ast.Constant)}
        return own.union(*(self._keys(v, module) for k, v in pairs if k is None))


def _wrapper(place: Place, kind_name: str, fields: set[str]) -> Function:
    assert place.function is not None
    arguments = place.function.args
    positional = [argument.arg for argument in [*arguments.posonlyargs, *arguments.args]]
    defaults = dict(zip(reversed(positional), reversed(arguments.defaults), strict=False))
    defaults |= {a.arg: d for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d}
    return Function(
        place.module,
        place.function.name,
        kind_name,
        positional.index(kind_name) if kind_name in positional else None,
        defaults.get(kind_name),
        frozenset(_parameters(place.function)),
        arguments.kwarg is not None,
        fields,
    )


def _argument(call: ast.Call, recorder: Function) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == recorder.kind_name:
            return keyword.value
    if recorder.position is not None and recorder.position < len(call.args):
        return call.args[recorder.position]
    return recorder.default


def _parameters(function: ast.FunctionDef) -> set[str]:
    arguments = function.args
    return {a.arg for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}


def _assigned(function: ast.FunctionDef | None, name: str) -> Iterator[ast.expr]:
    for node in ast.walk(function) if function else ():
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == name for t in node.targets
        ):
            yield node.value


def _constant(tree: ast.Module, name: str) -> str:
    """The text that a module gives to a name; empty when it is none."""
    given = [
        str(node.value.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    ]
    return given[-1] if given else ""


def _imported(tree: ast.Module, name: str) -> tuple[str, str] | None:
    """The module that a name comes from, and what it is called there."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if name == (alias.asname or alias.name):
                    return node.module, alias.name
    return None


def recorded_events() -> dict[str, set[str]]:
    """Every kind of event that the source records, with the fields that can be read there."""
    reader = Reader().read()
    assert reader.unreadable == [], "give the kind as text, a constant or a parameter"
    kinds: dict[str, set[str]] = {}
    for kind, fields in reader.kinds.items():
        assert "{}" not in kind or kind in PUT_TOGETHER, f"say in this file what {kind} can be"
        for whole in PUT_TOGETHER.get(kind, {kind}):
            kinds.setdefault(whole, set()).update(fields if whole == kind else set())
    return kinds
