"""A signal on its way through real processes: the command line, the worker, the web server with its keys."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.console import Console
from tests.event_receiver import AUDIENCE, CAEP, SSF, EventReceiver, Reply, open_receiver
from tests.servers.running import answers, free_port, wait_until
from tests.shows import LUCIA, found_firm

pytestmark = pytest.mark.waits


def test_a_worker_is_killed_while_it_sends_and_another_sends_the_same_token_id(
    console: Console, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://localhost:{port}"
    console.environment |= {"PARTWELL_OUTBOUND_ALLOW": "127.0.0.1", "PARTWELL_BASE_URL": url}
    found_firm(console, tmp_path)
    web = console.start("web", "--port", str(port))
    try:
        wait_until(lambda: answers("127.0.0.1", port), seconds=90, what="the web server answering")
        # What the first answer takes is no part of this.
        assert httpx.get(f"{url}/security-events/jwks.json", timeout=60).json() == {"keys": []}
        with open_receiver(tmp_path / "receiver", transmitter=url) as receiver:
            add = ["receivers", "add", "gateway", "--endpoint", receiver.url, "--audience", AUDIENCE]
            console.run(*add, "--ca-file", receiver.ca_file)
            assert console.ask("receivers", "test", "gateway")["state"] == "accepted"
            shut_out_while_the_worker_dies(console, receiver)
            _, held, came = receiver.tokens
            assert receiver.refusals == []
            assert [kind for claims in receiver.claims for kind in claims["events"]] == [
                f"{SSF}verification",
                f"{CAEP}session-revoked",
            ]
            assert payload(held) == payload(came) and held.split(".")[0] == came.split(".")[0]
            (signal, _) = console.ask("receivers", "signals", "gateway")["items"]
            assert (signal["state"], signal["attempts"]) == ("accepted", 2)
            assert signal["jti"] == receiver.claims[1]["jti"]
    finally:
        web.terminate()
        web.wait(timeout=60)


def shut_out_while_the_worker_dies(console: Console, receiver: EventReceiver) -> None:
    """The receiver has the token and says nothing; the worker is killed before it could note anything."""
    receiver.says(Reply(202, hangs=True))
    with worker(console, 1) as first:
        console.run("cuts", "order", "--person", LUCIA, "--reason", "Their laptop was stolen an hour ago.")
        wait_until(lambda: len(receiver.tokens) == 2, seconds=30, what="the token at the receiver")
        first.kill()
        first.wait()
    assert console.ask("receivers", "signals", "gateway")["items"][0]["state"] == "queued"
    with worker(console, 2):
        wait_until(lambda: len(receiver.tokens) == 3, seconds=90, what="the token once more")
        wait_until(
            lambda: console.ask("receivers", "signals", "gateway")["items"][0]["state"] == "accepted",
            seconds=30,
            what="the answer noted",
        )


def payload(token: str) -> str:
    return token.split(".")[1]


@contextmanager
def worker(console: Console, number: int) -> Iterator[subprocess.Popen[bytes]]:
    """The installation's worker, the `number`th so far, ready to work."""
    log = console.folder / "worker.log"
    started = console.start("worker")
    try:
        wait_until(lambda: log.read_text().count("is ready") == number, seconds=90, what="a worker ready")
        yield started
    finally:
        started.terminate()
        started.wait(timeout=30)
