"""What comes of commands that fail, hang, lie, print too much or leave something running."""

from __future__ import annotations

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Identity, Outcome, Verb, Verdict
from partwell.connector_kit.declared import schema_text
from partwell.connector_kit.declared_registry import read_declared
from partwell.connectors.script.model import ScriptDeclaration
from partwell.connectors.script.process import Command, ask, shown
from partwell.connectors.script.schema import SCHEMA_FILE
from partwell.connectors.script.tests.connecting import EXAMPLE, Till
from tests.servers.running import wait_until

# Answers as the example does, but for one question, which `ODD` deals with.
ODD = (EXAMPLE / "accounts.py").read_text().replace(
    "json.dump(answer(json.load(sys.stdin)), sys.stdout)",
    """
question = json.load(sys.stdin)
if question["do"] == "{do}":
    {odd}
json.dump(answer(question), sys.stdout)
""",
)  # fmt: skip


def odd(do: str, what: str) -> str:
    return ODD.replace("{do}", do).replace("{odd}", what)


@pytest.fixture
def till(tmp_path):
    return Till(tmp_path)


@pytest.fixture
def person(till):
    return till.add_person()


async def failure(awaitable: Any) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    assert "canary" not in caught.value.message
    return caught.value


BROKEN = [
    "sys.exit(3)",
    "sys.exit('no')",
    "os.kill(os.getpid(), 9)",
    "print('null'); sys.exit()",
    "print('[]'); sys.exit()",
    "print('{}'); sys.exit()",
    "print('done'); sys.exit()",
    "print(''); sys.exit()",
    'print(\'{"absent": "true"}\'); sys.exit()',
    "print('{\"absent\": 1}'); sys.exit()",
    'print(\'{"absent": true, "account": {"id": "t1", "login": "x"}}\'); sys.exit()',
    'print(\'{"account": {"id": "another", "login": "x"}}\'); sys.exit()',
    'print(\'{"absent": true, "status": 500}\'); sys.exit()',
    "print('{\"absent\": true}'); sys.exit(1)",
    "print('{\"absent\": true}{'); sys.exit()",
]


@pytest.mark.parametrize("what", BROKEN)
async def test_a_reading_that_fails_is_never_no_account(till, person, what):
    till.with_script(odd("read", what))
    connector = till.connect()
    for asking in (connector.read(person), connector.suspend(person), connector.verify(person, Verb.SUSPEND)):
        assert (await failure(asking)).kind is ErrorKind.RETRYABLE
    assert till.row(person)[4] == "open"


@pytest.mark.parametrize("what", [*BROKEN[:8], 'print(\'{"outcome": "ok"}\'); sys.exit()'])
async def test_a_change_that_fails_or_answers_anything_else_is_no_success(till, person, what):
    till.with_script(odd("suspend", what))
    assert (await failure(till.connect().suspend(person))).kind is ErrorKind.RETRYABLE


@pytest.mark.parametrize("what", ["sys.exit(1)", "print('{\"accounts\": null}'); sys.exit()"])
async def test_a_search_that_fails_is_an_error_and_never_nobody(till, person, what):
    till.with_script(odd("find", what))
    assert (await failure(till.connect().discover(till.identity(person)))).kind is ErrorKind.RETRYABLE


async def test_a_yes_that_changed_nothing_is_found_by_reading_back(till, person):
    till.with_script(odd("suspend", 'print(\'{"outcome": "done"}\'); sys.exit()'))
    connector = till.connect()
    assert (await connector.suspend(person)).outcome is Outcome.DONE
    assert (await connector.verify(person, Verb.SUSPEND)).verdict is Verdict.FAILED


async def test_a_change_that_is_accepted_is_pending_and_then_failed(till, person):
    till.with_script(odd("suspend", 'print(\'{"outcome": "accepted"}\'); sys.exit()'))
    for seconds, verdict in ((300, Verdict.PENDING), (0, Verdict.FAILED)):
        connector = till.connect(settles_within_seconds=seconds)
        assert (await connector.suspend(person)).outcome is Outcome.ACCEPTED
        proof = await connector.verify(person, Verb.SUSPEND)
        assert proof.verdict is verdict
        assert (proof.retry_until is not None) == (verdict is Verdict.PENDING)


async def test_no_such_account_is_believed_only_when_reading_says_so_too(till, person):
    till.with_script(odd("suspend", 'print(\'{"outcome": "absent"}\'); sys.exit()'))
    assert (await failure(till.connect().suspend(person))).kind is ErrorKind.RETRYABLE


async def test_a_command_that_finds_everybody_cuts_nobody_else(till, person):
    till.add_person()
    everybody = (
        "print(json.dumps({'accounts': [shown(p) for p in read(Path(question['settings']['file']))]}))"
    )
    till.with_script(odd("find", f"{everybody}; sys.exit()"))
    (account,) = await till.connect().discover(till.identity(person))
    assert account.external_id == person
    assert await till.connect().discover(Identity(emails=("nobody@firm.test",))) == []


def alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    return False


@pytest.mark.parametrize("do", ["read", "suspend"])
async def test_a_command_that_hangs_is_killed_with_its_children(till, person, tmp_path, do):
    noted = tmp_path / "pids"
    hang = (
        "import subprocess, time; child = subprocess.Popen(['sleep', '600']); "
        f"Path({str(noted)!r}).write_text(f'{{os.getpid()}} {{child.pid}}'); time.sleep(600)"
    )
    till.with_script(odd(do, hang))
    till.with_declared("timeout_seconds: 10", "timeout_seconds: 2")
    error = await failure(till.connect().suspend(person))
    assert error.kind is ErrorKind.RETRYABLE
    assert "within 2 seconds" in error.message
    for pid in map(int, noted.read_text().split()):
        wait_until(lambda pid=pid: not alive(pid), seconds=5, what=f"the end of {pid}")


async def test_a_call_that_is_given_up_kills_the_command(till, person, tmp_path):
    noted = tmp_path / "pid"
    till.with_script(
        odd("read", f"import time; Path({str(noted)!r}).write_text(str(os.getpid())); time.sleep(600)")
    )
    asking = asyncio.create_task(till.connect().read(person))
    async with asyncio.timeout(20):
        while not (noted.exists() and noted.read_text()):
            await asyncio.sleep(0.01)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    pid = int(noted.read_text())
    wait_until(lambda: not alive(pid), seconds=5, what="the end of the command")


def test_a_command_answers_on_a_loop_in_any_thread(till, person):
    def in_a_thread() -> Any:
        return asyncio.run(till.connect().read(person))

    with ThreadPoolExecutor(max_workers=2) as pool:
        accounts = [each.result(timeout=30) for each in [pool.submit(in_a_thread) for _ in range(4)]]
    assert {account.external_id for account in accounts} == {person}


async def test_a_child_that_is_left_behind_is_killed(till, person, tmp_path):
    noted = tmp_path / "pid"
    leave = (
        "import subprocess; child = subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL, "
        f"stderr=subprocess.DEVNULL); Path({str(noted)!r}).write_text(str(child.pid))"
    )
    till.with_script(odd("read", leave))
    assert await till.connect().read(person) is not None
    pid = int(noted.read_text())
    wait_until(lambda: not alive(pid), seconds=5, what="the end of the child")


async def test_a_child_that_hides_from_the_group_holds_nothing_up(till, person, tmp_path):
    noted = tmp_path / "pid"
    hide = (
        "import subprocess; child = subprocess.Popen(['sleep', '600'], start_new_session=True); "
        f"Path({str(noted)!r}).write_text(str(child.pid))"
    )
    till.with_script(odd("read", hide))
    till.with_declared("timeout_seconds: 10", "timeout_seconds: 2")
    try:
        error = await failure(till.connect().read(person))
        assert "within 2 seconds" in error.message
    finally:
        os.kill(int(noted.read_text()), 9)


async def test_a_command_that_prints_without_end_is_stopped(till, person):
    till.with_script(odd("read", "while True: sys.stdout.write('x' * 65536)"))
    error = await failure(till.connect().read(person))
    assert "more than 1024 KB" in error.message


async def test_words_on_stderr_are_shortened_and_hold_no_secret(till, person):
    till.with_script(
        odd("read", "sys.exit('the pin ' + os.environ['TILL_PIN'] + ' failed\\x1b[31m\\n' + 'y' * 100000)")
    )
    till.with_script((till.folder / "accounts.py").read_text().replace('!= "4711"', '!= "secret-canary-1"'))
    error = await failure(till.connect(pin="secret-canary-1").read(person))
    assert "ended with 1: the pin ••• failed" in error.message
    assert "\x1b" not in error.message
    assert len(error.message) < 400


async def test_no_secret_comes_back_in_an_answer(till, person):
    text = odd(
        "suspend", "print(json.dumps({'outcome': 'done', 'says': os.environ['TILL_PIN']})); sys.exit()"
    )
    till.with_script(text.replace('!= "4711"', '!= "secret-canary-1"'))
    connector = till.connect(pin="secret-canary-1")
    assert "canary" not in repr(await connector.suspend(person))
    assert "canary" not in repr(vars(connector)) + repr(connector.connection)


async def test_a_refusal_in_the_commands_words_has_its_kind(till, person):
    says = {"error": {"kind": "throttled", "says": "later", "retry_at": "2026-11-27T16:30:00+00:00"}}
    till.with_script(odd("read", f"print('{json.dumps(says)}'); sys.exit()"))
    error = await failure(till.connect().read(person))
    assert (error.kind, error.message) == (ErrorKind.THROTTLED, "later")
    assert error.retry_at is not None


async def test_a_dry_run_starts_no_writing_verb(till, person, tmp_path):
    noted = tmp_path / "asked"
    note = f"open({str(noted)!r}, 'a').write(question['do'] + chr(10))\n"
    till.with_script(
        odd("nothing", "pass").replace("json.dump(answer(question)", f"{note}json.dump(answer(question)")
    )
    connector = till.connect(read_only=True)
    snapshot = await connector.snapshot(person)
    for write in (connector.suspend(person), connector.restore(person, Verb.SUSPEND, snapshot)):
        assert (await failure(write)).kind is ErrorKind.UNSUPPORTED
    assert set(noted.read_text().split()) == {"read"}


async def test_the_command_gets_little_environment_and_a_folder_of_its_own(
    till, person, tmp_path, monkeypatch
):
    monkeypatch.setenv("PARTWELL_SECRET_KEY", "canary")
    noted = tmp_path / "noted"
    seen = "{'env': dict(os.environ), 'cwd': os.getcwd(), 'argv': sys.argv[1:], 'question': question}"
    till.with_script(odd("read", f"Path({str(noted)!r}).write_text(json.dumps({seen}))"))
    await till.connect().read(person)
    got = json.loads(noted.read_text())
    names = {"PATH", "LANG", "HOME", "TMPDIR", "PYTHONDONTWRITEBYTECODE", "TILL_PIN"}
    assert set(got["env"]) - {"LC_CTYPE"} == names  # Python adds LC_CTYPE to its own
    assert got["cwd"] == got["env"]["HOME"]
    assert not Path(got["cwd"]).exists()
    assert got["argv"] == []
    assert got["question"] == {
        "version": 1,
        "do": "read",
        "settings": {"file": str(till.file)},
        "account": {"id": person},
    }


async def test_files_that_changed_since_the_start_are_not_run(till, person):
    connector = till.connect()
    digest = connector.digest
    till.with_script((EXAMPLE / "accounts.py").read_text() + "\n# changed\n")
    error = await failure(connector.suspend(person))
    assert error.kind is ErrorKind.RETRYABLE
    assert "changed since Partwell started" in error.message
    assert till.row(person)[4] == "open"
    assert till.connect().digest != digest


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60), st.text(max_size=60))
async def test_no_name_is_anything_but_data(tmp_path, name, mail):
    """The program is `cat`: what comes back is the question as the command read it."""
    question = {"do": "find", "identity": {"emails": [mail], "usernames": [f"$(touch {name})", name]}}
    command = Command(("/bin/cat",), {}, 10, 65536)
    assert await ask(command, question, secrets={}) == question


def test_what_is_shown_is_short_and_plain() -> None:
    assert shown(b"a\x00b\xff\n\tc", {}) == "a b\N{REPLACEMENT CHARACTER} c"
    assert shown("x" * 1000, {}).endswith("…")
    assert shown("ab abc", {"A": "ab", "B": "abc"}) == "••• •••"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[/usr/bin/env, python3", "[env, python3", "whole path"),
        ("./accounts.py", "./acounts.py", "There is no file"),
        ("./accounts.py", "./../accounts.py", "There is no file"),
        ("/usr/bin/env", "/usr/bin/no-such-program", "There is no program"),
        ("[/usr/bin/env, python3, ./accounts.py]", "python3 ./accounts.py", "list"),
        ("  TILL_PIN: pin", "  LD_PRELOAD: pin", "kept as it is"),
        ("  TILL_PIN: pin", "  TILL_PIN: file", "secret: true"),
        ("secrets:\n  TILL_PIN: pin\n", "", "name it there"),
        ("suspend: {read_back: true, undone", "suspend: {undone", "“read_back” is missing"),
        ("timeout_seconds: 10", "timeout_seconds: 600", "less than or equal to 110"),
        ("  revoke_sessions", "  delete: {read_back: true, undone: partial}\n  revoke_sessions", "come back"),
        ("  file:\n", "  protected:\n", "already"),
    ],
)  # fmt: skip
def test_a_mistake_is_found_with_its_line(till, old, new, message):
    till.with_declared(old, new)
    registered, problems = read_declared(till.folder / "connector.yaml")
    assert registered is None
    assert any(message in problem.message and problem.line > 1 for problem in problems), problems


def test_a_file_of_the_script_that_others_may_write_is_refused(till):
    (till.folder / "accounts.py").chmod(0o777)
    registered, problems = read_declared(till.folder / "connector.yaml")
    assert registered is None
    assert "accounts.py: Others than its owner" in problems[0].message


def test_a_script_without_a_folder_of_its_own_is_refused(till):
    loose = till.folder / "loose.yaml"
    loose.write_text((till.folder / "connector.yaml").read_text())
    loose.chmod(0o644)
    (till.folder / "connector.yaml").unlink()
    assert "a folder of its own" in read_declared(loose)[1][0].message


def test_the_schema_for_editors_is_the_one_of_the_code() -> None:
    assert SCHEMA_FILE.read_text() == schema_text(ScriptDeclaration)
