"""Assertions signed with a private key (RFC 7515, RFC 7523), by which a service account names itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from partwell.connector_kit.values import ConnectorError, ErrorKind


def signed_assertion(claims: Mapping[str, Any], *, key: str, key_id: str = "") -> str:
    """A JWT over `claims`, by the key that is given as PEM or as a JSON Web Key.

    RS256 for RSA, ES256 for P-256. Raises DENIED for anything else; what the key says is never repeated.
    """
    try:
        private, algorithm, own_id = _load(key)
        headers = {"kid": key_id or own_id} if key_id or own_id else None
        return jwt.encode(dict(claims), private, algorithm=algorithm, headers=headers)
    except (ValueError, TypeError, KeyError, UnsupportedAlgorithm, jwt.PyJWTError):
        raise ConnectorError(
            ErrorKind.DENIED,
            "The private key cannot be used: it has to be an RSA or P-256 key, as PEM without a passphrase, "
            "or as a JSON Web Key with its private part.",
        ) from None


def _load(text: str) -> tuple[Any, str, str]:
    """The key, its algorithm, and the id that a JSON Web Key has in it. Raises `ValueError`."""
    own_id = ""
    if text.lstrip().startswith("{"):
        web_key = jwt.PyJWK.from_json(text)
        key, own_id = web_key.key, web_key.key_id or ""
    else:
        # In an environment variable, lines are often written with \n between them.
        key = load_pem_private_key(text.replace("\\n", "\n").encode(), password=None)
    if isinstance(key, rsa.RSAPrivateKey):
        return key, "RS256", own_id
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key, "ES256", own_id
    raise ValueError("not a private key that we sign with")
