"""Certificates and SSH keys as people read them."""

from __future__ import annotations

import base64

import asyncssh
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from partwell.connector_kit.public_keys import certificate, ssh_key
from tests.servers.certificates import certificate_of


def test_a_certificate_is_the_same_in_each_form_that_systems_give_it() -> None:
    issued = certificate_of("ana")
    der, pem = issued.public_bytes(Encoding.DER), issued.public_bytes(Encoding.PEM)
    shown = {certificate(form).name for form in (der, pem, base64.b64encode(der))}
    assert shown == {f"certificate CN=ana, valid until {issued.not_valid_after_utc.date()}"}
    assert len({certificate(form).external_id for form in (der, pem, base64.b64encode(der))}) == 1


def test_a_key_has_the_fingerprint_that_ssh_shows_and_its_comment() -> None:
    key = asyncssh.generate_private_key("ssh-ed25519", comment="ana@laptop")
    line = key.export_public_key().decode()
    for written in (line, f'from="10.0.0.1",no-pty {line}'):
        held = ssh_key(written)
        assert held.details["fingerprint"] == key.get_fingerprint()
        assert held.name == f"SSH key ana@laptop {key.get_fingerprint()}"


@pytest.mark.parametrize("text", ["", "ssh-rsa", "ssh-rsa !!!! ana", "a certificate of its own kind"])
def test_what_cannot_be_read_is_shown_all_the_same(text: str) -> None:
    assert ssh_key(text).name.startswith("SSH key ")
    assert certificate(text.encode()).details["unreadable"] == "yes"
    assert certificate(text.encode(), label="blue card").name == "certificate blue card"


@given(st.binary(max_size=80))
def test_no_bytes_break_the_list(content: bytes) -> None:
    assert certificate(content).external_id
    assert ssh_key(content.decode("utf-8", "replace")).external_id
