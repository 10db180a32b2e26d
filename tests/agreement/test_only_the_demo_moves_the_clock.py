"""`clock.standing_at` gives the demo its past; nothing that real people use may turn the clock."""

from __future__ import annotations

from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "partwell"


def test_only_the_demo_moves_the_clock() -> None:
    users = {
        path.relative_to(SOURCE).parts[0]
        for path in SOURCE.rglob("*.py")
        if "standing_at" in path.read_text(encoding="utf-8")
    }
    assert users == {"clock.py", "demo"}
