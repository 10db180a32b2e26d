"""Assertions by which a service account names itself."""

from __future__ import annotations

import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from partwell.connector_kit.assertions import signed_assertion
from partwell.connector_kit.contract import ConnectorError, ErrorKind

RSA, P256 = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
CLAIMS = {"iss": "canary-app", "exp": 4102444800}


def pem(key, protection=None) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection or NoEncryption()).decode()


def web_key(**more: str) -> str:
    return json.dumps({**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA)), **more})


@pytest.mark.parametrize(
    ("text", "given_id", "algorithm", "kid"),
    [
        (pem(RSA), "", "RS256", None),
        (pem(RSA), "k1", "RS256", "k1"),
        (pem(RSA).replace("\n", "\\n"), "", "RS256", None),
        (pem(P256), "k2", "ES256", "k2"),
        (web_key(), "k1", "RS256", "k1"),
        (web_key(kid="own"), "", "RS256", "own"),
        (web_key(kid="own"), "given", "RS256", "given"),
    ],
    ids=["RSA", "RSA, named", "RSA on one line", "P-256", "JWK", "JWK with a name", "JWK, named anew"],
)
def test_what_is_signed_can_be_checked_with_the_public_key(text, given_id, algorithm, kid):
    made = signed_assertion(CLAIMS, key=text, key_id=given_id)
    public = (P256 if algorithm == "ES256" else RSA).public_key()
    assert jwt.decode(made, public, algorithms=[algorithm]) == CLAIMS
    header = jwt.get_unverified_header(made)
    assert (header["alg"], header.get("kid")) == (algorithm, kid)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "canary",
        pem(RSA)[:200],
        pem(RSA, BestAvailableEncryption(b"canary")),
        pem(ec.generate_private_key(ec.SECP384R1())),
        pem(ed25519.Ed25519PrivateKey.generate()),
        json.dumps(json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key()))),
        '{"kty": "oct", "k": "Y2FuYXJ5"}',
        "{canary",
    ],
    ids=["empty", "no key", "cut off", "encrypted", "P-384", "Ed25519", "public", "symmetric", "no JSON"],
)
def test_a_key_that_cannot_sign_is_refused_without_being_repeated(text):
    with pytest.raises(ConnectorError) as refused:
        signed_assertion(CLAIMS, key=text)
    assert refused.value.kind is ErrorKind.DENIED
    assert "canary" not in refused.value.message
    assert refused.value.__cause__ is None
