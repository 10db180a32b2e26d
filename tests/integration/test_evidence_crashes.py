"""A sequencer that is killed at any moment loses nothing, doubles nothing and leaves a whole record."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection

from partwell.evidence.models import Event, TreeHead
from partwell.evidence.sequencer import sequence_pending
from partwell.evidence.verification import verify_database
from tests.evidence_record import NOW, record_one

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.waits]
ROUNDS, DEADLINE = 4, 30.0
SEQUENCER = """
import django
django.setup()
from partwell import clock
from partwell.evidence.sequencer import sequence_pending
while True:
    sequence_pending(now=clock.now())
"""


def database_url() -> str:
    values = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite://{quote(str(values['NAME']))}"
    login = f"{quote(values['USER'])}:{quote(values['PASSWORD'])}"
    return f"postgresql://{login}@{values['HOST']}:{values['PORT']}/{values['NAME']}"


def test_a_killed_sequencer_leaves_a_whole_record() -> None:
    dice, written = random.Random(9), 0
    environment = {
        **os.environ,
        "PARTWELL_DATABASE_URL": database_url(),
        "PARTWELL_DATA_DIR": str(settings.DATA_DIR),
        "PARTWELL_SECRET_KEY": settings.SECRET_KEY,
        "DJANGO_SETTINGS_MODULE": "partwell.config.settings",
    }
    for _ in range(ROUNDS):
        heads = TreeHead.objects.count()
        child = subprocess.Popen([sys.executable, "-c", SEQUENCER], env=environment)
        try:
            deadline = time.monotonic() + DEADLINE
            fatal = dice.randint(2, 9)
            while TreeHead.objects.count() < heads + fatal:
                assert time.monotonic() < deadline and child.poll() is None, "the sequencer does not run"
                record_one(written)
                written += 1
                time.sleep(0.005)  # between two looks; leaves the other core to the sequencer
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
        # What the killed one left open is rolled back; the next one goes on.
        sequence_pending(now=NOW)
        report = verify_database(now=NOW)
        assert report.is_whole, report.as_text()
    sequences = sorted(Event.objects.values_list("sequence", flat=True))
    assert sequences == list(range(written + 1))
    print(f"\n{ROUNDS} sequencers killed, {written} events: 0 lost, 0 doubled")
