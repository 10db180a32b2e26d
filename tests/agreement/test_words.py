"""What people read names no machine of ours, no way of working, and does without filler."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).relative_to(ROOT)
TEXTS = {"", ".py", ".md", ".html", ".txt", ".yaml", ".yml", ".toml", ".css", ".js", ".json"}
NOT_OURS = ("src/partwell/web/static/vendor/", "LICENSE", "uv.lock")
# What only people read, and what the product says to them. Code may say "just" in a name of another's.
PROSE = re.compile(r"(\.md|\.html|templates/.*\.txt|library/.*\.yaml)$")

EVERYWHERE = {
    "a path of one machine": r"(?<![\w.])/(?:work|root|Users)/\w|/home/\w+/|\.pyenv",
    "a host of one network": r"\b(?:artifactory|nexus|devpi)\b|\.corp\b|find-links|:8081/simple",
    "how it was made": r"\b(?:LLM|ChatGPT|GPT-\d|Copilot|Anthropic|language model"
    r"|AI[- ](?:agent|assistant|generated)|coding agent|sub-?agent|helper session|as an AI)\b",
    "a note to ourselves": r"\b(?:TODO|FIXME|XXX|HACK)\b",
    "what will be": r"\bcoming soon\b|\bplaceholder text\b|\blorem ipsum\b",
}
IN_PROSE = {
    "filler": r"\b(?:simply|obviously|oops|seamless(?:ly)?|effortless(?:ly)?|robust|leverage[sd]?"
    r"|cutting-edge|world-class|blazing)\b",
    "an unkind word": r"\bterminated (?:employee|person|user|colleague|staff)\b|\bwhitelist|\bblacklist",
}


def files() -> list[Path]:
    """Every text of ours that git keeps, this test and what others wrote left out."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\n")
    kept = [name for name in listed if name and not name.startswith(NOT_OURS) and name != str(HERE)]
    return [ROOT / n for n in kept if (ROOT / n).is_file() and Path(n).suffix in TEXTS]


def found(pattern: str, paths: list[Path]) -> list[str]:
    wanted = re.compile(pattern, re.I if "LLM" not in pattern and "TODO" not in pattern else 0)
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in paths
        for number, line in enumerate(path.read_text(errors="ignore").splitlines(), 1)
        if wanted.search(line)
    ]


@pytest.fixture(scope="module")
def texts() -> list[Path]:
    listed = files()
    assert len(listed) > 200
    return listed


@pytest.mark.parametrize("what", EVERYWHERE)
def test_no_text_holds(what: str, texts: list[Path]) -> None:
    assert found(EVERYWHERE[what], texts) == []


@pytest.mark.parametrize("what", IN_PROSE)
def test_no_prose_holds(what: str, texts: list[Path]) -> None:
    prose = [path for path in texts if PROSE.search(str(path.relative_to(ROOT)))]
    assert len(prose) > 50
    assert found(IN_PROSE[what], prose) == []
