"""What hosts say when they are not well: each is an error or told, and none is "there is no account"."""

from __future__ import annotations

from pathlib import Path

import asyncssh
import pytest
import yaml

from partwell.connector_kit.addresses import AddressRefused, AllowList
from partwell.connector_kit.contract import ErrorKind, Identity, Outcome, Verb, Verdict
from partwell.connector_kit.limiter import Limiter, rates_of
from partwell.connector_kit.transport import Transport
from partwell.connectors.ssh.connection import MAX_OUTPUT_BYTES
from partwell.connectors.ssh.shell import command_line
from partwell.connectors.ssh.tests.scripted import HANGS, HEALTHY, KEY, connect_to, scripted
from partwell.connectors.ssh.tests.world import refused
from tests.servers.running import free_port

ANA = Identity(emails=(), usernames=("ana",))
NOBODY = Identity(emails=(), usernames=("nobody-at-all",))
SUDO_REFUSES = (1, "", "sudo: a password is required\n")


# -- hosts that do not answer -----------------------------------------------------------------------------


async def test_a_host_that_is_down_is_named_and_the_account_on_the_others_is_found():
    async with scripted() as web:
        connector = connect_to({"web-1": web, "web-2": free_port()})
        (account,) = await connector.discover(ANA)
        assert account.is_active
        assert account.open_sessions is None
        assert "web-2" in account.details["not_asked"]
        assert (await connector.read("ana")).details["not_asked"]


async def test_somebody_on_no_host_that_answers_is_not_called_without_account():
    async with scripted() as web:
        connector = connect_to({"web-1": web, "web-2": free_port()})
        for asking in (connector.discover(NOBODY), connector.read("nobody-at-all")):
            with refused(ErrorKind.RETRYABLE) as refusal:
                await asking
            assert "web-2" in refusal.value.message
            assert "not every host answered" in refusal.value.message


async def test_the_others_are_cut_and_the_proof_waits_for_the_host_that_is_down():
    async with scripted() as web:
        connector = connect_to({"web-1": web, "web-2": free_port()})
        receipt = await connector.suspend("ana")
        assert receipt.outcome is Outcome.ACCEPTED
        assert "web-2" in receipt.summary
        assert web.writes == ["chage", "usermod", "usermod"]
        _suspend(web)
        proof = await connector.verify("ana", Verb.SUSPEND)
        assert proof.verdict is Verdict.PENDING
        assert "what is there is unknown" in proof.read
        assert proof.retry_until.isoformat() == "2026-11-28T16:30:00+00:00"


async def test_a_host_that_comes_back_uncut_is_shown_as_such():
    async with scripted() as web, scripted() as back:
        _suspend(web)
        connector = connect_to({"web-1": web, "web-2": back})
        proof = await connector.verify("ana", Verb.SUSPEND)
        assert proof.verdict is Verdict.FAILED
        assert "web-2" in proof.read
        assert (await connector.read("ana")).is_active
        receipt = await connector.suspend("ana")
        assert receipt.outcome is Outcome.DONE
        assert web.writes == []
        assert back.writes == ["chage", "usermod", "usermod"]


async def test_when_no_host_answers_nothing_is_said_to_be_done():
    connector = connect_to({"web-1": free_port()}, known_hosts="web-1 ssh-ed25519 AAAA\n")
    for asking in (
        connector.discover(ANA),
        connector.read("ana"),
        connector.snapshot("ana"),
        connector.suspend("ana"),
        connector.holdings("ana"),
        connector.verify("ana", Verb.SUSPEND),
    ):
        with refused(ErrorKind.RETRYABLE):
            await asking


async def test_everybody_and_holdings_are_whole_or_an_error():
    async with scripted() as web:
        connector = connect_to({"web-1": web, "web-2": free_port()})
        with refused(ErrorKind.RETRYABLE):
            [page async for page in connector.list_accounts()]
        with refused(ErrorKind.RETRYABLE):
            await connector.holdings("ana")


async def test_restoring_where_a_host_was_not_seen_before_is_a_persons_task():
    async with scripted() as web, scripted() as other:
        snapshot = await connect_to({"web-1": web, "web-2": free_port()}).snapshot("ana")
        (missing,) = snapshot.state["not_seen"]
        assert missing.startswith("web-2")
        _suspend(web), _suspend(other)
        connector = connect_to({"web-1": web, "web-2": other})
        snapshot.state["not_seen"][:] = [f"web-2:{other.port}"]
        with refused(ErrorKind.CONFLICT) as refusal:
            await connector.restore("ana", Verb.SUSPEND, snapshot)
        assert "not known" in refusal.value.message
        assert "chage" in web.writes
        assert other.writes == []


async def test_a_protected_login_on_one_host_is_left_alone_on_all():
    async with scripted() as web, scripted(getent_group=(0, "sudo:x:27:ana\nana:x:1001:\n", "")) as other:
        connector = connect_to({"web-1": web, "web-2": other})
        assert (await connector.read("ana")).is_protected
        with refused(ErrorKind.CONFLICT) as refusal:
            await connector.suspend("ana")
        assert "last active account in the group sudo" in refusal.value.message
        assert web.writes == other.writes == []


def _suspend(host) -> None:
    passwd = HEALTHY["getent passwd"][1].replace("/home/ana:/bin/bash", "/home/ana:/usr/sbin/nologin")
    host.answers |= {
        "getent passwd": (0, passwd, ""),
        "cut": (0, "root:\npartwell:\nana:1\n", ""),
        "passwd": (0, "ana L 2026-01-01 0 99999 7 -1\n", ""),
        "su": (1, "", "Your account has expired; please contact your system administrator.\n"),
    }


# -- hosts that answer strangely --------------------------------------------------------------------------

STRANGE = {
    "getent passwd": [
        (0, "", ""),
        (0, "Welcome to web-1!\n", ""),
        (1, "", "segfault"),
        (0, "ana:x:a:b:::\n", ""),
    ],
    "getent group": [(0, "hello\n", ""), (2, "", "")],
    "cut": [(0, "Welcome\n", ""), (1, "", "cut: /etc/shadow: Permission denied"), (0, "ana:soon\n", "")],
    "cat": [(1, "", "No such file or directory")],
    "id": [(0, "", ""), (0, "ana\n", ""), (1, "", "id: 'ana': no such user")],
    "passwd": [(0, "", ""), (0, "ana ? 2026\n", ""), (0, "bob L 2026\n", ""), (1, "", "")],
    "sudo": [(0, "", ""), (0, "Welcome\n", ""), (1, "", "sudo: unknown user")],
    "stat": [(0, "", ""), (0, "what\n", ""), (1, "", "stat: Permission denied"), (2, "", "")],
    "ps": [(1, "", "error: /proc must be mounted"), (0, "what\n", ""), (2, "", "")],
}


@pytest.mark.parametrize(
    ("program", "answer"), [(name, answer) for name, answers in STRANGE.items() for answer in answers]
)
async def test_an_answer_that_is_not_as_expected_is_an_error_and_never_absence(program, answer):
    async with scripted() as web:
        web.answers[program] = answer
        connector = connect_to({"web-1": web})
        for asking in (
            connector.discover(ANA),
            connector.read("ana"),
            connector.suspend("ana"),
            connector.revoke_sessions("ana"),
            connector.verify("ana", Verb.REVOKE_SESSIONS),
        ):
            with refused(ErrorKind.RETRYABLE):
                await asking
        assert web.writes == []


@pytest.mark.parametrize("program", ["cut", "passwd", "ps", "stat"])
async def test_what_sudo_refuses_is_denied_and_never_absence(program):
    """sudo ends with 1, as `ps` does when nothing runs."""
    async with scripted() as web:
        web.answers[program] = SUDO_REFUSES
        connector = connect_to({"web-1": web})
        for asking in (connector.read("ana"), connector.verify("ana", Verb.REVOKE_SESSIONS)):
            with refused(ErrorKind.DENIED) as refusal:
                await asking
            assert program in refusal.value.message


async def test_a_kill_that_sudo_refuses_is_denied_and_not_done():
    async with scripted(ps=(0, "  41 S 10 bash\n", ""), pkill=SUDO_REFUSES) as web:
        with refused(ErrorKind.DENIED):
            await connect_to({"web-1": web}).revoke_sessions("ana")


async def test_a_crontab_that_cannot_be_read_is_an_error_and_a_host_without_cron_has_none():
    async with scripted(crontab=(1, "", "must be privileged to use -u\n")) as web:
        with refused(ErrorKind.RETRYABLE):
            await connect_to({"web-1": web}).holdings("ana")
        web.answers["crontab"] = (1, "", "sudo: /usr/bin/crontab: command not found\n")
        assert await connect_to({"web-1": web}).holdings("ana") == []


async def test_a_write_that_fails_is_told_and_not_called_done():
    async with scripted(usermod=(1, "", "usermod: cannot lock /etc/passwd; try again later.\n")) as web:
        with refused(ErrorKind.RETRYABLE) as refusal:
            await connect_to({"web-1": web}).suspend("ana")
        assert "cannot lock" in refusal.value.message


async def test_ended_processes_that_wait_to_be_counted_are_not_running():
    async with scripted(ps=(0, "  41 Z 10 sshd <defunct>\n", "")) as web:
        connector = connect_to({"web-1": web})
        assert (await connector.verify("ana", Verb.REVOKE_SESSIONS)).verdict is Verdict.CONFIRMED
        assert (await connector.revoke_sessions("ana")).outcome is Outcome.ALREADY_DONE


async def test_a_probe_that_lets_root_through_proves_nothing_and_fails_nothing():
    async with scripted() as web:
        _suspend(web)
        connector = connect_to({"web-1": web})
        proof = await connector.verify("ana", Verb.SUSPEND)
        assert (proof.verdict, "refused as expired" in proof.probe) == (Verdict.CONFIRMED, True)
        web.answers["su"] = (0, "", "")
        proof = await connector.verify("ana", Verb.SUSPEND)
        assert "says nothing of sshd" in proof.probe
        web.answers["su"] = SUDO_REFUSES
        assert (await connector.verify("ana", Verb.SUSPEND)).probe == ""


async def test_an_account_of_a_directory_is_found_by_name_and_cut_there():
    line = "bea:x:200001:200001:Bea:/home/bea:/bin/bash\n"
    async with scripted(ps=(0, "  41 S 10 bash\n", "")) as web:
        web.answers["getent passwd --"] = (2, line, "")
        connector = connect_to({"web-1": web})
        (account,) = await connector.discover(Identity(emails=(), usernames=("bea",)))
        assert account.is_active is None
        assert not account.is_protected
        assert "from a directory" in account.details["hosts"]
        with refused(ErrorKind.UNSUPPORTED) as refusal:
            await connector.suspend("bea")
        assert "comes from a directory" in refusal.value.message
        assert (await connector.verify("bea", Verb.SUSPEND)).verdict is Verdict.FAILED
        assert (await connector.revoke_sessions("bea")).outcome is Outcome.DONE


# -- connections ------------------------------------------------------------------------------------------


async def test_a_host_key_that_is_not_pinned_stops_before_anybody_signs_in():
    async with scripted() as web:
        stranger = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        for lines in (f"[web-1]:{web.port} {stranger}\n", f"[web-2]:{web.port} {stranger}\n"):
            with refused(ErrorKind.DENIED) as refusal:
                await connect_to({"web-1": web}, known_hosts=lines).read("ana")
            assert "known_hosts" in refusal.value.message
        assert web.signed_in == 0
        assert web.asked == []


async def test_a_host_key_signed_by_a_pinned_authority_is_taken():
    authority, stranger = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    async with scripted(authority=authority) as web:
        for signer, name in ((authority, "[web-*]:*"), (stranger, "[web-*]:*"), (authority, "[db-*]:*")):
            line = f"@cert-authority {name} {signer.export_public_key().decode()}"
            connector = connect_to({"web-1": web}, known_hosts=line)
            if (signer, name) == (authority, "[web-*]:*"):
                assert await connector.read("ana")
            else:
                with refused(ErrorKind.DENIED):
                    await connector.read("ana")


async def test_a_key_that_the_host_does_not_know_is_denied():
    async with scripted() as web:
        connector = connect_to({"web-1": web})
        stranger = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
        connector.connection.secrets._environ["SSH_KEY"] = stranger
        with refused(ErrorKind.DENIED) as refusal:
            await connector.read("ana")
        assert "as partwell by its key" in refusal.value.message


@pytest.mark.parametrize(
    "text", ["no key", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "ssh-ed25519 AAAA"]
)
async def test_a_private_key_that_cannot_be_read_is_said_without_showing_it(text):
    async with scripted() as web:
        connector = connect_to({"web-1": web})
        connector.connection.secrets._environ["SSH_KEY"] = text
        with refused(ErrorKind.INVALID) as refusal:
            await connector.read("ana")
        assert "AAAA" not in str(refusal.value)
        assert "no key" not in str(refusal.value)


async def test_a_host_that_hangs_is_given_up_in_time():
    async with scripted(id=HANGS) as web:
        with refused(ErrorKind.RETRYABLE) as refusal:
            await connect_to({"web-1": web}, timeout_seconds=0.5).read("ana")
        assert "did not end within 0.5 seconds" in refusal.value.message


async def test_a_host_that_never_stops_talking_is_cut_off():
    async with scripted(getent_group=(0, "x" * (MAX_OUTPUT_BYTES + 1), "")) as web:
        with refused(ErrorKind.RETRYABLE) as refusal:
            await connect_to({"web-1": web}).read("ana")
        assert "more than" in refusal.value.message


async def test_an_address_that_is_not_allowed_is_not_dialled():
    async with scripted() as web:
        connector = connect_to({"web-1": web})
        guarded = Transport(AllowList.parse([]), resolver=lambda host, port: ["127.0.0.1"])
        connector._fleet._transport = guarded
        with pytest.raises(AddressRefused):
            await guarded.pin("web-1", web.port)
        with refused(ErrorKind.INVALID):
            await connector.read("ana")
        assert web.signed_in == 0


async def test_a_dry_run_writes_on_no_host():
    async with scripted() as web:
        connector = connect_to({"web-1": web})
        connector._transport.read_only = True
        for verb in ("block_sign_in", "suspend", "revoke_sessions", "revoke_tokens", "remove_entitlements"):
            with refused(ErrorKind.UNSUPPORTED):
                await getattr(connector, verb)("ana")
        assert web.writes == []


async def test_the_test_of_the_connection_names_what_sudo_would_refuse():
    async with scripted(passwd=(0, "partwell L 2026-01-01 0 99999 7 -1\n", "")) as web:
        assert (await connect_to({"web-1": web}).test()).ok
        web.answers["passwd"] = SUDO_REFUSES
        report = await connect_to({"web-1": web}).test()
        assert not report.ok
        assert "passwd" in report.problems[0]


async def test_root_needs_no_sudo():
    async with scripted() as web:
        await connect_to({"web-1": web}, user="root").suspend("ana")
        assert web.writes == ["chage", "usermod", "usermod"]
        assert web.by_sudo == 0
        await connect_to({"web-1": web}).suspend("ana")
        assert web.by_sudo > 0


def test_every_word_of_a_command_is_quoted():
    assert command_line(["/usr/bin/id", "-G", "--", "$(id); 'x"], by_sudo=True) == (
        "/usr/bin/env LC_ALL=C /usr/bin/sudo -n -- /usr/bin/id -G -- '$(id); '\"'\"'x'"
    )


def test_the_private_key_is_in_no_repr():
    assert KEY.export_private_key().decode() not in repr(connect_to({"web-1": 22})._sign_in())


def test_forty_hosts_that_are_all_asked_keep_within_the_time_of_one_call():
    """What a plan allows one call is 20 seconds; the rate that the manifest declares must leave room."""
    manifest = yaml.safe_load((Path(__file__).parents[1] / "manifest.yaml").read_text())
    limiter = Limiter(rates_of(manifest["limits"]))
    accounts_at_once, reads_and_writes, hosts = manifest["limits"]["concurrent"], 2, 40
    assert limiter.seconds_for(accounts_at_once * reads_and_writes * hosts) < 5
