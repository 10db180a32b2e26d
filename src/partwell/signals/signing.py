"""The key that signals are signed with: RSA, made for the first receiver, sealed in the database.

RS256 with 2048 bits is what the CAEP interoperability profile asks of everybody, so every receiver can check
it. A key that was replaced stays published for a while, because receivers keep tokens and lists of keys.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, cast

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from django.db.models import Q

from partwell.signals.models import SigningKey
from partwell.signals.sealing import seal, unseal

ALGORITHM = "RS256"
BITS = 2048
# Longer than any signal is sent for, so that whoever reads the list late can still check the last of them.
PUBLISHED_FOR = timedelta(days=30)


class NoSigningKey(Exception):
    """There is no key yet: no receiver was ever registered."""


def key_in_use() -> SigningKey:
    """The key that the next signal is signed with. Raises `NoSigningKey`."""
    key = SigningKey.objects.filter(is_in_use=True).first()
    if key is None:
        raise NoSigningKey
    return key


def make_key(*, now: datetime) -> SigningKey:
    """Make a new key and put it in use, in the caller's transaction; the one before it signs nothing more."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key()))
    jwk = {"kty": "RSA", "n": public["n"], "e": public["e"], "alg": ALGORITHM, "use": "sig"}
    kid = _thumbprint(jwk)
    SigningKey.objects.filter(is_in_use=True).update(is_in_use=False, retired_at=now, sealed_private="")
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return SigningKey.objects.create(
        kid=kid, public_jwk={**jwk, "kid": kid}, sealed_private=seal(pem.decode()), made_at=now
    )


def sign(claims: Mapping[str, Any]) -> str:
    """A security event token (RFC 8417) over these claims, by the key in use.

    Raises `NoSigningKey`, and `SealBroken` when the key was sealed under another installation's secret key.
    """
    key = key_in_use()
    private = load_pem_private_key(unseal(key.sealed_private).encode(), password=None)
    return jwt.encode(
        dict(claims),
        cast(rsa.RSAPrivateKey, private),
        algorithm=ALGORITHM,
        headers={"kid": key.kid, "typ": "secevent+jwt"},
    )


def published_keys(*, now: datetime) -> list[dict[str, str]]:
    """The public keys for receivers, as a JSON Web Key Set lists them (RFC 7517)."""
    keys = SigningKey.objects.filter(Q(is_in_use=True) | Q(retired_at__gt=now - PUBLISHED_FOR))
    return [key.public_jwk for key in keys]


def _thumbprint(jwk: Mapping[str, str]) -> str:
    """The key's own name (RFC 7638)."""
    members = json.dumps({name: jwk[name] for name in ("e", "kty", "n")}, separators=(",", ":"))
    return base64.urlsafe_b64encode(sha256(members.encode()).digest()).rstrip(b"=").decode()
