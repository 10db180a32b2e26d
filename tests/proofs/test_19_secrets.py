"""Proof 19: secrets lie nowhere but where they are kept, the secret key can be changed at work, and without
it nothing that is sealed opens.

Anchor: OWASP key management. Short and long are the same but for the mails that are written meanwhile.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client, override_settings

from partwell import clock
from partwell.access.credentials import operations, settling
from partwell.access.models import CredentialRotation, System
from partwell.access.operations.systems import add_system
from partwell.access.operations.systems import test_system as ask_system
from partwell.connectors.fake.store import FakeStore
from partwell.evidence import keys
from partwell.evidence.sequencer import sequence_pending
from partwell.people.actors import console_actor
from partwell.people.invitations import accept_invitation, invitation_token
from partwell.people.models import User
from partwell.people.token_operations import create_token
from partwell.refusals import Refusal
from partwell.sealing import SealBroken
from partwell.signals import receivers
from partwell.signals.models import Message
from partwell.signals.outbox import Mail, queue_mails
from partwell.signals.resealing import renew_seals
from partwell.signals.sending import send_pending
from partwell.signals.signing import make_key, sign
from tests.canaries import Canaries, whole_database
from tests.factories import as_actor
from tests.guest_world import PRIVATE, World, open_browser
from tests.proofs.talkative import talkative_http, talkative_mail
from tests.signing_in import code_now

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS = 4
SHORT, LONG = 25, 500
CONSOLE = console_actor()
# A connection for every connector that needs a secret; `{port}` is the talkative server's, and what is in
# capitals is where a secret is kept.
CONNECTIONS: dict[str, dict[str, Any]] = {
    "scim": {"url": "http://127.0.0.1:{port}", "token": "SCIM", "allow_plain": True},
    "keycloak": {
        "url": "http://127.0.0.1:{port}", "realm": "firm", "client_id": "partwell",
        "client_secret": "KEYCLOAK",
        "allow_plain": True,
    },
    "ldap": {
        "url": "ldap://127.0.0.1:{port}", "bind_dn": "cn=partwell", "password": "LDAP", "base_dn": "dc=firm",
        "allow_plain": True,
    },
    "postgresql": {
        "url": "postgresql://127.0.0.1:{port}/firm", "user": "partwell", "password": "POSTGRESQL",
        "allow_plain": True,
    },
    "mysql": {
        "url": "mysql://127.0.0.1:{port}", "user": "partwell", "password": "MYSQL", "allow_plain": True,
    },
    "okta": {"url": "https://127.0.0.1:{port}", "token": "OKTA"},
    "github": {"organization": "firm", "token": "GITHUB", "url": "https://127.0.0.1:{port}"},
    "slack": {
        "plan": "enterprise_grid", "token": "SLACK", "scim_token": "SLACKSCIM",
        "api_url": "https://127.0.0.1:{port}/api", "scim_url": "https://127.0.0.1:{port}/scim",
    },
    "microsoft365": {
        "tenant": "firm.test", "client_id": "11111111-1111-1111-1111-111111111111",
        "client_secret": "MICROSOFT",
        "login_url": "https://127.0.0.1:{port}", "graph_url": "https://127.0.0.1:{port}",
    },
    "ssh": {
        "hosts": ["127.0.0.1:{port}"], "known_hosts": "{folder}/known_hosts", "user": "partwell",
        "private_key": "SSH",
    },
}  # fmt: skip


@pytest.fixture
def kept(tmp_path: Path, caplog: pytest.LogCaptureFixture, canaries: Canaries) -> Iterator[Path]:
    """A data folder of its own under a secret key that is known, and everything that is logged."""
    folder = tmp_path / "data"
    folder.mkdir()
    caplog.set_level(logging.DEBUG)
    with override_settings(
        DATA_DIR=folder,
        MEDIA_ROOT=folder / "files",
        SECRET_KEY=canaries.new("the secret key"),
        SECRET_KEY_FALLBACKS=[],
        OUTBOUND_ALLOW=["127.0.0.1"],
    ):
        yield tmp_path


@pytest.fixture
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture
def talk() -> Iterator[tuple[int, int]]:
    """The ports of a talkative web server and a talkative mail server."""
    with ExitStack() as stack:
        yield stack.enter_context(talkative_http()), stack.enter_context(talkative_mail())


def test_no_secret_is_found_in_the_database_the_logs_the_files_or_an_answer(
    kept: Path,
    canaries: Canaries,
    talk: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    figure: Callable[[str], None],
) -> None:
    world = World()
    said: list[str] = []
    connect_everything(kept, canaries, talk[0], monkeypatch, said)
    type_secrets_where_references_belong(canaries, said)
    people_come_in(world, canaries, said)
    vaults_and_rotations(world, kept, canaries, said)
    mail_goes_wrong(canaries, talk[1])
    sequence_pending(now=clock.now())
    texts = {
        "the database": whole_database(),
        "the logs": caplog.text.encode(),
        "what was answered": "\n".join(said).encode(),
    }
    for path in (kept / "data").rglob("*"):
        if path.is_file():
            texts[str(path.relative_to(kept))] = path.read_bytes()
    assert canaries.found_in(texts) == []
    assert len(canaries.known) >= 50
    figure(f"proof 19: {len(canaries.known)} secrets, 0 found in {len(texts)} places, {_size(texts)}")


def connect_everything(
    kept: Path, canaries: Canaries, port: int, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    """Connect every kind of system, by environment and by file, to a server that repeats what it is told."""
    (kept / "known_hosts").write_text("")
    for connector, given in CONNECTIONS.items():
        for kind in ("env", "file"):
            filled = {}
            for name, value in given.items():
                if isinstance(value, str) and value.isupper():
                    secret = canaries.new(f"{name} of {connector}, by {kind}")
                    monkeypatch.setenv(f"{value}_SECRET", secret)
                    (kept / value).write_text(secret)
                    value = f"env:{value}_SECRET" if kind == "env" else f"file:{kept / value}"
                filled[name] = _with(value, port=port, folder=kept)
            description = {
                "name": f"{connector}-{kind}",
                "connector": connector,
                "settings": filled,
                "time_limit": 1,  # some wait for an answer in a language that this server does not speak
            }
            try:
                system = add_system(description=description, actor=CONSOLE, now=clock.now())
                said.append(repr(ask_system(system=system, actor=CONSOLE, now=clock.now())))
            except Refusal as refusal:
                said.append(refusal.message)
    monkeypatch.setenv("RECEIVER", f"Bearer {canaries.new('the authorization of a receiver')}")
    gateway = receivers.add_receiver(
        name="gateway",
        description={
            "title": "Gateway",
            "endpoint": f"https://127.0.0.1:{port}/events",
            "audience": "gateway",
            "authorization": "env:RECEIVER",
        },
        actor=CONSOLE,
        now=clock.now(),
    )
    said.append(repr(receivers.test_receiver(receiver=gateway, actor=CONSOLE, now=clock.now()).answer))


def _with(value: Any, **places: Any) -> Any:
    if isinstance(value, list):
        return [_with(each, **places) for each in value]
    return value.format(**places) if isinstance(value, str) else value


def type_secrets_where_references_belong(canaries: Canaries, said: list[str]) -> None:
    """The mistake that everybody makes once: the secret itself, in the field or in the address."""
    mistakes = {
        "token": ("scim", {"url": "https://scim.firm.test", "token": canaries.new("a token as it is")}),
        "password": (
            "ldap",
            {
                "url": "ldaps://ldap.firm.test",
                "bind_dn": "cn=x",
                "base_dn": "dc=x",
                "password": canaries.new("a password as it is"),
            },
        ),
        "address": (
            "scim",
            {
                "url": f"https://ann:{canaries.new('a password in an address')}@scim.firm.test",
                "token": "env:SCIM_SECRET",
            },
        ),
    }
    for name, (connector, given) in mistakes.items():
        description = {"name": f"mistake-{name}", "connector": connector, "settings": given}
        with pytest.raises(Refusal) as refused:
            add_system(description=description, actor=CONSOLE, now=clock.now())
        said.append(refused.value.message)
    with pytest.raises(Refusal) as refused:
        receivers.add_receiver(
            name="mistake",
            description={
                "title": "Mistake",
                "endpoint": "https://events.firm.test",
                "audience": "x",
                "authorization": canaries.new("an authorization as it is"),
            },
            actor=CONSOLE,
            now=clock.now(),
        )
    said.append(refused.value.message)


def people_come_in(world: World, canaries: Canaries, said: list[str]) -> None:
    """Invitations, passwords right and wrong, second factors, tokens, links for guests."""
    now = clock.now()
    for user in (world.hr, world.it, world.finance):
        name = user.name
        token = canaries.keep(f"the invitation of {name}", invitation_token(user, now=now))
        password = canaries.new(f"the password of {name}")
        accept_invitation(token=token, password=password, now=now)
        user.refresh_from_db()
        seed = canaries.keep(f"the seed of {name}", generate_totp_secret())
        TOTP.activate(user, seed)
        for number, code in enumerate(RecoveryCodes.activate(user).get_unused_codes()[:2]):
            canaries.keep(f"recovery code {number} of {name}", code)
        browser = Client(SERVER_NAME="localhost")
        wrong = {"login": user.email, "password": canaries.new(f"a wrong password of {name}")}
        said.append(browser.post("/account/login/", wrong).content.decode())
        browser.post("/account/login/", {"login": user.email, "password": password})
        said.append(browser.post("/account/second-factor/authenticate/", {"code": "000000"}).content.decode())
        browser.post("/account/second-factor/authenticate/", {"code": code_now(seed)})
        today = browser.get("/")
        assert today.status_code == 200, "signed in"
        said.append(today.content.decode())
        if user == world.finance:  # may make none
            continue
        _, secret = create_token(scopes=["read"], actor=as_actor(user), now=now)
        canaries.keep(f"the API token of {name}", secret)
        api = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {secret}"})
        said.append(api.get("/api/v1/journeys").content.decode())
    forged = Client(headers={"Authorization": f"Bearer {canaries.new('a token that is none')}"})
    said.append(forged.get("/api/v1/journeys").content.decode())
    link = canaries.keep("the link of a guest", world.invite(PRIVATE, now=now).token)
    guest = open_browser()
    assert guest.post(f"/g/{link}/").status_code == 302
    canaries.keep("the session of a guest", guest.cookies["partwell-guest"].value.rpartition(":")[2])


def vaults_and_rotations(world: World, kept: Path, canaries: Canaries, said: list[str]) -> None:
    """A password manager's export is imported, and a connector gives a shared account a new password."""
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(world.it)
    rows = "".join(
        f"https://bank{n}.example/,billing,{canaries.new(f'password {n} of a vault')},"
        f"{canaries.new(f'note {n} of a vault')},,Bank {n},Office,0\n"
        for n in range(5)
    )
    text = "url,username,password,totp,extra,name,grouping,fav\n" + rows
    shown = browser.post("/credentials/import/", {"file": SimpleUploadedFile("vault.csv", text.encode())})
    said.append(shown.content.decode())
    applied = {"apply": "1", "digest": shown.context["report"].digest, "seal": shown.context["seal"]}
    assert browser.post("/credentials/import/", applied).status_code == 302
    store = FakeStore(kept / "store.sqlite3")
    store.add_account("shared", "billing", login="billing", emails=[], sessions=0, groups={})
    System.objects.create(
        name="shared",
        title="Shared",
        connector="fake",
        settings={"store": store.path},
        created_at=clock.now(),
    )
    made = operations.add_credential(
        given={"name": "Billing", "system": "shared", "account": "billing"},
        actor=CONSOLE,
        now=clock.now(),
    )
    operations.add_holder(credential=made, email=world.leaver.email, actor=CONSOLE, now=clock.now())
    rotation = CredentialRotation.objects.get(credential=made)
    old = canaries.new("a shared password so far")
    rotated = settling.rotate(rotation=rotation, old=old, actor=as_actor(world.it), now=clock.now())
    canaries.keep("a shared password that a connector made", rotated.secret["password"])
    said.append(repr(rotated))
    said.append(browser.get("/credentials/").content.decode())


def mail_goes_wrong(canaries: Canaries, port: int) -> None:
    """The mail server refuses us by quoting our password."""
    password = canaries.new("the password of the mail server")
    server = {
        "host": "127.0.0.1", "port": port, "username": "partwell", "password": password,
        "use_ssl": False, "use_tls": False, "timeout": 10,
    }  # fmt: skip
    text = f"Your link: {canaries.new('what a mail says')}"
    queue_mails([letter("one", text)], now=clock.now())
    with override_settings(MAIL_SERVER=server):
        send_pending(now=clock.now())
    assert Message.objects.exclude(last_error="").exists(), "the refusal is noted"


def test_without_the_secret_key_nothing_that_is_sealed_opens(
    kept: Path, figure: Callable[[str], None]
) -> None:
    seal_something(1)
    with override_settings(SECRET_KEY=secrets.token_urlsafe(50)):
        with pytest.raises(SealBroken):
            _ = Message.objects.get().text
        with pytest.raises(SealBroken):
            sign({"iss": "x"})
        for factor in Authenticator.objects.all():
            with pytest.raises(SealBroken):
                factor.wrap().validate_code("123456")
        with pytest.raises(keys.KeyUnreadable):
            keys.load_signer()
        renewals = renew_seals(actor=CONSOLE, now=clock.now())
        assert (sum(r.renewed for r in renewals), sum(r.unreadable for r in renewals)) == (0, 5)
    assert Message.objects.get().text == "text 0" and keys.load_signer().sign(b"x")
    figure("proof 19: without the key, 0 of 5 sealed things open")


def test_the_secret_key_is_changed_while_people_write(
    kept: Path, long: bool, figure: Callable[[str], None]
) -> None:
    seal_something(50)
    seed = get_adapter().decrypt(Authenticator.objects.get(type="totp").data["secret"])
    fingerprint = keys.load_signer().fingerprint
    old, new = settings.SECRET_KEY, secrets.token_urlsafe(50)
    each, failed = LONG if long else SHORT, []

    def write(writer: int) -> None:
        try:
            for number in range(each):
                key = f"{writer}-{number}"
                queue_mails([letter(key, f"text {key}")], now=clock.now())
                assert Message.objects.get(dedupe_key=key).text == f"text {key}"
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            connection.close()

    with override_settings(SECRET_KEY=new, SECRET_KEY_FALLBACKS=[old]):
        assert keys.load_signer().fingerprint == fingerprint, "what is sealed under the old key still opens"
        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(WRITERS)]
        for thread in threads:
            thread.start()
        first = renew_seals(actor=CONSOLE, now=clock.now())
        for thread in threads:
            thread.join()
        again = renew_seals(actor=CONSOLE, now=clock.now())
    assert failed == []
    assert {r.what: r.renewed for r in first} == {
        "mails that wait": 50,
        "signals that wait": 0,
        "signing keys of signals": 1,
        "second factors": 2,
        "the key that evidence is signed with": 1,
    }
    assert sum(r.renewed + r.unreadable for r in again) == 0
    with override_settings(SECRET_KEY=new, SECRET_KEY_FALLBACKS=[]):
        texts = {message.dedupe_key: message.text for message in Message.objects.all()}
        assert len(texts) == 50 + WRITERS * each
        assert all(text == f"text {key}" for key, text in texts.items())
        assert get_adapter().decrypt(Authenticator.objects.get(type="totp").data["secret"]) == seed
        assert keys.load_signer().fingerprint == fingerprint and sign({"iss": "x"})
    figure(
        f"proof 19: {sum(r.renewed for r in first)} sealed anew, {WRITERS * each} written meanwhile, 0 lost"
    )


def letter(key: str, text: str) -> Mail:
    """A mail that waits."""
    return Mail("test", "ann@home.test", "Hello", text, dedupe_key=key, scope="installation")


def seal_something(mails: int) -> None:
    """So many mails, a second factor with recovery codes, a signing key for signals, one for evidence."""
    queue_mails((letter(f"{n}", f"text {n}") for n in range(mails)), now=clock.now())
    user = User.objects.create_user(email="ann@firm.test", name="Ann")
    TOTP.activate(user, generate_totp_secret())
    RecoveryCodes.activate(user)
    with transaction.atomic():
        make_key(now=clock.now())
    keys.load_signer()


def _size(texts: dict[str, bytes]) -> str:
    return f"{sum(map(len, texts.values())) // 1024} kB"
