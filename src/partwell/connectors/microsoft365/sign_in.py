"""How Partwell signs in to Microsoft: as an app registration, by a client secret or a certificate.

The access token lives in this object only, and no longer than Microsoft says. No message repeats what was
sent.
"""

from __future__ import annotations

import base64
import json
import uuid
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind
from partwell.connector_kit.transport import Answer, Transport
from partwell.connectors.scim.service import retry_at

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIVES = timedelta(minutes=5)
# A token is asked anew before it ends, so that none ends on its way.
RENEWED_BEFORE_END = timedelta(minutes=2)

_WORDS = {
    7000215: "The client secret is wrong.",
    7000222: "The client secret has expired: make a new one for the app registration.",
    700016: "The tenant knows no app registration with this client id.",
    700027: "The certificate is not one of the app registration's.",
    90002: "There is no such tenant; see the setting 'tenant'.",
    900023: "There is no such tenant; see the setting 'tenant'.",
}


class AppSignIn:
    """The app registration of one connection."""

    def __init__(self, connection: Connection) -> None:
        settings = connection.settings
        self._connection = connection
        self._transport: Transport = connection.transport
        self._client_id = str(settings["client_id"])
        login = str(settings.get("login_url", "https://login.microsoftonline.com")).rstrip("/")
        self._url = f"{login}/{settings['tenant']}/oauth2/v2.0/token"
        self._scope = str(settings.get("graph_url", "https://graph.microsoft.com")).rstrip("/") + "/.default"
        self._timeout = float(settings.get("timeout_seconds", 20))
        self._token = ""
        self._until: datetime | None = None

    async def token(self, *, anew: bool = False) -> str:
        """An access token for Microsoft Graph. `anew` asks for another than the one that was refused."""
        now = self._connection.now()
        if anew or self._until is None or now >= self._until:
            self._token, self._until = "", None
            content = await self._ask(now)
            self._token = str(content["access_token"])
            self._until = now + timedelta(seconds=int(content["expires_in"])) - RENEWED_BEFORE_END
        return self._token

    async def _ask(self, now: datetime) -> dict[str, Any]:
        form = {"grant_type": "client_credentials", "client_id": self._client_id, "scope": self._scope}
        answer = await self._transport.request(
            "POST",
            self._url,
            headers={"content-type": "application/x-www-form-urlencoded", "accept": "application/json"},
            content=urlencode(form | self._credential(now)).encode(),
            timeout=self._timeout,
            changes_nothing=True,
        )
        if answer.status != 200:
            raise _refusal(answer, now)
        content = answer.json()
        if not isinstance(content, dict) or not content.get("access_token"):
            raise ConnectorError(ErrorKind.RETRYABLE, "Microsoft's sign-in answered without a token.")
        if not str(content.get("expires_in", "")).isdecimal():
            raise ConnectorError(ErrorKind.RETRYABLE, "Microsoft's sign-in gave a token without an end.")
        return content

    def _credential(self, now: datetime) -> dict[str, str]:
        settings = self._connection.settings
        if "certificate" in settings:
            pem = self._connection.secrets.resolve(str(settings["certificate"])).encode()
            assertion = client_assertion(pem, client_id=self._client_id, audience=self._url, now=now)
            return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
        if "client_secret" in settings:
            return {"client_secret": self._connection.secrets.resolve(str(settings["client_secret"]))}
        raise ConnectorError(
            ErrorKind.INVALID, "Set 'certificate' or 'client_secret' for the app registration."
        )


def client_assertion(pem: bytes, *, client_id: str, audience: str, now: datetime) -> str:
    """A signed statement that we are the app (private_key_jwt, RFC 7523); `pem` has key and certificate.

    Raises INVALID when the PEM does not hold both.
    """
    try:
        key = load_pem_private_key(pem, password=None)
        certificate = x509.load_pem_x509_certificate(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _no_certificate() from None
    if not isinstance(key, RSAPrivateKey):
        raise _no_certificate()
    begun = int(now.timestamp())
    thumbprint = _plain(certificate.fingerprint(hashes.SHA256()))
    header = {"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint}
    claims = {
        "aud": audience,
        "iss": client_id,
        "sub": client_id,
        "jti": str(uuid.uuid4()),
        "iat": begun,
        "nbf": begun,
        "exp": begun + int(ASSERTION_LIVES.total_seconds()),
    }
    signed = ".".join(_plain(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=hashes.SHA256.digest_size)
    return f"{signed}.{_plain(key.sign(signed.encode(), pss, hashes.SHA256()))}"


def _plain(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _no_certificate() -> ConnectorError:
    return ConnectorError(
        ErrorKind.INVALID,
        "The setting 'certificate' has to lead to a PEM file with an RSA private key, not encrypted, and its "
        "certificate.",
    )


def _refusal(answer: Answer, now: datetime) -> ConnectorError:
    """What the token endpoint said, without its description: that may quote the request."""
    if answer.status == 429:
        return ConnectorError(
            ErrorKind.THROTTLED,
            "Microsoft's sign-in is asked too often.",
            retry_at=retry_at(answer.headers.get("retry-after", ""), now=now),
            request_id=answer.request_id,
        )
    try:
        content = answer.json()
    except ConnectorError:
        content = None
    given = content if isinstance(content, dict) else {}
    numbers = given.get("error_codes")
    codes = [code for code in numbers if isinstance(code, int)] if isinstance(numbers, list) else []
    if answer.status >= 500 or not given.get("error") or given.get("error") == "temporarily_unavailable":
        return ConnectorError(
            ErrorKind.RETRYABLE,
            f"Microsoft's sign-in answered {answer.status}.",
            request_id=answer.request_id,
        )
    said = next((_WORDS[code] for code in codes if code in _WORDS), "It refused the app registration.")
    number = f" (AADSTS{codes[0]})" if codes else ""
    return ConnectorError(
        ErrorKind.DENIED,
        f"Microsoft's sign-in answered {answer.status}{number}. {said}",
        request_id=str(given.get("trace_id") or answer.request_id)[:200],
    )


__all__ = ["ASSERTION_TYPE", "AppSignIn", "client_assertion"]
