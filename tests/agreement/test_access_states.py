"""The reference page shows the states that the code has."""

from __future__ import annotations

import re
from pathlib import Path

from partwell.access.diagram import mermaid
from partwell.access.states import AccessState, AlertKind, PlanState
from partwell.access.summaries import ALERTS

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "access-states.md").read_text()


def test_the_diagram_is_the_table_of_transitions() -> None:
    assert mermaid() in PAGE, "print(partwell.access.diagram.mermaid()) into the page"


def test_every_state_is_explained() -> None:
    for state in (*AccessState, *PlanState):
        assert f"| {state} |" in PAGE


def test_every_alert_is_explained_and_has_a_title_of_its_own() -> None:
    explained = set(re.findall(r"^\| `(\w+)` \|", PAGE.split("## Alerts")[1], re.M))
    assert explained == set(AlertKind) == set(ALERTS)
