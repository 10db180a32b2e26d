"""An OpenID provider over the guarded transport: what it offers, its endpoints, and failures as data.

OpenID Connect Discovery 1.0, token revocation (RFC 7009), introspection (RFC 7662), and global revocation
(draft-parecki-oauth-global-token-revocation-06).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode

from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind
from partwell.connector_kit.pacing import retry_at
from partwell.connector_kit.shapes import Shapes
from partwell.connector_kit.transport import Answer, Transport

REVOCATION, INTROSPECTION = "revocation_endpoint", "introspection_endpoint"
TOKEN, USERINFO = "token_endpoint", "userinfo_endpoint"
GLOBAL_REVOCATION = "global_token_revocation_endpoint"
BASIC, POST = "client_secret_basic", "client_secret_post"
INVALID_GRANT, INVALID_TOKEN = "invalid_grant", "invalid_token"

NO_GLOBAL = (
    "The provider offers no global revocation, or this connection leaves it alone (global_revocation)."
)

shapes = Shapes("the provider")

_CODE = re.compile(r"[a-z_]{1,60}")
_KINDS = {
    401: ErrorKind.DENIED,
    403: ErrorKind.DENIED,
    404: ErrorKind.RETRYABLE,
    408: ErrorKind.RETRYABLE,
    409: ErrorKind.CONFLICT,
    422: ErrorKind.CONFLICT,
    429: ErrorKind.THROTTLED,
}
_KIND_OF_CODE = {
    "invalid_client": ErrorKind.DENIED,
    "unauthorized_client": ErrorKind.DENIED,
    "unsupported_token_type": ErrorKind.UNSUPPORTED,
}


class OidcProvider:
    """The provider behind one connection. Its metadata are read once, for as long as the connector lives."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        settings = connection.settings
        self._transport: Transport = connection.transport
        self.issuer = str(settings["issuer_url"])
        self._uses_global = bool(settings.get("global_revocation", True))
        self._given_global = str(settings.get("global_revocation_url", ""))
        self._ca_file = str(settings.get("ca_file", ""))
        self._allow_plain = bool(settings.get("allow_plain", False))
        self._timeout = float(settings.get("timeout_seconds", 20))
        self._metadata: Mapping[str, Any] | None = None

    @property
    def has_client(self) -> bool:
        """Whether Partwell can say which client it is, which revoking a token takes."""
        return "client_id" in self._connection.settings

    # -- what it offers -------------------------------------------------------------------------------

    async def metadata(self) -> Mapping[str, Any]:
        """What the provider says of itself. Raises INVALID where it calls itself otherwise than we do: then
        the document is another's, and so are the endpoints in it."""
        if self._metadata is None:
            address = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
            answer = await self._request("GET", address)
            if answer.status != 200:
                raise self._failure(answer, "its metadata")
            found = shapes.as_object(answer.json())
            if found.get("issuer") != self.issuer:
                raise ConnectorError(
                    ErrorKind.INVALID,
                    f"The provider calls itself {str(found.get('issuer'))[:200]!r} and not {self.issuer!r}. "
                    "Write its issuer exactly as it does, to the last slash.",
                )
            self._metadata = found
        return self._metadata

    async def endpoint(self, name: str) -> str:
        """The address of an endpoint, empty where the provider offers none."""
        found = (await self.metadata()).get(name)
        return found if isinstance(found, str) else ""

    async def offers_global(self) -> bool:
        """Whether everything of somebody can be revoked with one request, and is to be, by the settings."""
        return self._uses_global and bool(self._given_global or await self.endpoint(GLOBAL_REVOCATION))

    async def global_endpoint(self) -> str:
        """Where everything of somebody is revoked. Raises UNSUPPORTED where that is not offered, where the
        address has to be filled in by somebody, and for a way of authentication that Partwell has not got."""
        where = self._given_global or await self.endpoint(GLOBAL_REVOCATION)
        if not await self.offers_global():
            raise ConnectorError(ErrorKind.UNSUPPORTED, NO_GLOBAL)
        if "{" in where:
            raise ConnectorError(
                ErrorKind.UNSUPPORTED,
                "The provider gives a pattern for the address of its global revocation. Write the address "
                "itself into global_revocation_url, or set global_revocation: false.",
            )
        taken = [each.lower() for each in await self._methods(GLOBAL_REVOCATION, fallback=False)]
        ours = "bearer" if "token" in self._connection.settings else BASIC
        if taken and ours not in taken:
            raise ConnectorError(
                ErrorKind.UNSUPPORTED,
                f"The provider's global revocation takes {_listed(taken)}, and this connection has {ours}.",
            )
        return where

    # -- asking ---------------------------------------------------------------------------------------

    async def introspect(self, token: str, kind: str) -> Mapping[str, Any]:
        """What introspection says of a token. Only a plain true or false in `active` is an answer."""
        answer = await self._form(
            INTROSPECTION, {"token": token, "token_type_hint": kind}, changes_nothing=True, may_bearer=True
        )
        found = shapes.as_object(answer.json())
        if not isinstance(found.get("active"), bool):
            raise ConnectorError(ErrorKind.RETRYABLE, "The answer is JSON, but not one of introspection.")
        return found

    async def is_taken_at_userinfo(self, token: str) -> bool:
        """Whether an access token still opens the userinfo endpoint, or is refused there as invalid.

        One that is refused for want of a scope is known there, and so taken.
        """
        address = await self.endpoint(USERINFO)
        answer = await self._request("GET", address, headers={"authorization": f"Bearer {token}"})
        if answer.status == 200:
            # Some sign what they say there.
            if not answer.headers.get("content-type", "").startswith("application/jwt"):
                shapes.as_object(answer.json())
            return True
        said = answer.headers.get("www-authenticate", "") + _code(answer)
        if answer.status == 403 and "insufficient_scope" in said:
            return True
        if answer.status == 401 and INVALID_TOKEN in said:
            return False
        if answer.status == 401:
            raise ConnectorError(
                ErrorKind.RETRYABLE,
                "Userinfo refused the token without calling it invalid; nothing is concluded from that.",
            )
        raise self._failure(answer, "userinfo")

    # -- changing -------------------------------------------------------------------------------------

    async def revoke(self, token: str, kind: str) -> Answer:
        """Have one token revoked. The provider answers the same to one that it does not know."""
        return await self._form(REVOCATION, {"token": token, "token_type_hint": kind})

    async def refresh(self, token: str) -> Mapping[str, Any]:
        """New tokens for a refresh token, or nothing where it is refused as invalid. This uses it up."""
        try:
            answer = await self._form(TOKEN, {"grant_type": "refresh_token", "refresh_token": token})
        except _Refused as error:
            if error.code == INVALID_GRANT:
                return {}
            raise
        found = shapes.as_object(answer.json())
        if not found.get("access_token"):
            raise ConnectorError(ErrorKind.RETRYABLE, "The answer is JSON, but holds no new token.")
        return found

    async def revoke_everything(self, subject: Mapping[str, str]) -> Answer | None:
        """Ask for everything of somebody to be revoked; None where the provider knows nobody so called.

        A 204 says that it has begun, no more.
        """
        answer = await self._request(
            "POST",
            await self.global_endpoint(),
            headers={"authorization": self._bearer() or self._basic()},
            json={"sub_id": dict(subject)},
            expects=204,
        )
        if answer.status == 204:
            return answer
        if answer.status == 404 and not _is_page(answer):
            return None
        raise self._failure(
            answer,
            "its global revocation",
            if_invalid="It may tell people otherwise: see the setting 'subject'.",
        )

    # -- the wire -------------------------------------------------------------------------------------

    async def _form(
        self, name: str, fields: Mapping[str, str], *, changes_nothing: bool = False, may_bearer: bool = False
    ) -> Answer:
        """A form, with the client's name and secret where the provider takes them. Raises for every status
        but 200, and for a page."""
        address = await self.endpoint(name)
        what = name.removesuffix("_endpoint").replace("_", " ")
        if not address:
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"The provider offers no {what} endpoint.")
        headers, fields = {}, dict(fields)
        if may_bearer and not self.has_client:
            headers["authorization"] = self._bearer()
        elif POST in (methods := await self._methods(name)) and BASIC not in methods:
            fields |= {"client_id": self._client_id(), "client_secret": self._client_secret()}
        elif BASIC in methods:
            headers["authorization"] = self._basic()
        else:
            raise ConnectorError(
                ErrorKind.UNSUPPORTED,
                f"The provider's {what} endpoint takes {_listed(methods)}; Partwell has {BASIC} and {POST}.",
            )
        answer = await self._request(
            "POST",
            address,
            headers=headers | {"content-type": "application/x-www-form-urlencoded"},
            content=urlencode(fields).encode(),
            changes_nothing=changes_nothing,
        )
        if answer.status != 200:
            raise self._failure(answer, what, if_invalid="The token may be another client's.")
        if _is_page(answer):
            raise ConnectorError(
                ErrorKind.RETRYABLE,
                f"A page came instead of an answer to {what}: something else answers there.",
            )
        return answer

    async def _request(
        self,
        method: str,
        address: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        changes_nothing: bool = False,
        expects: int = 200,
    ) -> Answer:
        return await self._transport.request(
            method,
            address,
            headers={"accept": "application/json", **(headers or {})},
            json=json,
            content=content,
            ca_file=self._ca_file,
            allow_plain=self._allow_plain,
            timeout=self._timeout,
            changes_nothing=changes_nothing,
            expects=expects,
        )

    # -- who we are -----------------------------------------------------------------------------------

    async def _methods(self, name: str, *, fallback: bool = True) -> list[str]:
        """The ways of authentication that an endpoint takes; by the standard the token endpoint's, and
        `client_secret_basic` where nothing is said."""
        metadata = await self.metadata()
        for endpoint in (name, TOKEN) if fallback else (name,):
            found = metadata.get(f"{endpoint}_auth_methods_supported")
            if isinstance(found, list) and found:
                return [str(each) for each in found]
        return [BASIC] if fallback else []

    def _basic(self) -> str:
        # RFC 6749, 2.3.1: both are written as in a form before they are put together.
        pair = f"{quote_plus(self._client_id())}:{quote_plus(self._client_secret())}"
        return f"Basic {b64encode(pair.encode()).decode()}"

    def _bearer(self) -> str:
        reference = self._connection.settings.get("token")
        return f"Bearer {self._connection.secrets.resolve(str(reference))}" if reference else ""

    def _client_id(self) -> str:
        if not self.has_client:
            raise ConnectorError(
                ErrorKind.UNSUPPORTED,
                "A token is revoked by the client that it was issued to: set client_id.",
            )
        return str(self._connection.settings["client_id"])

    def _client_secret(self) -> str:
        return self._connection.secrets.resolve(str(self._connection.settings["client_secret"]))

    # -- failures -------------------------------------------------------------------------------------

    def _failure(self, answer: Answer, what: str, *, if_invalid: str = "") -> ConnectorError:
        code = _code(answer)
        kind = _KINDS.get(answer.status, ErrorKind.RETRYABLE if answer.status >= 500 else ErrorKind.INVALID)
        kind = _KIND_OF_CODE.get(code, kind)
        if answer.status == 503 and "retry-after" in answer.headers:
            kind = ErrorKind.THROTTLED
        message = f"The provider answered {answer.status} to {what}" + (f": {code}." if code else ".")
        if 300 <= answer.status < 400:
            message = f"The provider redirects {what} elsewhere ({answer.status}) and is not followed."
        elif answer.status == 404:
            message += " There may be no such endpoint; nothing is concluded from that."
        elif answer.status == 422:
            message += " It says that it cannot sign this person out."
        elif answer.status == 403:
            message += " Our credentials lack the right to do this."
        elif kind is ErrorKind.DENIED:
            message += " It does not take our credentials."
        elif answer.status == 400 and if_invalid:
            message += f" {if_invalid}"
        return _Refused(
            kind,
            message,
            code=code,
            retry_at=(
                retry_at(answer.headers.get("retry-after", ""), now=self._connection.now())
                if kind is ErrorKind.THROTTLED
                else None
            ),
            request_id=answer.request_id,
        )


class _Refused(ConnectorError):
    """A refusal with the standards' code for it, where there was one."""

    def __init__(self, kind: ErrorKind, message: str, *, code: str, **more: Any) -> None:
        super().__init__(kind, message, **more)
        self.code = code


def _code(answer: Answer) -> str:
    """The standards' code for a failure. What is said beside it is not repeated: it may quote a token."""
    try:
        content = answer.json()
    except ConnectorError:
        return ""
    code = content.get("error") if isinstance(content, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _is_page(answer: Answer) -> bool:
    return answer.headers.get("content-type", "").lower().startswith(("text/html", "application/xhtml"))


def _listed(methods: list[str]) -> str:
    return ", ".join(methods)[:200] or "nothing that it names"
