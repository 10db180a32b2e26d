"""Templates beside each other through the API."""

from __future__ import annotations

from tests.compared_templates import NEWER, OTHER
from tests.factories import publish
from tests.integration.api.conftest import Api


def test_what_differs_is_shared_and_waits_is_told_to_programs(hr: Api, firm: dict) -> None:
    publish(NEWER)
    publish(OTHER)
    changed = hr.get("/templates/small/difference").json()
    assert (changed["old_version"], changed["new_version"], changed["count"]) == (1, 2, 3)
    assert [step["key"] for step in changed["changed"]] == ["confirm", "extra"]
    assert hr.get("/templates/small/difference?from=2&to=1").json()["new_version"] == 1
    assert hr.get("/templates/small-client/difference").json()["code"] == "no_earlier_version"
    assert hr.get("/templates/small/difference?to=9").status_code == 404
    beside = hr.get("/templates/small/comparison?with=small-client@1&version=1").json()
    assert (beside["left"]["version"], beside["counts"]["same_key"]) == (1, 6)
    assert {pair["likeness"] for phase in beside["phases"] for pair in phase["steps"]} == {"same_key"}
    assert hr.get("/templates/small/comparison").status_code == 422
    assert hr.get("/templates/small/comparison?with=none").status_code == 404
    waits = hr.get("/templates/small/dependencies").json()
    assert waits["longest"] == ["confirm", "approve-access-plan", "cut-access"]
    assert waits["holding_up"][0] == {"key": "confirm", "steps": 4}
