"""The page of proofs names every proof that there is, and none that there is not."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "proofs.md"
PROOFS = ROOT / "tests" / "proofs"
ROW = re.compile(r"^\| (\d+) \|(.*)\|$", re.M)


def rows(heading: str) -> dict[int, str]:
    """The numbered rows of the table under that heading."""
    part = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return {int(number): rest for number, rest in ROW.findall(part)}


def proofs() -> dict[int, list[str]]:
    """The files of each proof, by its number."""
    found: dict[int, list[str]] = {}
    for path in sorted(PROOFS.glob("test_*.py")):
        number = re.match(r"test_(\d+)_", path.name)
        assert number is not None, f"{path.name} has no number of its promise"
        found.setdefault(int(number[1]), []).append(path.name)
    return found


def test_every_proof_has_its_row_with_its_file() -> None:
    promises = rows("Promises")
    missing = [
        name
        for number, names in proofs().items()
        for name in names
        if f"`{name}`" not in promises.get(number, "")
    ]
    assert missing == []


def test_no_row_names_a_proof_that_is_not_there() -> None:
    named = {
        (number, name)
        for number, row in rows("Promises").items()
        for name in re.findall(r"`(test_\w+\.py)`", row)
    }
    there = {(number, name) for number, names in proofs().items() for name in names}
    assert named - there == set()


def test_every_proof_says_what_was_last_seen_and_no_other_does() -> None:
    assert rows("Last seen").keys() == proofs().keys()


def test_every_promise_without_a_proof_is_named_as_such() -> None:
    assert rows("Promises").keys() - proofs().keys() == rows("Not proven").keys()
