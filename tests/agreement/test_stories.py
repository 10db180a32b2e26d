"""What every story in Chromium keeps to, so that none fails on a slower machine."""

from __future__ import annotations

import re
from pathlib import Path

STORIES = Path(__file__).parents[1] / "stories"
# A press returns when the browser has heard it, perhaps before it has left the old page.
JUDGED_TOO_SOON = re.compile(r"get_by_role\(\"link\".*\.click\(\)\n\s+axe\(")


def test_no_story_judges_a_page_before_its_link_was_followed() -> None:
    found = {path.name: JUDGED_TOO_SOON.findall(path.read_text()) for path in STORIES.glob("*.py")}
    assert len(found) > 10
    assert {name: places for name, places in found.items() if places} == {}
