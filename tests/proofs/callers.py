"""Who asks an installation for work over HTTP, and keeps what was acknowledged and what was not."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

TRY_AGAIN_SECONDS = 0.1
ANSWERS_WITHIN_SECONDS = 20.0


@dataclass
class Call:
    """One journey that somebody asks for, under one idempotency key however often it is sent."""

    person: str
    sent_at: float = 0.0
    tries: int = 0
    departure: str = ""
    acknowledged_at: float | None = None


@dataclass
class Callers:
    """Several at once, so that requests are in flight when something is killed.

    Who gets no answer, or hears that the server failed, asks again under the same key; one in four gives up
    instead, and does not know.
    """

    port: int
    template: str
    last_working_day: str
    people: Iterable[str]
    tokens: list[str]
    seed: int
    calls: list[Call] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._people = iter(self.people)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._call, args=(token, random.Random(self.seed + number)), daemon=True)
            for number, token in enumerate(self.tokens)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def acknowledged(self) -> list[Call]:
        with self._lock:
            return [call for call in self.calls if call.acknowledged_at is not None]

    def is_answered_since(self, moment: float) -> bool:
        """Whether something that was sent after it has been acknowledged."""
        return any(call.sent_at > moment for call in self.acknowledged()[-10:])

    def _call(self, token: str, dice: random.Random) -> None:
        while not self._stop.is_set():
            with self._lock:
                call = Call(next(self._people), sent_at=time.time())
                self.calls.append(call)
            self._insist(call, token, dice)
            self._stop.wait(dice.uniform(0, 0.1))

    def _insist(self, call: Call, token: str, dice: random.Random) -> None:
        while True:
            try:
                status, answer = self._send(call, token)
            except ConnectionRefusedError:
                if self._stop.wait(TRY_AGAIN_SECONDS):
                    return
                continue
            call.tries += 1
            if status == 201:
                call.departure = json.loads(answer)["id"]
                call.acknowledged_at = time.time()
                return
            if 400 <= status < 500 and status != 429:
                self.refused.append(f"{status} after {call.tries} tries: {answer!r}")
                return
            if dice.random() < 0.25 or self._stop.wait(TRY_AGAIN_SECONDS):
                return

    def _send(self, call: Call, token: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWERS_WITHIN_SECONDS)
        body = {
            "template": self.template,
            "person": call.person,
            "last_working_day": self.last_working_day,
        }
        headers = {
            "Host": "localhost",
            "Authorization": f"Bearer {token}",
            "Idempotency-Key": call.person,
            "Content-Type": "application/json",
        }
        try:
            connection.connect()
            connection.request("POST", "/api/v1/journeys", json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, response.read()
        except ConnectionRefusedError:
            raise  # it was never asked
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()
