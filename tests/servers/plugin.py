"""What could not be had is named at the end of the run; with `CI=true` it is a failure, not a skip."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.catalogue import server

_missing = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_missing] = {}


def require(request: pytest.FixtureRequest | pytest.Item, name: str) -> None:
    """Go on when the server `name` is here; else skip and remember it, or fail with `CI=true`."""
    reason = server(name).missing()
    if not reason:
        return
    remember(request, name, reason)
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"{name} could not be had: {reason}", pytrace=False)
    pytest.skip(f"{name} could not be had: {reason}")


def remember(request: pytest.FixtureRequest | pytest.Item, name: str, reason: str) -> None:
    """Have it said at the end of the run that `name` could not be had, and why."""
    request.config.stash[_missing][name] = reason


# Servers that one worker starts for all; who needs several goes with the first of them.
SHARED = ("samba_ad_server", "sshd_server", "synapse_server", "aws_server")


# Around all others: xdist reads the groups in the same hook, and Django's plugin puts last what needs no
# database.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Samba's ports are fixed, and this machine has one list of logins: one worker runs all tests that need
    either, and the others need not wait. Who needs both goes with Samba, which takes the longest. Of others
    that take their time to start, one is enough for all workers.

    What one worker runs alone begins early, and first of all what mostly waits for processes of its own: left
    for the end, the others would have nothing to do beside it."""
    for item in items:
        for fixture in SHARED:
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group(fixture))
                break
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)
    yield
    items.sort(key=lambda item: item.get_closest_marker("waits") is None)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fail where xdist does not keep groups together, instead of letting tests wait for each other."""
    if not getattr(session.config.option, "loadgroup", False):
        return
    for item in session.items:
        if item.get_closest_marker("xdist_group") and "@" not in item.nodeid:
            raise pytest.UsageError(f"{item.nodeid}: this xdist does not know the groups of this pytest")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("server"):
        require(item, mark.args[0])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    missing = config.stash.get(_missing, {})
    if missing:
        terminalreporter.section("What could not be had; what it proves was not proven")
        for name, reason in sorted(missing.items()):
            terminalreporter.write_line(f"{name}: {reason}")


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this run's servers keep their data."""
    return tmp_path_factory.mktemp("servers")
