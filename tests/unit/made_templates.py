"""Templates that hypothesis makes: few keys, so that two of them have steps in common."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from partwell.journeys.template.model import EvidenceKind, StepKind, Template
from partwell.people.roles import Role

KEYS = [f"step-{n}" for n in range(9)]
TEXTS = st.lists(st.sampled_from(["tell", "them", "the", "date", "\n\n", "twice"]), max_size=8).map(" ".join)


def a_step(key: str, **fields: Any) -> dict[str, Any]:
    return {"key": key, "phase": 1, "title": f"Do {key}", "role": "hr", "due": "notice"} | fields


def a_template(*steps: dict[str, Any], **fields: Any) -> Template:
    shape = {
        "id": "made",
        "title": "A made template",
        "summary": "Made for a test, with steps that it needs.",
        "audience": "staff",
        "initiated_by": "leaver",
        "reasons": ["pay"],
    }
    return Template.model_validate(shape | fields | {"steps": steps})


def _steps(keys: list[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.tuples(*(_step(key) for key in keys)).map(list)


def _step(key: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda **fields: a_step(key, **fields),
        phase=st.integers(1, 3),
        title=st.sampled_from(["Tell them", "Tell everybody", "Ask them"]),
        guidance=TEXTS,
        role=st.sampled_from([Role.HR, Role.FINANCE, Role.DEPARTING]),
        due=st.sampled_from(["notice", "last_working_day -5 days"]),
        needs=st.lists(st.sampled_from(KEYS), max_size=3, unique=True),
        evidence=st.sampled_from(EvidenceKind),
        kind=st.sampled_from([StepKind.TASK, StepKind.APPROVAL]),
        guide=st.lists(st.sampled_from(["M1", "J1", "W1"]), max_size=2, unique=True),
    )


templates: st.SearchStrategy[Template] = st.builds(
    lambda steps, **fields: a_template(*steps, **fields),
    steps=st.lists(st.sampled_from(KEYS), min_size=1, unique=True).flatmap(_steps),
    title=st.sampled_from(["A made template", "Another made template"]),
    audience=st.sampled_from(["staff", "client"]),
    reasons=st.lists(st.sampled_from(["pay", "moving"]), min_size=1, unique=True),
    empty_phases=st.dictionaries(st.integers(4, 10), st.sampled_from(["no use", "none"]), max_size=3),
    empty_roles=st.dictionaries(st.sampled_from([Role.LEGAL, Role.EXECUTIVE]), st.just("none"), max_size=2),
)
