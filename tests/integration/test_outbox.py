"""The outbox against a real mail server: what is queued goes out once, whatever happens on the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.core.mail import EmailMessage
from django.db import connection, transaction

from partwell.config.mail import mail_server
from partwell.evidence.models import Event
from partwell.refusals import Conflict, Invalid, NotFound
from partwell.signals import outbox, queries, sending
from partwell.signals.backend import OutboxBackend
from partwell.signals.models import Message
from partwell.signals.states import MailState
from tests.mailbox import Mailbox, open_mailbox

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def mailbox(settings) -> Iterator[Mailbox]:
    with open_mailbox() as box:
        settings.MAIL_SERVER = mail_server(box.url)
        settings.DEFAULT_FROM_EMAIL = "Partwell <partwell@firm.example>"
        yield box


def queue(to: str = "ada@firm.example", **changes) -> Message:
    given = {
        "kind": "test",
        "to": to,
        "subject": "Hello",
        "text": "A step waits for you.",
        "dedupe_key": f"test:{to}",
        "scope": "installation",
        "now": NOW,
    } | changes
    outbox.queue_mail(**given)
    return Message.objects.get(dedupe_key=given["dedupe_key"])


def test_a_queued_mail_reaches_the_server_once(mailbox: Mailbox) -> None:
    queue()
    assert sending.send_pending(now=NOW, limit=10) == 1
    assert sending.send_pending(now=NOW + timedelta(days=3), limit=10) == 0
    (mail,) = mailbox.mails
    assert mail["To"] == "ada@firm.example"
    assert mail["From"] == "Partwell <partwell@firm.example>"
    assert mail["Subject"] == "Hello"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content().strip() == "A step waits for you."
    message = Message.objects.get()
    assert (message.state, message.settled_at, message.text) == (MailState.SENT, NOW, "")
    assert list(Event.objects.values_list("kind", flat=True)) == ["mail.sent"]


def test_the_same_thing_is_queued_once_and_other_things_beside_it() -> None:
    queue(dedupe_key="journey:1:assigned:7", text="first")
    queue(dedupe_key="journey:1:assigned:7", text="second")
    queue(dedupe_key="journey:1:assigned:8")
    assert Message.objects.count() == 2
    assert Message.objects.get(dedupe_key="journey:1:assigned:7").text == "first"


def test_a_mail_joins_the_transaction_that_it_tells_about() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        queue()
        raise RuntimeError
    assert not Message.objects.exists()


def test_a_waiting_text_is_not_readable_in_the_database() -> None:
    message = queue(text="https://firm.example/g/canary-token/")
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM signals_message")
        assert "canary-token" not in str(cursor.fetchall())
    assert message.text == "https://firm.example/g/canary-token/"
    assert "text" not in queries.mail_dict(message)


def test_a_mail_waits_for_its_hour(mailbox: Mailbox) -> None:
    queue(not_before=NOW + timedelta(hours=2))
    assert sending.send_pending(now=NOW + timedelta(hours=1), limit=10) == 0
    assert sending.send_pending(now=NOW + timedelta(hours=2), limit=10) == 1


def test_without_a_mail_server_mail_stays_in_the_outbox(settings) -> None:
    settings.MAIL_SERVER = None
    queue()
    assert sending.send_pending(now=NOW, limit=10) == 0
    assert Message.objects.get().state == MailState.QUEUED
    assert Message.objects.get().attempts == 0


def test_line_ends_in_a_name_add_no_header(mailbox: Mailbox) -> None:
    queue(subject="Steps for Eve\r\nBcc: thief@evil.example\n\nbody", dedupe_key="a")
    sending.send_pending(now=NOW, limit=10)
    (mail,) = mailbox.mails
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Steps for Eve Bcc: thief@evil.example body"
    assert mailbox.asked == ["ada@firm.example"]


@pytest.mark.parametrize(
    "to", ["", "nobody", "a@b.example\nBcc: c@d.example", "a@b.example, c@d.example", "A <a@b.example>"]
)
def test_what_is_no_single_address_is_refused(to: str) -> None:
    with pytest.raises(Invalid) as refused:
        queue(to)
    assert refused.value.field == "to"


def test_a_refusal_for_good_is_said_and_not_repeated(mailbox: Mailbox) -> None:
    mailbox.answer_to = lambda address: "550 No such user" if address.startswith("gone") else None
    queue("gone@firm.example")
    queue("ada@firm.example")
    assert sending.send_pending(now=NOW, limit=10) == 1
    failed = Message.objects.get(to="gone@firm.example")
    assert failed.state == MailState.FAILED
    assert "550 No such user" in failed.last_error
    assert sending.send_pending(now=NOW + timedelta(days=9), limit=10) == 0
    assert mailbox.asked.count("gone@firm.example") == 1
    assert set(Event.objects.values_list("kind", flat=True)) == {"mail.sent", "mail.failed"}


def test_a_passing_refusal_is_retried_over_days_and_then_given_up(mailbox: Mailbox) -> None:
    mailbox.answer_to = lambda address: "451 Come back later"
    queue()
    now, pauses = NOW, []
    while (message := Message.objects.get()).state == MailState.QUEUED:
        now = message.next_attempt_at
        pauses.append(now - NOW)
        assert sending.send_pending(now=now - timedelta(seconds=1), limit=10) == 0
        sending.send_pending(now=now, limit=10)
    assert len(mailbox.asked) == len(sending.BACK_OFF) + 1
    assert pauses == sorted(pauses)
    assert timedelta(days=3) < pauses[-1] < timedelta(days=5)
    assert message.state == MailState.FAILED
    assert "451" in message.last_error


def test_a_server_that_is_down_costs_one_attempt_and_recovers(mailbox: Mailbox, settings) -> None:
    working = settings.MAIL_SERVER
    settings.MAIL_SERVER = mail_server("smtp://127.0.0.1:1")
    for n in range(5):
        queue(f"p{n}@firm.example")
    assert sending.send_pending(now=NOW, limit=10) == 0
    assert sorted(Message.objects.values_list("attempts", flat=True)) == [0, 0, 0, 0, 1]
    assert "cannot be reached" in Message.objects.get(attempts=1).last_error
    settings.MAIL_SERVER = working
    assert sending.send_pending(now=NOW + timedelta(minutes=1), limit=10) == 5
    assert len(mailbox.mails) == 5


def test_a_mail_that_a_dead_worker_held_goes_out_again_with_the_same_id(mailbox: Mailbox) -> None:
    message = queue()
    held = sending._claim(message.pk, NOW)
    assert held is not None
    assert sending._hand_over(held, sending.EmailBackend(**sending.settings.MAIL_SERVER)) is None
    # The worker died here, before it could note that the server had accepted the mail.
    assert sending.send_pending(now=NOW + timedelta(minutes=1), limit=10) == 0
    assert sending.send_pending(now=NOW + sending.LEASE + timedelta(seconds=1), limit=10) == 1
    first, second = mailbox.mails
    assert first["Message-ID"] == second["Message-ID"] == sending.message_id("test:ada@firm.example")
    assert "ada" not in str(first["Message-ID"])


def test_a_late_worker_does_not_overwrite_what_the_other_noted(mailbox: Mailbox) -> None:
    message = queue()
    late = sending._claim(message.pk, NOW)
    assert late is not None
    later = NOW + sending.LEASE + timedelta(seconds=1)
    assert sending.send_pending(now=later, limit=10) == 1
    sending._settle(late, sending._Trouble("too late", is_permanent=True), later)
    assert Message.objects.get().state == MailState.SENT
    assert Event.objects.filter(kind="mail.failed").count() == 0


def test_a_dropped_mail_is_not_sent(mailbox: Mailbox) -> None:
    queue(scope="departure:1", kind="step_due", dedupe_key="a")
    queue(scope="departure:1", kind="closing", dedupe_key="b")
    queue(scope="departure:2", kind="step_due", dedupe_key="c")
    assert outbox.drop_mails(scope="departure:1", kinds=["step_due"], now=NOW) == 1
    assert sending.send_pending(now=NOW, limit=10) == 2
    assert Message.objects.get(dedupe_key="a").state == MailState.DROPPED


def test_a_failed_mail_can_be_sent_again_and_no_other(mailbox: Mailbox) -> None:
    mailbox.answer_to = lambda address: "550 Not now"
    message = queue()
    with pytest.raises(Conflict):
        outbox.send_again(str(message.pk), actor="operator@console", now=NOW)
    sending.send_pending(now=NOW, limit=10)
    mailbox.answer_to = lambda address: None
    outbox.send_again(str(message.pk), actor="operator@console", now=NOW)
    assert sending.send_pending(now=NOW, limit=10) == 1
    with pytest.raises(NotFound):
        outbox.send_again("no-such-mail", actor="operator@console", now=NOW)


def test_a_text_sealed_under_another_key_fails_with_its_reason(mailbox: Mailbox, settings) -> None:
    queue()
    settings.SECRET_KEY = "another" * 10
    sending.send_pending(now=NOW, limit=10)
    message = Message.objects.get()
    assert message.state == MailState.FAILED
    assert "secret key" in message.last_error
    assert not mailbox.mails


def test_what_django_mails_joins_the_outbox(mailbox: Mailbox) -> None:
    mail = EmailMessage("Set your password", "https://…", to=["ada@firm.example"], cc=["bob@firm.example"])
    assert OutboxBackend().send_messages([mail]) == 1
    assert sorted(Message.objects.values_list("to", flat=True)) == ["ada@firm.example", "bob@firm.example"]


@pytest.mark.django_db(transaction=True)
def test_several_workers_at_once_send_each_mail_once(mailbox: Mailbox) -> None:
    for n in range(24):
        queue(f"p{n}@firm.example")
    sent: list[int] = []
    begin = threading.Barrier(4)

    def work() -> None:
        try:
            begin.wait(10)
            sent.append(sending.send_pending(now=NOW, limit=100))
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert sum(sent) == 24
    assert len(mailbox.mails) == 24
    assert len({mail["To"] for mail in mailbox.mails}) == 24


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://relay.example", {"port": 25, "use_tls": False, "use_ssl": False}),
        ("smtp://u:p%40ss@relay.example", {"port": 587, "use_tls": True, "password": "p@ss"}),
        ("smtps://u:p@relay.example", {"port": 465, "use_ssl": True, "use_tls": False}),
        ("smtp://relay.example:2525", {"port": 2525, "username": ""}),
    ],
)
def test_a_mail_servers_url_is_read(url: str, expected: dict) -> None:
    server = mail_server(url)
    assert server is not None
    assert expected.items() <= server.items()


@pytest.mark.parametrize("url", ["http://relay.example", "smtp://", "relay.example"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="PARTWELL_SMTP_URL"):
        mail_server(url)
