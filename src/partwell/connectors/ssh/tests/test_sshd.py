"""Against a real sshd, with real logins and with the rights of the how-to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncssh
import pytest
import pytest_asyncio

from partwell.connector_kit.contract import ErrorKind, HoldingKind, Identity, Outcome, Verb, Verdict
from partwell.connector_kit.testing import ConnectorContract, World
from partwell.connector_kit.transport import Transport
from partwell.connectors.ssh.shell import Shell
from partwell.connectors.ssh.tests.world import LOOPBACK, Person, connect, is_alive, refused
from tests.servers.running import wait_until
from tests.servers.sshd import SshdServer, run, sudoers_of_the_how_to

pytestmark = pytest.mark.server("sshd")


@pytest.fixture
def server(sshd_server: SshdServer) -> SshdServer:
    return sshd_server


@pytest.fixture
def person(server: SshdServer) -> Person:
    return Person(server)


class TestContract(ConnectorContract):
    @pytest_asyncio.fixture
    async def world(self, server: SshdServer, person: Person) -> AsyncIterator[World]:
        async with await person.sign_in():
            yield World(
                make=lambda: connect(server),
                make_read_only=lambda: connect(server, transport=Transport(LOOPBACK, read_only=True)),
                identity=person.identity,
                unknown=Identity(emails=("nobody@firm.test",), usernames=("nobody-at-all",)),
                missing_id="nobody-at-all",
            )


# -- finding ----------------------------------------------------------------------------------------------


async def test_a_person_is_found_by_what_is_known_of_them(server):
    person = Person(server, comment="Ana Lima <ana@firm.test>,4711")
    by_name = Identity(emails=(), usernames=(person.name.upper(),))
    by_local_part = Identity(emails=(f"{person.name}@Firm.Test",))
    by_comment = Identity(emails=("ANA@firm.test",))
    connector = connect(server, local_parts_of=["firm.test"])
    for identity in (by_name, by_local_part, by_comment):
        (account,) = await connector.discover(identity)
        assert account.login == person.name
        assert account.display_name == "Ana Lima <ana@firm.test>"
    assert await connector.discover(Identity(emails=(), employee_number="4711")) == []
    run("usermod", "-c", f"Somebody,{person.name}-70", person.name)
    numbered = connect(server, match_on=["employee_number"])
    by_number = Identity(emails=(), employee_number=f"{person.name}-7")
    assert await numbered.discover(by_number) == []
    run("usermod", "-c", f"Somebody,{person.name}-7", person.name)
    (account,) = await numbered.discover(by_number)
    assert account.matched_by.startswith("employee number")


async def test_the_local_part_of_somebody_elses_domain_is_not_a_login(server, person):
    stranger = Identity(emails=(f"{person.name}@client.test",))
    assert await connect(server, local_parts_of=["firm.test"]).discover(stranger) == []


@pytest.mark.parametrize(
    "text", ["$(touch /tmp/pwned)", "'; id; '", "-l", "--help", "a b", "*", "ü", "root:x", "\n"]
)
async def test_a_hostile_name_finds_nobody_and_runs_nothing(server, text):
    identity = Identity(emails=(f"{text}@firm.test",), usernames=(text,), employee_number=text)
    assert await connect(server, local_parts_of=["firm.test"]).discover(identity) == []
    with refused(ErrorKind.INVALID):
        await connect(server).suspend(text)


async def test_keys_processes_and_crontab_are_what_an_account_holds(server, person):
    run("crontab", "-u", person.name, _crontab(server, person))
    connector = connect(server)
    async with await person.sign_in():
        held = await connector.holdings(person.name)
    (key,) = [each for each in held if each.kind is HoldingKind.KEY]
    assert key.details["fingerprint"] == person.key.get_fingerprint()
    assert f"{person.name}@laptop" in key.name
    assert "sshd" in {each.name.partition(",")[0] for each in held if each.kind is HoldingKind.SESSION}
    (owned,) = [each for each in held if each.kind is HoldingKind.OWNED]
    assert owned.external_id == f"{server.address}:crontab"


def _crontab(server: SshdServer, person: Person) -> str:
    path = person.home / "jobs"
    path.write_text("# nightly\n0 3 * * * /bin/true\n")
    return str(path)


async def test_everybody_is_listed_and_people_are_told_from_the_systems_own(server, person):
    connector = connect(server, service_accounts=[person.name.upper()])
    listed = {each.login: each async for page in connector.list_accounts() for each in page}
    assert listed["root"].is_protected
    assert listed["root"].nature == listed["nobody"].nature == listed[person.name].nature == "service"
    assert listed[server.service].is_protected
    assert not listed[person.name].is_protected


# -- cutting ----------------------------------------------------------------------------------------------


async def test_locking_the_password_alone_leaves_the_key_working(server, person):
    """What `usermod -L` does not do, and why a block here is more than that."""
    run("usermod", "-L", person.name)
    assert await person.gets_in()
    connector = connect(server)
    assert (await connector.verify(person.name, Verb.SUSPEND)).verdict is Verdict.FAILED

    await connector.block_sign_in(person.name)

    assert not await person.gets_in()


async def test_an_open_connection_outlives_the_block_and_ends_when_it_is_ended(server, person):
    connector = connect(server)
    connection = await person.sign_in()

    await connector.block_sign_in(person.name)

    assert not await person.gets_in()
    assert await is_alive(connection)
    proof = await connector.verify(person.name, Verb.BLOCK_SIGN_IN)
    assert proof.verdict is Verdict.CONFIRMED
    assert proof.still_open > 0
    assert "go on until they are ended" in proof.read
    assert (await connector.verify(person.name, Verb.REVOKE_SESSIONS)).verdict is Verdict.FAILED

    await connector.revoke_sessions(person.name)

    assert (await connector.verify(person.name, Verb.REVOKE_SESSIONS)).verdict is Verdict.CONFIRMED
    assert not await is_alive(connection)
    connection.abort()


async def test_the_probe_is_refused_by_pam_and_only_then_says_so(server, person):
    connector = connect(server)
    assert (await connector.verify(person.name, Verb.SUSPEND)).probe == ""
    await connector.suspend(person.name)
    proof = await connector.verify(person.name, Verb.SUSPEND)
    assert proof.probe == f"becoming it through PAM was refused as expired ({server.address})"


async def test_an_account_without_a_shell_that_has_not_expired_is_not_called_blocked(server, person):
    """Its key still forwards ports."""
    run("usermod", "-s", "/usr/sbin/nologin", person.name)
    connector = connect(server)
    assert (await connector.verify(person.name, Verb.BLOCK_SIGN_IN)).verdict is Verdict.FAILED
    connection = await person.sign_in()
    forwarded, _ = await connection.open_connection("127.0.0.1", server.port)
    assert (await forwarded.readline()).startswith(b"SSH-2.0")
    connection.abort()
    await connector.block_sign_in(person.name)
    assert not await server.connects(person.name, person.key)


async def test_keys_moved_aside_come_back_as_they_were(server, person):
    second = server.let_in(person.name, person.key, file="authorized_keys2")
    before = person.key_file.read_bytes(), person.key_file.stat().st_mode, person.key_file.stat().st_uid
    connector = connect(server)
    snapshot = await connector.snapshot(person.name)

    await connector.revoke_tokens(person.name)

    assert not person.key_file.exists()
    assert not second.exists()
    assert not await person.gets_in()
    assert (await connector.verify(person.name, Verb.REVOKE_TOKENS)).verdict is Verdict.CONFIRMED

    await connector.restore(person.name, Verb.REVOKE_TOKENS, snapshot)

    again = person.key_file.read_bytes(), person.key_file.stat().st_mode, person.key_file.stat().st_uid
    assert again == before
    assert second.exists()
    assert await person.gets_in()


async def test_everything_is_restored_as_it_was(server, person):
    run("chage", "-E", "2099-12-31", person.name)
    connector = connect(server)
    snapshot = await connector.snapshot(person.name)
    state = run("getent", "passwd", person.name), run("getent", "shadow", person.name)
    for verb in (Verb.SUSPEND, Verb.REMOVE_ENTITLEMENTS):
        await getattr(connector, verb.value)(person.name)
        assert not await person.gets_in() or verb is Verb.REMOVE_ENTITLEMENTS
    assert (await connector.read(person.name)).is_active is False
    for verb in (Verb.SUSPEND, Verb.REMOVE_ENTITLEMENTS):
        await connector.restore(person.name, verb, snapshot)
    assert (run("getent", "passwd", person.name), run("getent", "shadow", person.name)) == state
    assert person.group in run("id", "-nG", person.name).split()
    assert await person.gets_in()
    again = await connector.restore(person.name, Verb.SUSPEND, snapshot)
    assert again.outcome is Outcome.ALREADY_DONE


async def test_an_account_that_was_locked_before_stays_locked_when_restored(server, person):
    run("usermod", "-L", person.name)
    connector = connect(server)
    snapshot = await connector.snapshot(person.name)
    await connector.suspend(person.name)
    await connector.restore(person.name, Verb.SUSPEND, snapshot)
    assert run("passwd", "-S", person.name).split()[1] == "L"


async def test_a_sudo_rule_of_ones_own_is_told_and_not_called_gone(server, person):
    rule = server.add_sudo_rule(person.name, f"{person.name} ALL = (root) NOPASSWD: /usr/bin/id\n")
    connector = connect(server)
    account = await person.account(connector)
    assert {each.kind for each in account.entitlements} == {"group", "sudo"}
    await connector.remove_entitlements(person.name)
    proof = await connector.verify(person.name, Verb.REMOVE_ENTITLEMENTS)
    assert proof.verdict is Verdict.FAILED
    assert "/usr/bin/id" in proof.read
    with refused(ErrorKind.UNSUPPORTED) as refusal:
        await connector.remove_entitlements(person.name)
    assert "visudo" in refusal.value.message
    rule.unlink()
    assert (await connector.verify(person.name, Verb.REMOVE_ENTITLEMENTS)).verdict is Verdict.CONFIRMED


async def test_a_rule_of_a_group_goes_with_the_group(server, person):
    server.add_sudo_rule(person.group, f"%{person.group} ALL = (root) /usr/bin/id\n")
    connector = connect(server)
    assert "sudo" in {each.kind for each in (await person.account(connector)).entitlements}
    await connector.remove_entitlements(person.name)
    proof = await connector.verify(person.name, Verb.REMOVE_ENTITLEMENTS)
    assert proof.verdict is Verdict.CONFIRMED


async def test_a_folder_of_keys_that_is_a_link_is_left_to_a_person(server, person):
    """Root would follow it, and move somebody else's keys."""
    victim = Person(server)
    folder = person.key_file.parent
    person.key_file.unlink()
    folder.rmdir()
    folder.symlink_to(victim.key_file.parent)
    connector = connect(server)
    with refused(ErrorKind.CONFLICT):
        await connector.revoke_tokens(person.name)
    assert await victim.gets_in()
    assert (await connector.verify(person.name, Verb.REVOKE_TOKENS)).verdict is Verdict.FAILED


async def test_a_link_in_place_of_the_keys_is_moved_and_not_followed(server, person):
    elsewhere = person.home / "keys"
    person.key_file.rename(elsewhere)
    person.key_file.symlink_to(elsewhere)
    connector = connect(server)
    (key,) = [each for each in await connector.holdings(person.name) if each.kind is HoldingKind.KEY]
    assert "not followed" in key.name
    await connector.revoke_tokens(person.name)
    assert not person.key_file.is_symlink()
    assert elsewhere.exists()
    assert not await person.gets_in()


async def test_what_restarts_itself_is_ended_once_the_account_is_blocked(server, person):
    """A process that ignores every polite signal."""
    connection = await person.sign_in()
    process = await connection.create_process("trap '' HUP TERM INT; while :; do /bin/sleep 100; done")
    connector = connect(server)
    wait_until(lambda: "sleep" in _programs(person), seconds=20, what="the loop")
    await connector.block_sign_in(person.name)
    await connector.revoke_sessions(person.name)
    assert (await connector.verify(person.name, Verb.REVOKE_SESSIONS)).verdict is Verdict.CONFIRMED
    assert _programs(person) == []
    process.close()
    connection.abort()


def _programs(person: Person) -> list[str]:
    """What runs as the person. What was killed, and only waits to be counted, does not run."""
    try:
        lines = run("ps", "-o", "state=,comm=", "-U", person.name).splitlines()
    except RuntimeError:
        return []
    return [line.split()[1] for line in lines if not line.startswith("Z")]


# -- left alone -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["own", "listed", "last administrator", "same number"])
async def test_protected_logins_are_never_touched(server, person, which):
    settings = {}
    name = person.name
    match which:
        case "own":
            name = server.service
        case "listed":
            settings = {"protected": [name.upper()]}
        case "last administrator":
            run("gpasswd", "-a", server.service, person.group)
            settings = {"admin_groups": [person.group]}
        case "same number":
            twin = server.name()
            server.logins.append(twin)
            run("useradd", "-o", "-u", run("id", "-u", name).strip(), "-M", twin)
    connector = connect(server, **settings)
    account = await connector.read(name)
    assert account.is_protected, which
    before = run("getent", "shadow", name)
    for verb in (Verb.BLOCK_SIGN_IN, Verb.SUSPEND):
        with refused(ErrorKind.CONFLICT):
            await getattr(connector, verb.value)(name)
    assert run("getent", "shadow", name) == before
    if which == "same number":
        run("userdel", twin)


@pytest.mark.parametrize("name", ["root", "daemon"])
async def test_the_systems_own_logins_are_out_of_reach_by_the_rights_of_the_how_to(server, name):
    before = run("getent", "shadow", name)
    with refused(ErrorKind.DENIED):
        await connect(server).suspend(name)
    assert run("getent", "shadow", name) == before


async def test_an_administrator_with_an_active_colleague_can_be_cut(server, person):
    colleague = Person(server)
    run("gpasswd", "-a", colleague.name, person.group)
    connector = connect(server, admin_groups=[person.group])
    assert not (await connector.read(person.name)).is_protected
    run("chage", "-E", "1", colleague.name)
    assert (await connector.read(person.name)).is_protected


# -- rights -----------------------------------------------------------------------------------------------


async def test_the_test_of_the_connection_names_each_command_that_sudo_does_not_allow(server):
    limited, key = server.name(), asyncssh.generate_private_key("ssh-ed25519")
    server.add_login(limited, shell="/bin/sh")
    server.let_in(limited, key)
    rules = sudoers_of_the_how_to(limited).replace(f", {limited.upper()}_RESTORES\n", "\n")
    server.add_sudo_rule(limited, rules)
    connector = connect(server, user=limited)
    connector.connection.secrets._environ["SSH_KEY"] = key.export_private_key().decode()
    report = await connector.test()
    assert not report.ok
    assert len(report.problems) == 5
    assert any("/usr/sbin/usermod -U -- somebody" in problem for problem in report.problems)
    assert not any("chage -E 1 " in problem for problem in report.problems)


async def test_the_rights_of_the_how_to_allow_nothing_beside(server):
    """Arguments that only look like those of the how-to."""
    connector = connect(server)
    refusals = {
        ("/usr/bin/cut", "-d:", "-f1,2", "--", "/etc/shadow"),
        ("/usr/bin/head", "-c", "1048576", "--", "/etc/shadow"),
        ("/usr/bin/head", "-c", "1048576", "--", "/home/../root/.ssh/authorized_keys"),
        ("/usr/bin/stat", "-c", "%u %F", "--", "/home/a /root/.ssh"),
        ("/usr/bin/su", "-s", "/bin/sh", "--", "root"),
        ("/usr/bin/su", "-s", "/usr/bin/true", "--", "root", "x"),
        ("/usr/bin/passwd", "-S", "--", "root", "--delete"),
        ("/usr/bin/mv", "--backup=numbered", "-T", "--", "/etc/shadow", "/tmp/shadow"),
        ("/usr/sbin/usermod", "-s", "/usr/sbin/nologin", "-o", "-u", "0", "--", "somebody"),
        ("/usr/bin/chage", "-E", "1"),
        ("/usr/sbin/useradd", "somebody"),
        ("/bin/sh",),
    }

    async def try_each(_: str, shell: Shell) -> set[tuple[str, ...]]:
        tried = {
            command: await shell.run("/usr/bin/sudo", "-n", "-l", "--", *command, expect=(0, 1))
            for command in refusals
        }
        return {command for command, done in tried.items() if done.status == 1}

    answers = await connector._fleet.each(try_each)
    assert answers.by_host == {server.address: refusals}
