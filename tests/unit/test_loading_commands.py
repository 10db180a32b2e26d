"""Which modules a command line imports: no more than it needs, and never too few."""

from __future__ import annotations

from functools import cache

import pytest
import typer

from partwell.cli import main


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    """An application in which nothing is mounted yet."""
    return forget(monkeypatch)


def forget(monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.setattr(main, "_mount", cache(main._mount.__wrapped__))
    fresh = typer.Typer()
    fresh.callback()(main.partwell_)
    monkeypatch.setattr(main, "app", fresh)
    return fresh


def words_of(app: typer.Typer) -> set[str]:
    return set(typer.main.get_group(app).commands)


def test_every_word_mounts_itself(app: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    main.load_commands()
    everything = words_of(app)
    assert {"journeys", "clients", "up"} <= everything
    for word in everything:
        fresh = forget(monkeypatch)
        main.load_commands_for(word)
        assert word in words_of(fresh)


@pytest.mark.parametrize(
    ("word", "expected"), [("tokens", {"tokens"}), ("up", {"init", "web", "worker", "up"})]
)
def test_a_word_mounts_what_it_names_alone(app: typer.Typer, word: str, expected: set[str]) -> None:
    main.load_commands_for(word)
    assert words_of(app) == expected


@pytest.mark.parametrize("word", ["", "--help", "output", "unheard"])
def test_a_word_that_names_nothing_mounts_everything(app: typer.Typer, word: str) -> None:
    main.load_commands_for(word)
    assert {"tokens", "clients", "up", "journeys"} <= words_of(app)
