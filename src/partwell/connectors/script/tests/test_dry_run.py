"""A dry run shows the command with its input, and starts it only to read."""

from __future__ import annotations

import pytest

from partwell.connector_kit.calls import Notes
from partwell.connectors.script.tests.connecting import PIN, Till


@pytest.fixture
def till(tmp_path):
    return Till(tmp_path)


@pytest.fixture
def person(till):
    return till.add_person()


async def test_each_verb_shows_the_command_and_its_input_and_the_file_stays_as_it_is(till, person):
    before = till.file.read_bytes()
    login = till.row(person)[1]
    connector = till.connect(read_only=True)
    notes = connector.connection.transport.notes = Notes()
    notes.hide(PIN)
    program = str(till.folder / "accounts.py")
    for verb in ("revoke_sessions", "suspend", "remove_entitlements"):
        await getattr(connector, verb)(person)
        (call,), _ = notes.take()
        assert (call.method, call.target) == ("run", f"/usr/bin/env python3 {program}")
        assert call.body == {
            "version": 1,
            "do": verb,
            "settings": {"file": str(till.file)},
            "account": {"id": person, "login": login},
        }
        assert PIN not in repr(call)
    assert till.file.read_bytes() == before


async def test_the_command_is_not_started_to_change_anything(till, person, tmp_path):
    log = tmp_path / "asked"
    text = (till.folder / "accounts.py").read_text()
    # It writes down each question that it gets.
    noting = (
        "import sys, io\nquestion = sys.stdin.read()\nsys.stdin = io.StringIO(question)\n"
        f"open({str(log)!r}, 'a').write(question)\n"
    )
    till.with_script(noting + text)
    connector = till.connect(read_only=True)
    connector.connection.transport.notes = Notes()
    await connector.suspend(person)
    assert '"do": "read"' in log.read_text()
    assert '"do": "suspend"' not in log.read_text()
    await till.connect().suspend(person)
    assert '"do": "suspend"' in log.read_text()
