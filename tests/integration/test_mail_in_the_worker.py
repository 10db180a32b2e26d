"""What the worker does about mail on its own, from a closed departure to two real mailboxes."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from partwell.closure.statements import head_to_keep
from partwell.config.mail import mail_server
from partwell.evidence.heads import head_text
from partwell.evidence.sequencer import sequence_pending
from partwell.journeys.operations import ending
from partwell.journeys.states import StepState
from partwell.people.actors import console_actor
from partwell.worker import mail
from tests.factories import NOW
from tests.guest_world import PRIVATE, World
from tests.mailbox import open_mailbox

pytestmark = pytest.mark.django_db


def test_both_parties_receive_the_head_once_the_record_is_signed(settings) -> None:
    with time_machine.travel(NOW, tick=False), open_mailbox() as box:
        settings.MAIL_SERVER = mail_server(box.url)
        world = World()
        world.invite(PRIVATE)
        mail.send()
        world.departure.journey.steps.update(state=StepState.DONE)
        ending.close(departure=world.departure, actor=console_actor(), now=NOW)
        mail.tell()
        mail.send()
        assert not [m for m in box.mails if "closed" in m["Subject"]]

        sequence_pending(now=NOW)
        head = head_to_keep(world.departure)
        assert head is not None
        for _ in range(2):
            mail.tell()
            mail.send()
            sequence_pending(now=NOW)
        for address in (PRIVATE, world.hr.email):
            (statement,) = [m for m in box.to(address) if "closed" in m["Subject"]]
            assert head_text(head) in statement.get_content()
            assert statement["From"] == "Partwell <partwell@localhost>"


def test_reminders_reach_the_owner(settings) -> None:
    with time_machine.travel(NOW, tick=False) as traveller, open_mailbox() as box:
        settings.MAIL_SERVER = mail_server(box.url)
        World()
        mail.send()
        traveller.move_to(NOW + timedelta(days=60))
        for _ in range(2):
            mail.remind()
            mail.send()
        late = [m for m in box.to("joon-ho.park@harbour.example") if "late" in m["Subject"]]
        assert len(late) == 1
        assert "Collect the laptop" in late[0].get_content()
