"""A dry run shows the commands that each host would be given, and runs none."""

from __future__ import annotations

from pathlib import Path

import pytest

from partwell.connector_kit.calls import Notes
from partwell.connector_kit.transport import Transport
from partwell.connectors.ssh.tests.world import LOOPBACK, Person, connect, is_alive

pytestmark = pytest.mark.server("sshd")
SUDO = "/usr/bin/env LC_ALL=C /usr/bin/sudo -n -- "


async def test_each_verb_shows_its_commands_and_the_host_stays_as_it_is(sshd_server):
    person = Person(sshd_server)
    key = str(person.key_file)
    kept = [Path(each) for each in ("/etc/passwd", "/etc/shadow", "/etc/group", key)]
    before = [path.read_bytes() for path in kept]
    connector = connect(sshd_server, transport=Transport(LOOPBACK, read_only=True, notes=Notes()))
    expected = {
        "block_sign_in": [
            f"/usr/bin/chage -E 1 -- {person.name}",
            f"/usr/sbin/usermod -s /usr/sbin/nologin -- {person.name}",
        ],
        "revoke_sessions": [f"/usr/bin/pkill -KILL -U {Path(person.home).stat().st_uid}"],
        "revoke_tokens": [f"/usr/bin/mv --backup=numbered -T -- {key} {key}.partwell"],
        "suspend": [
            f"/usr/bin/chage -E 1 -- {person.name}",
            f"/usr/sbin/usermod -s /usr/sbin/nologin -- {person.name}",
            f"/usr/sbin/usermod -L -- {person.name}",
        ],
        "remove_entitlements": [f"/usr/bin/gpasswd -d {person.name} {person.group}"],
    }
    async with await person.sign_in() as session:
        for verb, commands in expected.items():
            await getattr(connector, verb)(person.name)
            calls, _ = connector.connection.transport.notes.take()
            assert [(each.method, each.target, each.body) for each in calls] == [
                ("run", sshd_server.address, SUDO + command) for command in commands
            ]
        assert await is_alive(session)
    assert [path.read_bytes() for path in kept] == before
    assert await person.gets_in()


async def test_a_host_that_does_not_answer_is_named_beside_what_the_others_would_be_given(sshd_server):
    person = Person(sshd_server)
    connector = connect(
        sshd_server,
        hosts=[sshd_server.address, "localhost:1"],
        transport=Transport(LOOPBACK, read_only=True, notes=Notes()),
    )
    receipt = await connector.remove_entitlements(person.name)
    calls, _ = connector.connection.transport.notes.take()
    assert [each.target for each in calls] == [sshd_server.address]
    assert "localhost:1" in receipt.summary
